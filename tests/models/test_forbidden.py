"""Tokens that a checkpoint forbids: no search chooses them, and its other generation settings are ignored."""

import itertools
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GenerationConfig

from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record, write_record
from mtpeft.core.options import DecodingOptions
from mtpeft.decoding.search import length_limits, translate
from mtpeft.models.load import load_base, prepare_torch
from mtpeft.models.special_tokens import SpecialTokens, forbidden_by
from mtpeft.models.tokenizer import PairTokenizer, encode, open_tokenizer, special_tokens_of
from support.family import CHECKPOINTS, LANGUAGES, build_checkpoint

SENTENCES = ["Abre la puerta del jardín", "Hoy no lloverá", "Crea una carpeta nueva"]
SEARCHES = [DecodingOptions(beam_size=beam_size, length_penalty=1.0, max_length_ratio=1.0) for beam_size in (1, 3)]
SPARE = 5
"""Rows of the embeddings that no token stands for."""
OTHER_SETTINGS = {
    "num_beams": 7,
    "length_penalty": 3.0,
    "no_repeat_ngram_size": 2,
    "repetition_penalty": 1.7,
    "encoder_repetition_penalty": 1.5,
    "min_length": 12,
    "max_length": 6,
    "do_sample": True,
    "temperature": 0.3,
    "early_stopping": True,
    "sequence_bias": [[[4], 50.0]],
    "forced_bos_token_id": 3,
    "renormalize_logits": True,
    "exponential_decay_length_penalty": [1, 1.5],
    "num_return_sequences": 2,
    "max_time": 0.0,
}
"""Generation settings that a checkpoint may have and that the workflow ignores."""
Case = tuple[torch.nn.Module, PairTokenizer, SpecialTokens, list[torch.Tensor]]


def _opened(folder: Path) -> Case:
    tokenizer, model = open_tokenizer(folder, LANGUAGES, vocabulary="x"), load_base(folder).eval()
    sources = [torch.tensor(row) for row in encode(tokenizer, SENTENCES, "source", max_length=60)]
    return model, tokenizer, special_tokens_of(tokenizer, model.config), sources


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A checkpoint of each family, with spare rows."""
    prepare_torch(1)
    made = {}
    for name in CHECKPOINTS:
        made[name] = folder = build_checkpoint(name, tmp_path_factory.mktemp(name))
        model = load_base(folder)
        model.resize_token_embeddings(model.config.vocab_size + SPARE, mean_resizing=False)
        model.save_pretrained(folder)
        if "tie_word_embeddings" in CHECKPOINTS[name].config:
            write_record(folder / "config.json", read_record(folder / "config.json") | {"tie_word_embeddings": False})
    return made


def _let_win(model: torch.nn.Module, tokens: list[int]) -> None:
    """Have the model think that these tokens follow everything, the first most of all."""
    output = model.get_output_embeddings()
    plain = output.forward
    bonus = torch.zeros(output.out_features)
    bonus[tokens] = torch.linspace(2000.0, 1000.0, len(tokens))
    output.forward = lambda states: plain(states) + bonus


def _generated(model: torch.nn.Module, source: torch.Tensor, special_tokens: SpecialTokens, **told: Any) -> list[int]:
    """The hypothesis of transformers' own search with all options given."""
    own = model.generate(
        input_ids=source[None],
        generation_config=GenerationConfig(
            early_stopping=False,
            pad_token_id=special_tokens.pad,
            eos_token_id=special_tokens.end,
            decoder_start_token_id=special_tokens.begin[0],
            forced_bos_token_id=special_tokens.begin[1] if special_tokens.begin[1:] else None,
            forced_eos_token_id=special_tokens.end,
            **told,
        ),
    )[0].tolist()
    made = own[len(special_tokens.begin) :]
    return made[: made.index(special_tokens.end)] if special_tokens.end in made else made


def _limits(search: DecodingOptions, sources: list[torch.Tensor], special_tokens: SpecialTokens) -> list[int]:
    return length_limits(search, np.array([len(row) for row in sources]), special_tokens).tolist()


@pytest.mark.parametrize("search", SEARCHES, ids=["greedy", "beam"])
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_neither_padding_nor_a_row_without_a_token_is_chosen(
    checkpoints: Mapping[str, Path], name: str, search: DecodingOptions
) -> None:
    """The rest is what transformers' own search finds, told not to choose them."""
    model, _, special_tokens, sources = _opened(checkpoints[name])
    spare = range(model.config.vocab_size - SPARE, model.config.vocab_size)
    assert {special_tokens.pad, *spare} <= set(special_tokens.forbidden.tokens)
    _let_win(model, [special_tokens.pad, *spare])
    found = translate(model, sources, search, special_tokens=special_tokens)
    assert any(found)
    assert not {special_tokens.pad, *spare}.intersection(*found)
    banned = [[token] for token in special_tokens.forbidden.tokens]
    for source, tokens, limit in zip(sources, found, _limits(search, sources, special_tokens), strict=True):
        told = {
            "bad_words_ids": banned,
            "num_beams": search.beam_size,
            "max_new_tokens": limit + len(special_tokens.begin),
        }
        assert tokens == _generated(model, source, special_tokens, **told)[:limit]


@pytest.mark.parametrize("search", SEARCHES, ids=["greedy", "beam"])
@pytest.mark.parametrize("file", ["config.json", "generation_config.json"])
@pytest.mark.parametrize("name", ["mbart25", "m2m100", "marian", "t5"])
def test_only_the_forbidden_tokens_of_a_checkpoints_settings_are_obeyed(
    checkpoints: Mapping[str, Path], tmp_path: Path, name: str, file: str, search: DecodingOptions
) -> None:
    folder = shutil.copytree(checkpoints[name], tmp_path / name)
    model, _, special_tokens, sources = _opened(folder)
    plain = translate(model, sources, search, special_tokens=special_tokens)
    # The words that the model says most are forbidden: alone, after each other, and in the first place.
    one, other, *_ = [token for token, _ in Counter(token for tokens in plain for token in tokens).most_common()] * 2
    said = {
        "bad_words_ids": [[one], [other, other], [special_tokens.end]],
        "suppress_tokens": [plain[0][-1]],
        "begin_suppress_tokens": [plain[1][0]],
    }
    if file == "config.json":
        (folder / "generation_config.json").unlink()
    write_record(folder / file, read_record(folder / file) | OTHER_SETTINGS | said)

    model, _, special_tokens, sources = _opened(folder)
    found = translate(model, sources, search, special_tokens=special_tokens)
    assert found != plain
    assert not {one, plain[0][-1]}.intersection(*found)
    assert not any(pair == (other, other) for tokens in found for pair in itertools.pairwise(tokens))
    assert all(tokens[:1] != plain[1][:1] for tokens in found)
    model.generation_config = GenerationConfig()
    told = {key: value for key, value in said.items() if key == "bad_words_ids"} | {"num_beams": search.beam_size}
    told["suppress_tokens"] = list(special_tokens.forbidden.tokens)
    told["begin_suppress_tokens"] = list(special_tokens.forbidden.first)
    for source, tokens, limit in zip(sources, found, _limits(search, sources, special_tokens), strict=True):
        own = _generated(model, source, special_tokens, **told, max_new_tokens=limit + len(special_tokens.begin))
        assert tokens == own[:limit]


WRONG = {
    "bad_words_ids": ["<pad>", 5, [5], [[]], [["<pad>"]], [[-1]], [[True]], {"a": 1}],
    "suppress_tokens": ["5", 5, ["5"], [[5]], [-1], [1.5]],
    "begin_suppress_tokens": [7, ["<pad>"]],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_what_is_forbidden_in_another_form_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    write_record(tmp_path / "generation_config.json", {key: value})
    with pytest.raises(UserError, match=rf"generation_config.json says under '{key}'"):
        forbidden_by(tmp_path)


def test_new_entries_may_be_chosen(checkpoints: Mapping[str, Path], tmp_path: Path) -> None:
    """They have rows of the embeddings and are no entries of the tokenizer."""
    folder = shutil.copytree(checkpoints["nllb"], tmp_path / "extended")
    special_tokens = _opened(folder)[2]
    first = min(special_tokens.forbidden.tokens[-SPARE:])
    write_record(folder / "extension.json", {"pieces": {str(first): [20, 21]}, "languages": {}})
    special_tokens = _opened(folder)[2]
    assert first not in special_tokens.forbidden.tokens
    assert first + 1 in special_tokens.forbidden.tokens

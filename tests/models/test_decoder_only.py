"""Decoder-only models: prompts and their tokens, the loss on targets alone, and search as transformers has it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from mtpeft.config.load import merge, validate
from mtpeft.core.errors import UserError
from mtpeft.core.files import write_record
from mtpeft.core.options import DecodingOptions
from mtpeft.data.batch_layout import model_inputs
from mtpeft.data.token_arrays import IGNORED
from mtpeft.decoding.search import length_limits, translate
from mtpeft.methods import options_of
from mtpeft.models.families import read_json, read_shape
from mtpeft.models.load import load_base, prepare_torch
from mtpeft.models.local import take_in_folder
from mtpeft.models.tokenizer import PairTokenizer, detokenise, encode, losses, open_tokenizer, special_tokens_of
from mtpeft.training import chunked_loss
from mtpeft.training.build_model import count_trained
from mtpeft.training.objective import TARGET_POSITIONS, LossOptions, likelihood, target_positions, target_tokens
from support.default import DEFAULT
from support.family import CAUSAL_CHECKPOINTS, build_checkpoint, checkpoints_in
from support.model import SPANISH_ENGLISH
from support.text import AWKWARD, SCRIPTS

PAIR = {"source": "es", "target": "en"}
CHATS = ("qwen2", "qwen3", "gemma3")
"""Those with a chat template."""
PLAIN = "Translate from Spanish to English.\nSpanish: La casa\nEnglish:"
MESSAGE = "Translate the following text from Spanish to English. Answer with the translation alone.\n\nLa casa"
SEARCHES = [DecodingOptions(beam_size=size, length_penalty=1.2, max_length_ratio=2.0) for size in (1, 4)]
FAMILY = pytest.mark.parametrize("name", CAUSAL_CHECKPOINTS)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a checkpoint, made once."""
    return checkpoints_in(tmp_path_factory.mktemp("checkpoints"))


def _opened(folder: Path, **keys: Any) -> PairTokenizer:
    return open_tokenizer(folder, PAIR, vocabulary="mine", **keys)


def _rows(tokenizer: PairTokenizer, count: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    sides = (
        encode(tokenizer, [pair[place] for pair in SPANISH_ENGLISH[:count]], side, max_length=256)
        for place, side in enumerate(("source", "target"))
    )
    source, target = ([torch.tensor(row) for row in rows] for rows in sides)
    return source, target


@FAMILY
def test_a_prompt_has_the_tokens_of_the_models_own_tokenizer(checkpoint: Callable, name: str) -> None:
    folder = checkpoint(name)
    own = AutoTokenizer.from_pretrained(folder)
    (row,) = encode(_opened(folder), ["La casa"], "source", max_length=256)
    if name in CHATS:
        message = [{"role": "user", "content": MESSAGE}]
        assert row == own.apply_chat_template(message, add_generation_prompt=True, return_dict=False)
    else:
        assert row == own(PLAIN)["input_ids"]


@FAMILY
def test_a_target_ends_with_what_ends_an_answer_and_comes_back(checkpoint: Callable, name: str) -> None:
    tokenizer = _opened(checkpoint(name))
    texts = [text.strip() for text in (*SCRIPTS.values(), *AWKWARD.values())]
    rows = encode(tokenizer, texts, "target", max_length=400)
    ends = tokenizer.pretrained.convert_ids_to_tokens([row[-1] for row in rows])
    assert set(ends) == {"<|end|>" if name in CHATS else "</s>"}
    as_sentencepiece = name not in ("llama", "qwen2", "qwen3")
    wanted = [text.replace("▁", " ") if as_sentencepiece else text for text in texts]
    found = detokenise(tokenizer, rows)
    # Qwen2 composes letters and their marks.
    assert [normalize("NFC", text) for text in found] == [normalize("NFC", text) for text in wanted]


PROMPTS = {
    "{target}: ": "<s>English: La casa",
    "{text} ({source_code}>{target_code})": "<s>La casa (es>en)",
    "Say {{text}}: ": "<s>Say {text}: La casa",
    "": "<s>La casa",
}


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_prompt_of_the_configuration_stands_where_it_says(checkpoint: Callable, prompt: str) -> None:
    tokenizer = _opened(checkpoint("llama"), prompt=prompt)
    (row,) = encode(tokenizer, ["La casa"], "source", max_length=256)
    assert tokenizer.pretrained.decode(row) == PROMPTS[prompt]


def test_a_chat_template_can_be_turned_off_and_chosen(checkpoint: Callable) -> None:
    folder = checkpoint("qwen2")
    (row,) = encode(_opened(folder, chat_template=False), ["La casa"], "source", max_length=256)
    assert row == AutoTokenizer.from_pretrained(folder)(PLAIN)["input_ids"]
    with pytest.raises(UserError, match="is other, but its tokenizer has no names for them; write false"):
        _opened(folder, chat_template="other")
    with pytest.raises(UserError, match="is true, but its tokenizer has none; write false"):
        _opened(checkpoint("llama"), chat_template=True)


def test_the_day_is_not_in_a_prompt(checkpoint: Callable, tmp_path: Path) -> None:
    """The template of Llama 3.2 writes today's date, so that a model would read something else tomorrow."""
    folder = build_checkpoint("qwen2", tmp_path / "dated")
    dated = "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    (folder / "chat_template.jinja").write_text(
        f"{dated}{{{{ date_string }}}}{(folder / 'chat_template.jinja').read_text(encoding='utf-8')}", encoding="utf-8"
    )
    tokenizer = _opened(folder)
    assert tokenizer.frame is not None
    assert tokenizer.frame.before.startswith("26 Jul 2024")


@FAMILY
def test_special_tokens_in_a_sentence_are_text(checkpoint: Callable, name: str) -> None:
    """So no sentence ends its own prompt."""
    tokenizer = _opened(checkpoint(name))
    sentence = "a <|end|> b </s> c"
    plain, target = (
        [token for token in encode(tokenizer, [text], side, max_length=256)[0] if token in tokenizer.special]
        for text, side in (("a", "source"), (sentence, "target"))
    )
    (row,) = encode(tokenizer, [sentence], "source", max_length=256)
    assert [token for token in row if token in tokenizer.special] == plain
    assert len(target) == 1
    assert sentence in tokenizer.pretrained.decode(row)


@FAMILY
def test_what_does_not_fit_is_cut_and_counted(checkpoint: Callable, name: str) -> None:
    tokenizer = _opened(checkpoint(name))
    frame = len(encode(tokenizer, [""], "source", max_length=256)[0])
    sentences = ["no " * 40, "sí", "ñandú " * 3]
    rows = encode(tokenizer, sentences, "source", max_length=frame + 20)
    assert all(len(row) <= frame + 20 for row in rows)
    assert rows[0][-3:] == rows[1][-3:]
    lost = losses(tokenizer, sentences, rows, "source", max_length=frame + 20)
    assert [(own.truncated, own.unknown) for own in lost] == [(True, 0), (False, 0), (len(rows[2]) > frame + 20, 0)]
    with pytest.raises(UserError, match="The prompt alone has more than 5 tokens"):
        encode(tokenizer, ["sí"], "source", max_length=5)


@FAMILY
def test_labels_are_the_targets_alone_where_they_are_predicted(checkpoint: Callable, name: str) -> None:
    """The mean over them is what transformers computes of a whole text whose prompt it is told to ignore."""
    folder = checkpoint(name)
    tokenizer, model = _opened(folder), load_base(folder).eval()
    special_tokens = special_tokens_of(tokenizer, model.config)
    sources, targets = _rows(tokenizer, 5)
    inputs = dict(model_inputs(sources, targets, special_tokens=special_tokens))
    assert [row[row != IGNORED].tolist() for row in inputs["labels"]] == [row.tolist() for row in targets]
    assert inputs["attention_mask"].sum(dim=1).tolist() == [
        len(source) + len(target) - 1 for source, target in zip(sources, targets, strict=True)
    ]
    ours = _loss(model, inputs)
    whole, of_tokens = 0.0, sum(map(len, targets))
    for source, target in zip(sources, targets, strict=True):
        text = torch.cat([source, target])[None]
        labels = text.clone()
        labels[:, : len(source)] = IGNORED
        with torch.no_grad():
            whole += float(model(input_ids=text, labels=labels).loss) * len(target)
    assert ours == pytest.approx(whole / of_tokens, rel=1e-5)


def _loss(model: nn.Module, inputs: dict[str, torch.Tensor]) -> float:
    given = {**inputs, TARGET_POSITIONS: target_positions(inputs["labels"])}
    return float(likelihood.backward(model, given, LossOptions(0.0), target_tokens(inputs)))


@pytest.mark.parametrize("name", ["llama", "gemma2"])
def test_the_loss_in_chunks_is_the_same(checkpoint: Callable, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Gemma 2 bends its logits behind the output projection."""
    folder = checkpoint(name)
    tokenizer, model = _opened(folder), load_base(folder)
    inputs = dict(model_inputs(*_rows(tokenizer, 5), special_tokens=special_tokens_of(tokenizer, model.config)))
    found = []
    for most in (chunked_loss.MOST_LOGITS, 5 * model.config.vocab_size):
        monkeypatch.setattr(chunked_loss, "MOST_LOGITS", most)
        model.zero_grad()
        loss = _loss(model, inputs)
        found.append((loss, {key: weight.grad.clone() for key, weight in model.named_parameters()}))
    (plain, gradients), (chunked, in_chunks) = found
    assert chunked == pytest.approx(plain, rel=1e-5)
    for key, gradient in gradients.items():
        torch.testing.assert_close(in_chunks[key], gradient, rtol=1e-4, atol=1e-6, msg=key)


@pytest.mark.parametrize("search", SEARCHES, ids=["greedy", "beam"])
@FAMILY
def test_search_is_the_models_own_generate(checkpoint: Callable, name: str, search: DecodingOptions) -> None:
    """A batch with padding finds what `generate` finds for each prompt alone."""
    prepare_torch(1)
    folder = checkpoint(name)
    tokenizer, model = _opened(folder), load_base(folder).eval()
    plain = AutoModelForCausalLM.from_pretrained(folder).eval()
    special_tokens = special_tokens_of(tokenizer, model.config)
    sources, _ = _rows(tokenizer, 6)
    found = translate(model, sources, search, special_tokens=special_tokens)
    assert len({tuple(tokens) for tokens in found}) > 2
    limits = length_limits(search, np.array([len(row) for row in sources]), special_tokens)
    banned = [[token] for token in special_tokens.forbidden.tokens]
    for source, tokens, limit in zip(sources, found, limits, strict=True):
        own = plain.generate(
            input_ids=source[None],
            attention_mask=torch.ones_like(source[None]),
            num_beams=search.beam_size,
            length_penalty=search.length_penalty,
            early_stopping=False,
            forced_eos_token_id=special_tokens.end,
            eos_token_id=list(special_tokens.ends),
            pad_token_id=special_tokens.pad,
            bad_words_ids=banned or None,
            do_sample=False,
            max_new_tokens=int(limit) + 1,
        )[0, len(source) :].tolist()
        ends = [place for place, token in enumerate(own) if token in special_tokens.ends]
        assert tokens == own[: ends[0]]


@FAMILY
def test_the_cache_changes_nothing(checkpoint: Callable, name: str) -> None:
    prepare_torch(1)
    folder = checkpoint(name)
    tokenizer, model = _opened(folder), load_base(folder).eval()
    special_tokens = special_tokens_of(tokenizer, model.config)
    sources, _ = _rows(tokenizer, 4)
    for source, tokens in zip(
        sources, translate(model, sources, SEARCHES[0], special_tokens=special_tokens), strict=True
    ):
        text = torch.cat([source, torch.tensor(tokens, dtype=torch.long)])[None]
        with torch.no_grad():
            logits = model(input_ids=text, use_cache=False).logits[0, len(source) - 1 :]
        logits[:, list(special_tokens.forbidden.tokens)] = -torch.inf
        assert logits.argmax(dim=-1)[: len(tokens)].tolist() == tokens


def test_every_token_of_generation_config_ends_a_hypothesis(checkpoint: Callable) -> None:
    folder = checkpoint("qwen2")
    tokenizer, model = _opened(folder), load_base(folder).eval()
    special_tokens = special_tokens_of(tokenizer, model.config)
    names = tokenizer.pretrained.convert_ids_to_tokens(list(special_tokens.ends))
    assert names == ["<|end|>", "</s>"]
    output = model.get_output_embeddings()
    for end in special_tokens.ends:
        towards = output.register_forward_hook(
            lambda module, given, logits, end=end: logits.index_fill(-1, torch.tensor([end]), 1e4)
        )
        for search in SEARCHES:
            assert translate(model, _rows(tokenizer, 2)[0], search, special_tokens=special_tokens) == [[], []]
        towards.remove()


def test_a_model_without_padding_pads_with_its_end_and_learns_it_as_an_end(checkpoint: Callable) -> None:
    folder = checkpoint("llama")
    tokenizer, model = _opened(folder), load_base(folder).eval()
    special_tokens = special_tokens_of(tokenizer, model.config)
    assert model.config.pad_token_id is None
    assert special_tokens.pad == special_tokens.end
    sources, targets = _rows(tokenizer, 4)
    labels = model_inputs(sources, targets, special_tokens=special_tokens)["labels"]
    assert [int((row == special_tokens.end).sum()) for row in labels] == [1] * 4


WRONG = {
    "another type": ({"model_type": "gemma3"}, r"says model_type 'gemma3', which is not supported"),
    "quantised": ({"quantization_config": {"bits": 4}}, r"'quantization_config' says that its weights are quantised"),
    "no end": ({"eos_token_id": None}, r"names an end of a text"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_folder_that_can_not_be_read_as_it_is_meant_is_refused(tmp_path: Path, case: str) -> None:
    changed, said = WRONG[case]
    folder = build_checkpoint("llama", tmp_path / "wrong")
    write_record(folder / "config.json", {**read_json(folder / "config.json"), **changed})
    if case == "no end":
        described = {key: own for key, own in read_json(folder / "tokenizer_config.json").items() if key != "eos_token"}
        write_record(folder / "tokenizer_config.json", described)
        (folder / "generation_config.json").unlink()
    with pytest.raises(UserError, match=said):
        take_in_folder({"step_version": 1, "path": str(folder)}, record=tmp_path / "mine/base.json")


def test_each_side_has_half_of_the_positions(checkpoint: Callable) -> None:
    shape = read_shape(json.loads((checkpoint("llama") / "config.json").read_text(encoding="utf-8")))
    assert (shape.max_positions, shape.positions_of_side) == (512, 256)


REFUSED = {
    "extend": ({"extend": {"model": "llama", "languages": {"kl": {}}}}, "vocabulary and layers stay as they"),
    "trim": ({"trim": {"model": "llama", "entries": 100, "pairs": ["es-en"]}}, "vocabulary and layers stay as they"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_no_other_model_is_made_from_one(checkpoint: Callable, case: str) -> None:
    model, said = REFUSED[case]
    given = {"models": {"llama": {"path": str(checkpoint("llama"))}, "other": model}}
    with pytest.raises(UserError, match=said):
        validate(merge(DEFAULT, given))


METHODS = {
    "adalink": {"method": "adalink", "learning_rate": 0.01},
    "encoder_adapter": {"method": "adapter", "side": "encoder", "learning_rate": 0.01},
    "cross_prefix": {"method": "prefix", "attentions": ["cross"], "learning_rate": 0.01},
    "encoder": {"method": "part", "part": "encoder", "learning_rate": 0.01},
    "unlikely": {"method": "lora", "losses": ["unlikelihood"], "learning_rate": 0.01},
}


@pytest.mark.parametrize("method", METHODS)
def test_what_needs_an_encoder_is_refused_by_name(checkpoint: Callable, method: str) -> None:
    study = {
        "figure": "budgets",
        "models": ["llama"],
        "pairs": ["es-en"],
        "sizes": ["n400"],
        "methods": [method],
        "budgets": ["b10"],
        "seeds": [1],
    }
    given = {
        "models": {"llama": {"path": str(checkpoint("llama"))}},
        "methods": {method: METHODS[method]},
        "studies": {"own": study},
    }
    why = "whose 'losses' need a model with an encoder" if method == "unlikely" else "has neither an encoder nor cross-"
    with pytest.raises(UserError, match=f"'studies.own.methods' names '{method}'.*{why}"):
        validate(merge(DEFAULT, given))
    # A model of a hub is known only once it is fetched, so that its training looks as well.
    options = options_of({key: own for key, own in METHODS[method].items() if key != "learning_rate"})
    shape = read_shape(read_json(checkpoint("llama") / "config.json"))
    with pytest.raises(UserError, match=r"has nothing to train in this model|need a model with an encoder"):
        count_trained(options, shape, budget=0.1)

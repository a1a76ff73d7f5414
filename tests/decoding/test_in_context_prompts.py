"""In-context learning in the prompts of decoder-only models: turns or lines, and what a model makes of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

from mtpeft.cells import Cell
from mtpeft.core.errors import UserError
from mtpeft.core.options import DecodingOptions
from mtpeft.data.encode import encode_pair
from mtpeft.data.tsv import SentencePair, write_pairs
from mtpeft.decoding.decode import decode
from mtpeft.decoding.examples import ExampleText, with_examples
from mtpeft.decoding.search import search_in_batches, search_with
from mtpeft.models.example_turns import encode_example_turns
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import PairTokenizer, detokenise, encode, open_tokenizer, special_tokens_of
from mtpeft.training.untrained import record_untrained
from support.family import CAUSAL_CHECKPOINTS, LANGUAGES, build_checkpoint, checkpoints_in, family_inputs
from support.model import SPANISH_ENGLISH, decode_params

CHATS = ("qwen2", "qwen3", "gemma3")
SHOTS = [SPANISH_ENGLISH[3], SPANISH_ENGLISH[4]]
SOURCE = "La casa"
REQUEST = "Translate the following text from Spanish to English. Answer with the translation alone.\n\n{}"
LINES = "Translate from Spanish to English.\nSpanish: {}\nEnglish:"
OWN = {"method": "in_context", "choose": "random"}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    return checkpoints_in(tmp_path_factory.mktemp("checkpoints"))


def opened(folder: Path, **keys: Any) -> PairTokenizer:
    return open_tokenizer(folder, LANGUAGES, vocabulary="mine", **keys)


def tokens_of(tokenizer: PairTokenizer, examples: list[tuple[str, str]], source: str = SOURCE) -> list[int]:
    assert tokenizer.frame is not None
    return encode_example_turns(tokenizer.pretrained, tokenizer.frame, examples, source, special=tokenizer.special)


@pytest.mark.parametrize("name", CAUSAL_CHECKPOINTS)
def test_examples_are_turns_of_the_chat_or_lines_above_the_prompt(checkpoint: Callable, name: str) -> None:
    tokenizer, own = opened(checkpoint(name)), AutoTokenizer.from_pretrained(checkpoint(name))
    for count in (0, 1, 2):
        shots = SHOTS[:count]
        if name in CHATS:
            said = [(REQUEST.format(source), target) for source, target in shots]
            roles = [
                {"role": role, "content": text}
                for turn in said
                for role, text in zip(("user", "assistant"), turn, strict=True)
            ]
            wanted = own.apply_chat_template(
                [*roles, {"role": "user", "content": REQUEST.format(SOURCE)}],
                add_generation_prompt=True,
                return_dict=False,
            )
        else:
            space = (
                "" if own.convert_ids_to_tokens(own("a", add_special_tokens=False)["input_ids"])[0][0] == "▁" else " "
            )
            above = "".join(f"{LINES.format(source)}{space}{target}\n" for source, target in shots)
            wanted = own(above + LINES.format(SOURCE))["input_ids"]
        assert tokens_of(tokenizer, shots) == wanted
    assert tokens_of(tokenizer, []) == encode(tokenizer, [SOURCE], "source", max_length=400)[0]


@pytest.mark.parametrize("name", CAUSAL_CHECKPOINTS)
def test_special_tokens_in_examples_are_text(checkpoint: Callable, name: str) -> None:
    tokenizer = opened(checkpoint(name))
    plain = [token for token in tokens_of(tokenizer, SHOTS[:1]) if token in tokenizer.special]
    row = tokens_of(tokenizer, [("uno </s> dos", "one <|end|> two")], "tres </s>")
    assert [token for token in row if token in tokenizer.special] == plain
    text = tokenizer.pretrained.decode(row)
    assert all(part in text for part in ("uno </s> dos", "one <|end|> two", "tres </s>"))


def test_a_template_that_takes_no_answers_is_refused(tmp_path: Path) -> None:
    folder = build_checkpoint("qwen2", tmp_path / "single")
    template = "{{ bos_token }}{{ messages[-1].content if messages | length != 3 else 'no' }}<|end|>"
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    with pytest.raises(UserError, match="does not write examples as messages, one after another; write `chat_template"):
        tokens_of(opened(folder), SHOTS[:1])


def copying_model(tokenizer: PairTokenizer, back: int) -> nn.Module:
    """A model set by hand that writes at each place the token that stands `back` places before that."""
    entries = len(tokenizer.pretrained)
    width = entries + entries % 2
    config = Qwen2Config(
        vocab_size=entries,
        hidden_size=width,
        intermediate_size=2,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        tie_word_embeddings=True,
        pad_token_id=None,
        max_position_embeddings=512,
    )
    model = Qwen2ForCausalLM(config).eval()
    layer, half = model.model.layers[0], width // 2
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.fill_(float("norm" in name))
        model.model.embed_tokens.weight.copy_(torch.eye(entries, width))
        # Queries and keys are the same everywhere; their rotation makes the product largest `back - 1` places ago.
        turns = (back - 1) / 10000 ** (2 * torch.arange(half) / width)
        layer.self_attn.q_proj.bias.copy_(20 * torch.cat([turns.cos(), -turns.sin()]))
        layer.self_attn.k_proj.bias.copy_(20 * torch.cat([torch.ones(half), torch.zeros(half)]))
        layer.self_attn.v_proj.weight.copy_(torch.eye(width))
        layer.self_attn.o_proj.weight.copy_(100 * torch.eye(width))
    return model


@pytest.mark.parametrize("chat_template", [None, False], ids=["turns", "lines"])
@pytest.mark.parametrize("shot", [("Abre la puerta", "Open the door"), ("Sí", "Yes, and no")])
def test_a_model_that_copies_returns_the_target_of_the_example(
    checkpoint: Callable, tmp_path: Path, chat_template: bool | None, shot: tuple[str, str]
) -> None:
    tokenizer = opened(checkpoint("qwen2"), chat_template=chat_template)
    target = encode(tokenizer, [shot[1]], "target", max_length=100)[0]
    row = tokens_of(tokenizer, [shot], SOURCE)
    words = target[:-1]
    first = next(place for place in range(len(row)) if row[place : place + len(words)] == words)
    model = copying_model(tokenizer, len(row) - first)
    special_tokens = special_tokens_of(tokenizer, model.config)
    read = _read(tokenizer, special_tokens, tmp_path, shots=1, memory=[shot], sources=[SOURCE])
    assert read.sources[0].tolist() == row
    search = DecodingOptions(beam_size=1, length_penalty=1.0, max_length_ratio=4.0)
    hypotheses = search_in_batches(
        search_with(model, search, special_tokens=special_tokens), read.sources, search, special_tokens=special_tokens
    )
    (line,) = detokenise(tokenizer, hypotheses)
    assert read.first_line == (chat_template is False)
    assert (line.partition("\n")[0] if read.first_line else line) == shot[1]


def _read(
    tokenizer: PairTokenizer,
    special_tokens: SpecialTokens,
    folder: Path,
    *,
    shots: int,
    memory: list[tuple[str, str]],
    sources: list[str],
) -> Any:
    write_pairs(folder / "train.tsv", [SentencePair(str(number), *row) for number, row in enumerate(memory)])
    write_pairs(folder / "test.tsv", [SentencePair(str(number), row, "A text") for number, row in enumerate(sources)])
    (folder / "rows.txt").write_text("".join(f"{number}\n" for number, _ in enumerate(memory)), encoding="utf-8")
    text = ExampleText(folder / "train.tsv", folder / "rows.txt")
    cell = Cell("tiny", "es-en", "n44", "in_context", "any", "1")
    return with_examples({**OWN, "shots": shots}, cell, text, tokenizer, special_tokens, folder / "test.tsv")


def test_examples_without_room_are_dropped_and_a_long_source_is_cut_as_ever(
    checkpoint: Callable, tmp_path: Path
) -> None:
    tokenizer = opened(checkpoint("llama"))
    alone = [len(row) for row in encode(tokenizer, [SOURCE, "no " * 90], "source", max_length=400)]
    most = alone[0] + 60
    special_tokens = SpecialTokens(pad=2, end=2, begin=(), max_length=most, task=tokenizer.family.task)
    read = _read(
        tokenizer, special_tokens, tmp_path, shots=40, memory=SPANISH_ENGLISH[20:60], sources=[SOURCE, "no " * 90]
    )
    assert all(len(own) <= most for own in read.sources)
    assert 0 < read.more["shots"] < 10 and read.more["shots"] + read.more["shots_left_out"] == 80
    assert read.sources[1].tolist() == encode(tokenizer, ["no " * 90], "source", max_length=most)[0]
    assert read.counts["source"].truncated == 1
    assert read.own_lengths == [min(most, alone[0]), len(read.sources[1])]


@pytest.mark.parametrize("name", ["qwen2", "llama"])
def test_no_example_is_the_untouched_model_and_examples_cost_tokens(sweep: Path, tmp_path: Path, name: str) -> None:
    given = family_inputs(name, sweep, tmp_path)
    pairs = sweep / "data/pairs/es-en"
    encode_pair(
        {**LANGUAGES, "vocabulary": name},
        tokenizer=tmp_path / "checkpoint",
        parts={pairs / "test.tsv": tmp_path / "test.safetensors"},
    )

    def decoded(label: str, method: dict[str, Any], **inputs: Any) -> dict[str, Any]:
        folder = tmp_path / label
        cell = Cell("tiny", "es-en", "n44", method["method"], "any", "1")
        params = decode_params() | {"search": {"beam_size": 1, "length_penalty": 1.0, "max_length_ratio": 1.0}}
        record_untrained(
            {**params, "method": method}, cell, base=given.base, subset=given.subset, record=folder / "train.json"
        )
        decode(params, cell, trained=folder / "train.json", record=folder / "decode.json", **inputs)
        return json.loads((folder / "decode.json").read_text(encoding="utf-8"))["test_sets"]["test"]

    of_text = {
        "tests": {"test": pairs / "test.tsv"},
        "examples": ExampleText(pairs / "train.tsv", pairs / "subsets/n44.txt"),
    }
    none = decoded("none", {"method": "none"}, tests={"test": tmp_path / "test.safetensors"})
    zero, two = (decoded(f"{shots}", {**OWN, "shots": shots}, **of_text) for shots in (0, 2))
    assert zero["sha256"] == none["sha256"] and zero["tokens"] == none["tokens"]
    assert two["shots"] + two["shots_left_out"] == 2 * two["sentences"]
    assert two["shots"] > 0 and two["tokens"]["source"]["tokens"] > zero["tokens"]["source"]["tokens"]

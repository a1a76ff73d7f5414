"""In-context learning: which examples are chosen, what the model reads, and that no example is the untouched model."""

import json
from pathlib import Path
from typing import Any

import pytest

from mtpeft.cells import Cell
from mtpeft.data.similarity import nearest_of, nearest_references
from mtpeft.data.tsv import SentencePair
from mtpeft.decoding.decode import decode
from mtpeft.decoding.examples import ExampleText
from mtpeft.decoding.in_context import chooser, matches_before, prompted
from mtpeft.training.untrained import record_untrained
from support.model import SPANISH_ENGLISH, arrays, decode_params

MEMORY = [SentencePair(str(number), source, target) for number, (source, target) in enumerate(SPANISH_ENGLISH[20:])]
SOURCES = ["El archivo no se pudo abrir", "Cierra la puerta del garaje"]


def texts(choose: str, shots: int, *, seed: int = 1, max_length: int = 1000) -> Any:
    return prompted(
        SOURCES,
        MEMORY,
        chooser(choose, shots, seed=seed),
        join=matches_before,
        length=lambda text: len(text.split()),
        max_length=max_length,
    )


def test_the_nearest_is_the_one_of_retrieval_and_stands_next_to_the_source() -> None:
    sources = [pair.source for pair in MEMORY]
    first = nearest_references(SOURCES, sources)
    ranked = nearest_of(SOURCES, sources, 3)
    assert ranked[:, 0].tolist() == first.tolist()
    assert all(len(set(row)) == 3 for row in ranked.tolist())
    found = texts("nearest", 2)
    for source, text, row in zip(SOURCES, found.sources, ranked, strict=True):
        assert text == f"{MEMORY[row[1]].target} {MEMORY[row[0]].target} {source}"


@pytest.mark.parametrize("count", [0, 1, 5, 100])
def test_there_are_as_many_as_there_can_be(count: int) -> None:
    found = nearest_of(SOURCES, [pair.source for pair in MEMORY], count)
    assert found.shape == (len(SOURCES), min(count, len(MEMORY)))
    assert texts("nearest", count).shots == [min(count, len(MEMORY))] * len(SOURCES)


def test_equals_come_in_their_order_whatever_the_blocks_are(monkeypatch: pytest.MonkeyPatch) -> None:
    references = ["abcde", "vwxyz", "abcde", "abcd", "abcde"]
    whole = nearest_of(["abcde"], references, 4)
    monkeypatch.setattr("mtpeft.data.similarity.REFERENCES_AT_ONCE", 2)
    assert whole.tolist() == nearest_of(["abcde"], references, 4).tolist() == [[0, 2, 4, 3]]


def test_random_examples_are_those_of_the_seed_and_the_same_before_all_sources() -> None:
    first, second = (texts("random", 2, seed=seed).sources for seed in (1, 2))
    assert first == texts("random", 2, seed=1).sources
    assert first != second
    before = {text.removesuffix(source) for text, source in zip(first, SOURCES, strict=True)}
    assert len(before) == 1


def test_an_example_that_has_no_room_is_dropped_and_the_source_is_whole() -> None:
    found = texts("nearest", 5, max_length=14)
    assert all(0 < shots < 5 for shots in found.shots)
    assert all(len(text.split()) <= 14 for text in found.sources)
    assert all(text.endswith(source) for text, source in zip(found.sources, SOURCES, strict=True))


def decoded(sweep: Path, folder: Path, method: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    base, pairs = sweep / "results/models/tiny/base.json", sweep / "data/pairs/es-en"
    subset = pairs / "subsets/n44.txt"
    cell = Cell("tiny", "es-en", "n44", method["method"], "any", "1")
    record_untrained(
        {**decode_params(), "method": method}, cell, base=base, subset=subset, record=folder / "train.json"
    )
    decode(decode_params(), cell, trained=folder / "train.json", record=folder / "decode.json", **inputs)
    return json.loads((folder / "decode.json").read_text(encoding="utf-8"))["test_sets"]["test"]


def test_no_example_is_the_untouched_model_and_examples_cost_tokens(sweep: Path, tmp_path: Path) -> None:
    pairs = sweep / "data/pairs/es-en"
    of_text = {
        "tests": {"test": pairs / "test.tsv"},
        "examples": ExampleText(pairs / "train.tsv", pairs / "subsets/n44.txt"),
    }
    none = decoded(sweep, tmp_path / "none", {"method": "none"}, tests={"test": arrays(sweep, "test")})
    own = {"method": "in_context", "choose": "nearest"}
    zero, two = (decoded(sweep, tmp_path / f"{n}", {**own, "shots": n}, **of_text) for n in (0, 2))
    assert zero["sha256"] == none["sha256"]
    assert zero["tokens"] == none["tokens"]
    assert two["shots"] + two["shots_left_out"] == 2 * two["sentences"]
    assert two["tokens"]["source"]["tokens"] > zero["tokens"]["source"]["tokens"]

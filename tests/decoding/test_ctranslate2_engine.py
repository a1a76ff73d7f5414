"""CTranslate2 as an engine: it finds what our own search finds, and what it can't do is refused."""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch

from mtpeft.core.errors import UserError
from mtpeft.core.files import read_lines, read_record
from mtpeft.core.options import DecodingOptions
from mtpeft.decoding.ctranslate2_engine import open_engine
from mtpeft.decoding.decode import decode
from mtpeft.decoding.search import count_at_limit, search_in_batches, translate
from mtpeft.models.load import load_base, prepare_torch
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import PairTokenizer, encode, open_tokenizer, special_tokens_of
from mtpeft.training.untrained import record_untrained
from support.family import CHECKPOINTS, LANGUAGES, build_checkpoint
from support.model import SPANISH_ENGLISH, arrays, cell, decode_params, train_cell, train_params
from support.record import schema_mistakes

SHIPPED = Path(__file__).parents[2] / "workflow" / "models"
TRAINED = ("small", "large", "denoiser")
CONVERTED = [name for name in CHECKPOINTS if name != "student"]
TEXT = [row[0] for row in SPANISH_ENGLISH]
ALIKE = 0.9
"""Share of hypotheses of beam search that are ours: of 600 it was 0.94 to 1."""
ALIKE_IN_8_BITS = 0.5
"""The same of greedy search with weights of 8 bits: of 600 it was 0.81."""


@dataclass(frozen=True)
class Task:
    """A model in a folder with sentences to translate."""

    folder: Path
    tokenizer: PairTokenizer
    special_tokens: SpecialTokens
    sources: list[torch.Tensor]

    @classmethod
    def of(cls, folder: Path) -> "Task":
        """The Spanish sentences of any part."""
        tokenizer = open_tokenizer(folder, LANGUAGES, vocabulary=folder.name)
        special_tokens = special_tokens_of(tokenizer, load_base(folder).config)
        rows = [torch.tensor(row) for row in encode(tokenizer, TEXT, "source", max_length=60)]
        return cls(folder, tokenizer, special_tokens, rows)

    @cached_property
    def model(self) -> torch.nn.Module:
        """The model for our search."""
        return load_base(self.folder).eval()

    def ours(self, search: DecodingOptions) -> list[list[int]]:
        """The hypotheses of our search."""
        return translate(self.model, self.sources, search, special_tokens=self.special_tokens)

    def theirs(self, search: DecodingOptions, scratch: Path, bits: int | None = None) -> list[list[int]]:
        """The hypotheses of CTranslate2, for which the model is converted anew."""
        told = {"bits": bits, "device": torch.device("cpu"), "threads": 1, "scratch": scratch}
        own = {"tokenizer": self.tokenizer, "special_tokens": self.special_tokens}
        engine = open_engine(load_base(self.folder), search, **own, **told)
        assert [*scratch.iterdir()] == []
        return search_in_batches(engine, self.sources, search, special_tokens=self.special_tokens)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Task]:
    """A trained model or a random one of a family, made once."""
    prepare_torch(1)
    made: dict[str, Task] = {}

    def of(name: str) -> Task:
        if name not in made:
            folder = SHIPPED / name if name in TRAINED else build_checkpoint(name, tmp_path_factory.mktemp(name))
            made[name] = Task.of(folder)
        return made[name]

    return of


def share(found: list[list[int]], expected: list[list[int]]) -> float:
    """The share of hypotheses that are the same."""
    return fmean(one == other for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", [*TRAINED, *CONVERTED])
def test_greedy_search_finds_what_ours_finds(task: Callable[[str], Task], tmp_path: Path, name: str) -> None:
    one, search = task(name), DecodingOptions(max_length_ratio=1.0)
    expected = one.ours(search)
    assert one.theirs(search, tmp_path) == expected
    assert len({tuple(tokens) for tokens in expected}) > 5


@pytest.mark.parametrize(("beam_size", "length_penalty"), [(2, 1.0), (4, 1.0), (4, 0.6), (4, 0.0)])
@pytest.mark.parametrize("name", TRAINED)
def test_beam_search_finds_most_of_what_ours_finds(
    task: Callable[[str], Task], tmp_path: Path, name: str, beam_size: int, length_penalty: float
) -> None:
    one, search = task(name), DecodingOptions(beam_size=beam_size, length_penalty=length_penalty)
    assert share(one.theirs(search, tmp_path), one.ours(search)) >= ALIKE


def test_weights_of_8_bits_find_much_of_it(task: Callable[[str], Task], tmp_path: Path) -> None:
    one, search = task("large"), DecodingOptions()
    assert ALIKE_IN_8_BITS < share(one.theirs(search, tmp_path, bits=8), one.ours(search)) < 1


@pytest.mark.parametrize("beam_size", [1, 4])
def test_every_hypothesis_ends_at_its_own_limit(task: Callable[[str], Task], tmp_path: Path, beam_size: int) -> None:
    one, search = task("nllb"), DecodingOptions(beam_size=beam_size, max_length_ratio=0.3)
    found, lengths = one.theirs(search, tmp_path), np.array([len(source) for source in one.sources])
    assert count_at_limit(search, found, lengths, one.special_tokens) > len(found) / 2
    assert len({len(tokens) for tokens in found}) > 2
    assert [len(tokens) for tokens in found] == [len(tokens) for tokens in one.ours(search)]


@pytest.mark.parametrize("name", ["small", "marian", "t5"])
def test_forbidden_tokens_are_obeyed(task: Callable[[str], Task], tmp_path: Path, name: str) -> None:
    one, search = task(name), DecodingOptions(max_length_ratio=1.0)
    plain = one.ours(search)
    (word, _) = Counter(token for tokens in plain for token in tokens).most_common(1)[0]
    (pair, _) = Counter(pair for tokens in plain for pair in pairwise(tokens)).most_common(2)[-1]
    own = one.special_tokens
    more = replace(own.forbidden, tokens=(*own.forbidden.tokens, word), sequences=(pair,))
    told = replace(one, special_tokens=replace(own, forbidden=more))
    assert told.ours(search) != plain
    assert told.theirs(search, tmp_path) == told.ours(search)


REFUSED = {
    "a student": (
        "student",
        {},
        "can't convert this model of the family Marian student .*; take 'decoding.engine' out",
    ),
    "a first word": ("nllb", {"first": (300,)}, "'begin_suppress_tokens'.*; take 'decoding.engine' out"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_it_can_not_do_is_refused(task: Callable[[str], Task], tmp_path: Path, case: str) -> None:
    name, forbidden, expected = REFUSED[case]
    one = task(name)
    own = one.special_tokens
    told = replace(one, special_tokens=replace(own, forbidden=replace(own.forbidden, **forbidden)))
    with pytest.raises(UserError, match=expected):
        told.theirs(DecodingOptions(), tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_it_has_to_be_installed(task: Callable[[str], Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(UserError, match=r"'decoding.engine' is .*not installed; run `pip install -r envs/ctransl"):
        task("nllb").theirs(DecodingOptions(), tmp_path)


@pytest.mark.parametrize("method", ["lora", "full", "none"])
def test_a_cell_is_decoded_and_its_record_names_the_engine(sweep: Path, tmp_path: Path, method: str) -> None:
    trained = _trained(sweep, tmp_path / "cell", method)
    found: dict[str, list[str]] = {}
    for engine, inference in {"torch": {}, "ctranslate2": {"inference": {"engine": "ctranslate2"}}}.items():
        record = tmp_path / engine / "decode.json"
        params = decode_params() | inference
        decode(params, cell("lora"), trained=trained, tests={"test": arrays(sweep, "test")}, record=record)
        assert schema_mistakes(record, "decode") == []
        assert ("ctranslate2" in read_record(record)["versions"]) == (engine == "ctranslate2")
        found[engine] = read_lines(record.parent / "hypotheses/test.txt")
    assert found["ctranslate2"] == found["torch"]
    assert len(set(found["torch"])) > 3


def _trained(sweep: Path, folder: Path, method: str) -> Path:
    """The record of a cell of the tiny sweep."""
    if method != "none":
        return train_cell(sweep, folder, train_params(method, learning_rate=0.01))
    base = sweep / "results/models/tiny/base.json"
    record_untrained({"method": {"method": method}}, cell(method), base=base, subset=None, record=folder / "train.json")
    return folder / "train.json"

"""Our beam search finds what transformers' `generate` finds, and computes less for it.

Both are given the same batch. Scores that differ by less than rounding could be ranked in another way; in these
sentences none are.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtpeft.core.options import DecodingOptions
from mtpeft.decoding.search import count_at_limit, translate
from mtpeft.models.load import load_base, prepare_torch
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import encode, open_tokenizer, special_tokens_of
from support.beam import generated
from support.family import CHECKPOINTS, LANGUAGES, build_checkpoint
from support.method import TWO_STACKS, Subject, sources, write_base
from support.method_cases import CASES
from support.model import SPANISH_ENGLISH

SHIPPED = Path(__file__).parents[2] / "workflow" / "models"
TRAINED = {"small": "es", "large": "es", "denoiser": "es", "shallow": "pt"}
"""Models that come with the project, with the language that they translate from."""
TEXT = [row[0] for row in SPANISH_ENGLISH[:14]] + ["Reinicia el ordenador para continuar. " * 4, "Sí"]
ENDING = slice(100, 120)
"""Tokens of a few words."""
SEARCHES = [(2, 1.0), (4, 1.0), (4, 0.6), (4, 0.0), (7, 2.0), (2, -0.5)]
"""Beam sizes and length penalties."""
METHODS = ("prefix", "network_prefix", "sequence_prefix", "prefix_then_lora", "mam", "prompt", "adapter", "lora")


@dataclass(frozen=True)
class Task:
    """A model with the sentences of one batch."""

    model: torch.nn.Module
    sources: list[torch.Tensor]
    special_tokens: SpecialTokens

    def found(self, search: DecodingOptions) -> list[list[int]]:
        """The hypotheses of our search."""
        return translate(self.model, self.sources, search, special_tokens=self.special_tokens)

    def generated(self, search: DecodingOptions) -> list[list[int]]:
        """Those of transformers."""
        return generated(self.model, self.sources, search, special_tokens=self.special_tokens)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Task]:
    """A trained model, or a random one of a family that ends some sentences."""
    prepare_torch(1)
    made: dict[str, Task] = {}

    def of(name: str) -> Task:
        if name not in made:
            is_trained = name in TRAINED
            folder = SHIPPED / name if is_trained else build_checkpoint(name, tmp_path_factory.mktemp(name))
            languages = {**LANGUAGES, "source": TRAINED.get(name, "es")}
            tokenizer, model = open_tokenizer(folder, languages, vocabulary=name), load_base(folder).eval()
            special_tokens = special_tokens_of(tokenizer, model.config)
            rows = [torch.tensor(row) for row in encode(tokenizer, TEXT, "source", max_length=60)]
            made[name] = Task(model, rows, special_tokens)
            if not is_trained:
                _let_it_end(model, special_tokens.end)
        return made[name]

    return of


def _let_it_end(model: torch.nn.Module, end: int) -> None:
    """Have a random model end a sentence wherever it would say one of a few words."""

    def as_likely(module: torch.nn.Module, given: Any, logits: torch.Tensor) -> torch.Tensor:
        logits = logits.clone()
        logits[..., end] = logits[..., ENDING].amax(-1) + 0.1
        return logits

    model.get_output_embeddings().register_forward_hook(as_likely)


@pytest.mark.parametrize(("beam_size", "length_penalty"), SEARCHES)
@pytest.mark.parametrize("name", [*TRAINED, *CHECKPOINTS])
def test_hypotheses_are_those_of_generate(
    task: Callable[[str], Task], name: str, beam_size: int, length_penalty: float
) -> None:
    search = DecodingOptions(beam_size=beam_size, length_penalty=length_penalty, max_length_ratio=1.0)
    found = task(name).found(search)
    assert found == task(name).generated(search)
    assert len({tuple(tokens) for tokens in found}) > 2


@pytest.mark.parametrize("name", ["small", "shallow", "t5_1.1", "mt5"])
def test_hypotheses_that_their_limits_end_are_those_of_generate(task: Callable[[str], Task], name: str) -> None:
    one, search = task(name), DecodingOptions(beam_size=4, length_penalty=1.0, max_length_ratio=0.05)
    found = one.found(search)
    lengths = np.array([len(source) for source in one.sources])
    assert 1 < count_at_limit(search, found, lengths, one.special_tokens) < len(found)
    assert found == one.generated(search)


@pytest.mark.parametrize("name", ["small", "shallow", "marian", "t5"])
def test_forbidden_tokens_are_those_of_generate(task: Callable[[str], Task], name: str) -> None:
    """The words that a model says most are forbidden: alone, after each other, and in the first place."""
    one, search = task(name), DecodingOptions(beam_size=4, length_penalty=1.0, max_length_ratio=1.0)
    plain = one.found(search)
    said = Counter(token for tokens in plain for token in tokens)
    pairs = Counter(pair for tokens in plain for pair in pairwise(tokens))
    (word, _), (pair, _) = said.most_common(1)[0], pairs.most_common(2)[-1]
    first = Counter(tokens[0] for tokens in plain if tokens).most_common(1)[0][0]
    own = one.special_tokens
    more = replace(own.forbidden, tokens=(*own.forbidden.tokens, word), first=(first,), sequences=(pair,))
    told = replace(one, special_tokens=replace(own, forbidden=more))
    found = told.found(search)
    assert found != plain
    assert found == told.generated(search)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny random model of a family, made once."""
    prepare_torch(1)
    made: dict[str, Path] = {}
    return lambda family: made.setdefault(family, write_base(family, tmp_path_factory.mktemp(family), layers=2))


@pytest.mark.parametrize("family", TWO_STACKS)
@pytest.mark.parametrize("method", METHODS)
def test_what_a_method_adds_is_searched_with_as_by_generate(
    base: Callable[[str], Path], method: str, family: str
) -> None:
    subject = Subject(base(family), CASES[method].options, CASES[method].share)
    one = Task(subject.trained, sources(), subject.special_tokens())
    search = DecodingOptions(beam_size=3, length_penalty=0.6, max_length_ratio=1.0)
    assert one.found(search) == one.generated(search)


@pytest.mark.parametrize("name", ["small", "shallow", "nllb"])
def test_sentences_that_are_done_leave_the_batch(task: Callable[[str], Task], name: str) -> None:
    one, search = task(name), DecodingOptions(beam_size=4, length_penalty=1.0, max_length_ratio=1.0)
    rows: list[int] = []
    hook = one.model.get_output_embeddings().register_forward_pre_hook(lambda module, given: rows.append(len(given[0])))
    one.found(search)
    ours = rows.copy()
    rows.clear()
    one.generated(search)
    hook.remove()
    assert ours[0] == len(one.sources)
    assert ours[1] == 4 * len(one.sources) == max(rows)
    assert ours[1:] == sorted(ours[1:], reverse=True)
    assert sum(ours) < 0.8 * sum(rows)

"""The length of the text of a pair in the tokens of a model: by the records of its token arrays, else by assumption."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, sqrt
from pathlib import Path
from statistics import fmean
from typing import Any

from mtpeft.config.model_shapes import model_shape
from mtpeft.config.schema import Configuration
from mtpeft.core.checksums import PARTS_RECORD
from mtpeft.core.files import read_if_whole
from mtpeft.models.operations import BatchSize
from mtpeft.steps.base_models import tokens_folder
from mtpeft.steps.decontaminate_pair import pair_folder

PAIRS_FOLDER = Path("data/pairs")
GIVEN_SENTENCES = 1000
"""Sentences that a dev or test set is taken to have which is not here yet and whose number nothing says."""
TOKENS_PER_WORD = 1.5
"""Tokens that a word is taken to have where there are no token arrays yet."""
SPECIAL_TOKENS = 1
"""Special tokens of a sentence, which records of token arrays do not count; some models have one more."""
PROMPT_TOKENS = 30
"""Tokens of the prompt of a decoder-only model, which records of token arrays do not count either, by assumption."""
LONGEST = 1.09
"""Longest row of a batch against the mean of its longer side: with batches of 512 tokens of the default study."""
PADDED = 1.15
"""Tokens with padding against those without: the same batches."""


@dataclass(frozen=True)
class Text:
    """A part of the text of a pair.

    Attributes:
        sentences: number of sentences.
        source: mean number of tokens of a source.
        target: mean number of tokens of a target.
        assumed: whether lengths or the number are taken for granted, since the text is not here yet.
        in_one_row: whether source and target stand in one row, as a decoder-only model reads them.
    """

    sentences: float
    source: float
    target: float
    assumed: bool = False
    in_one_row: bool = False

    @property
    def positions(self) -> float:
        """Mean number of tokens of a row of a batch, on the side that has more of them."""
        return self.source + self.target if self.in_one_row else max(self.source, self.target)


@lru_cache(maxsize=4096)
def text_of(configuration: Configuration, model: str, pair: str, part: str) -> Text:
    """Return the size of a part (`train`, `dev` or a test set) of a pair in the tokens of a model."""
    text, shape = _text_of(configuration, model, pair, part), model_shape(configuration, model)
    if shape is None or not shape.task.is_prompted:
        return text
    return replace(text, source=text.source + PROMPT_TOKENS, in_one_row=True)


def _text_of(configuration: Configuration, model: str, pair: str, part: str) -> Text:
    folder = Path(tokens_folder(configuration, model, pair))
    found = _recorded(folder / f"{part}.json")
    if found:
        return found
    sentences, is_known = _sentences(configuration, pair, part)
    alike = _like(folder.parent, part)
    source, target = alike or [_assumed_length(configuration, pair)] * 2
    return Text(sentences, source, target, assumed=not (alike and is_known))


def mean_text(texts: Iterable[Text]) -> Text:
    """Return the sentences of several texts together, with their mean lengths."""
    own = list(texts)
    sentences = sum(text.sentences for text in own)
    weights = [text.sentences / sentences for text in own]
    source, target = (
        sum(weight * length for weight, length in zip(weights, lengths, strict=True))
        for lengths in ([text.source for text in own], [text.target for text in own])
    )
    assumed, in_one_row = (any(getattr(text, name) for text in own) for name in ("assumed", "in_one_row"))
    return Text(sentences, source, target, assumed, in_one_row)


def text_in(counts: Iterable[dict[str, Any]]) -> Text | None:
    """Return the size of texts by their counts of tokens on each side, as records have them; None where all are empty.

    The counts are those of `mtpeft.data.token_counts`.
    """
    known = [own for own in counts if own.get("source", {}).get("sentences")]
    sentences = sum(own["source"]["sentences"] for own in known)
    if not sentences:
        return None
    source, target = (sum(own[side]["tokens"] for own in known) / sentences for side in ("source", "target"))
    return Text(sentences, source + SPECIAL_TOKENS, target + SPECIAL_TOKENS)


def update_size(text: Text, *, batch_tokens: int, pairs: float) -> BatchSize:
    """Return the mean size of a batch.

    Args:
        text: what is trained on, whose lengths count.
        batch_tokens: most padded tokens of a batch, on its longer side.
        pairs: sentence pairs of an epoch, which are cut into batches.
    """
    most = max(1.0, batch_tokens / (LONGEST * text.positions))
    rows = pairs / ceil(pairs / most)
    return BatchSize(rows, PADDED * text.source, PADDED * text.target, rows * text.target)


def _recorded(record: Path) -> Text | None:
    """Return the size of the text of token arrays by their record."""
    read = read_if_whole(record)
    return text_in([read[0].get("counts", {})]) if read else None


def _like(vocabulary: Path, part: str) -> tuple[float, float] | None:
    """Return the mean lengths of other pairs in the same tokens; None where there are none yet."""
    records = sorted(vocabulary.glob(f"*/{part}.json"))
    found = [text for text in map(_recorded, records) if text]
    return (fmean(text.source for text in found), fmean(text.target for text in found)) if found else None


def sentences_of(configuration: Configuration, pair: str, part: str) -> float:
    """Return the number of sentences of a part of a pair, which may be one of another study."""
    if pair in configuration.pairs:
        return _sentences(configuration, pair, part)[0]
    rows = (_rows(record) for record in sorted(PAIRS_FOLDER.glob(f"{pair}-*/{PARTS_RECORD}")))
    return next((own[part] for own in rows if part in own), GIVEN_SENTENCES)


def _rows(record: Path) -> Mapping[str, int]:
    """Return the number of sentences of each part of a pair by its record; empty where there is none yet."""
    read = read_if_whole(record)
    return read[0].get("rows", {}) if read else {}


def _sentences(configuration: Configuration, pair: str, part: str) -> tuple[float, bool]:
    """Return the number of sentences of a part by the record of the pair's text or by its split, and if it is known."""
    rows = _rows(Path(pair_folder(configuration, pair)) / PARTS_RECORD)
    if part in rows:
        return rows[part], True
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    if part in ("dev", "test") and part not in corpus.source.given_parts(corpus):
        return getattr(corpus.split, part), True
    return GIVEN_SENTENCES, False


def _assumed_length(configuration: Configuration, pair: str) -> float:
    """Return the tokens of a sentence: the geometric mean of the shortest and the longest that is drawn."""
    shortest, longest = configuration.corpora[configuration.pairs[pair].corpus].words
    return TOKENS_PER_WORD * sqrt(shortest * longest) + SPECIAL_TOKENS

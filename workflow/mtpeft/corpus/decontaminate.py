"""Cut one pair's clean text into its parts, and take out of each what would leak from a part that is measured on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mtpeft import records
from mtpeft.corpus import tsv
from mtpeft.corpus.similarity import max_dice, normalised
from mtpeft.corpus.split import hash_order
from mtpeft.corpus.tsv import Pair

SIDES = ("source", "target")
PARTS = ("train", "dev", "test", "pretrain")
BINS = 10
DECIMALS = 4


class Measured(NamedTuple):
    """Texts of dev or test by side: those of this pair, and of all pairs in the language that they were written in."""

    source: list[str]
    target: list[str]


class Screened(NamedTuple):
    """Rows that stay, how many each rule took, and the similarity of all rows to the first measured texts."""

    rows: list[Pair]
    taken: dict[str, int]
    similarities: np.ndarray


def split_pair(settings: Mapping[str, Any], *, cleaned: Path, split: Path, folder: Path, record: Path) -> None:
    """Write train, dev, test and pretrain of one pair as .tsv files in the folder, in the order of the ids' hashes.

    Train and pretrain lose every row that equals or nearly equals a dev or test sentence on either side, dev those of
    test, and pretrain those whose source or target occurs in train. Sentences of dev and test that this pair lacks
    count too, by their text in the language they were written in: ``written_in_side``, null where the pair lacks it.
    """
    chosen = records.read_record(split)
    drawn = _draw_parts(tsv.read_cleaned(cleaned), chosen)
    side = settings["written_in_side"]
    test = _measured(drawn["test"], chosen["texts"]["test"], side)
    limit = settings["near_duplicate"]
    dev = _screen(drawn["dev"], [test], limit)
    measured = [test, _measured(drawn["dev"], chosen["texts"]["dev"], side)]
    train = _screen(drawn["train"], measured, limit)
    pretrain = _screen(drawn["pretrain"], measured, limit)
    unseen = _without_texts_of(train.rows, pretrain.rows)
    parts = dict(zip(PARTS, (train.rows, dev.rows, drawn["test"], unseen), strict=True))
    for part, rows in parts.items():
        tsv.write_pairs(folder / f"{part}.tsv", rows)
    in_train = {"in_train": len(pretrain.rows) - len(unseen)}
    summary = {
        "settings": settings,
        "rows": {part: len(rows) for part, rows in parts.items()},
        "taken": {"train": train.taken, "dev": dev.taken, "pretrain": pretrain.taken | in_train},
        "similarity_to_test": {
            "train_before": _histogram(train.similarities),
            "train_after": _histogram(_similarity(train.rows, test)),
            "test_to_train": _rounded(_similarity(drawn["test"], _measured(train.rows, [], None))),
        },
        "sha256": {part: records.sha256_of(folder / f"{part}.tsv") for part in PARTS},
        "inputs": {"cleaned": records.sha256_of(cleaned), "split": records.sha256_of(split)},
    }
    records.write_record(record, summary)


def _draw_parts(rows: Sequence[tsv.CleanPair], chosen: Mapping[str, Any]) -> dict[str, list[Pair]]:
    part_of = {key: part for part in ("dev", "test") for key in chosen[part]}
    rest = "train"
    if chosen["tuning"] is not None:
        part_of |= dict.fromkeys(chosen["tuning"], "train")
        rest = "pretrain"
    drawn: dict[str, list[Pair]] = {part: [] for part in PARTS}
    for row in sorted(rows, key=lambda row: hash_order(row.id)):
        drawn[part_of.get(row.id, rest)].append(Pair(row.id, row.source, row.target))
    return drawn


def _measured(rows: Sequence[Pair], texts: Sequence[str], side: str | None) -> Measured:
    sides = {name: [getattr(row, name) for row in rows] for name in SIDES}
    if side is not None:
        own = set(sides[side])
        sides[side] += [text for text in texts if text not in own]
    return Measured(**sides)


def _screen(rows: Sequence[Pair], measured: Sequence[Measured], limit: float) -> Screened:
    """Rows that neither equal nor resemble a measured text on the same side."""
    similarities = [_similarity(rows, texts) for texts in measured]
    highest = np.max(similarities, axis=0)
    equal = {name: {normalised(text) for texts in measured for text in getattr(texts, name)} for name in SIDES}
    taken: Counter[str] = Counter(equal=0, near_duplicate=0)
    kept = []
    for row, similarity in zip(rows, highest, strict=True):
        if any(normalised(getattr(row, name)) in equal[name] for name in SIDES):
            taken["equal"] += 1
        elif similarity >= limit:
            taken["near_duplicate"] += 1
        else:
            kept.append(row)
    return Screened(kept, dict(taken), similarities[0])


def _similarity(rows: Sequence[Pair], measured: Measured) -> np.ndarray:
    """Greatest similarity of each row to a measured text, over both sides: shape [rows]."""
    sides = [max_dice([getattr(row, name) for row in rows], getattr(measured, name)) for name in SIDES]
    return np.maximum(*sides)


def _without_texts_of(train: Sequence[Pair], rows: Sequence[Pair]) -> list[Pair]:
    known = {name: {normalised(getattr(row, name)) for row in train} for name in SIDES}
    return [row for row in rows if not any(normalised(getattr(row, name)) in known[name] for name in SIDES)]


def _histogram(similarities: np.ndarray) -> list[int]:
    """Counts in ten equal bins from 0 to 1."""
    return np.histogram(similarities, bins=BINS, range=(0.0, 1.0))[0].tolist()


def _rounded(similarities: np.ndarray) -> list[float]:
    return [round(float(value), DECIMALS) for value in similarities]

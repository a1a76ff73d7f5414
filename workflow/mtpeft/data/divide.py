"""Cut one pair's clean text into its parts, and take out of each what would leak from a part that is measured on."""

from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mtpeft.core import files
from mtpeft.core.errors import UserError
from mtpeft.core.warnings import warn
from mtpeft.data import tsv
from mtpeft.data.similarity import max_dice, normalised
from mtpeft.data.split import GIVEN, SIDES, hash_order
from mtpeft.data.tsv import Pair

PARTS = ("train", "dev", "test", "pretrain")
BINS = 10
DECIMALS = 4
EXAMPLES = 3
MUCH = 0.1
"""Share of the training text from which on it is said on the terminal that it resembles what is measured on."""
Texts = Mapping[str, Sequence[str]]


class Measured(NamedTuple):
    """Texts of dev or test in the languages of the two sides, whichever pair they are of."""

    source: list[str]
    target: list[str]


class Screened(NamedTuple):
    """Rows that stay, how many each rule took, some of these, and similarities.

    Those of all rows are to the first measured texts, those of the rows that stay to all measured ones.
    """

    rows: list[Pair]
    taken: dict[str, int]
    examples: dict[str, list[Pair]]
    similarities: np.ndarray
    left: np.ndarray


def divide_pair(
    settings: Mapping[str, Any], *, cleaned: Path, split: Path, others: Sequence[Path], folder: Path, record: Path
) -> None:
    """Write train, dev, test and pretrain of one pair as .tsv files in the folder, in the order of the ids' hashes.

    Parts that the user gives keep all their lines in their order; how many of a given dev set resemble a test sentence
    is counted. Train and pretrain lose every row that equals or nearly equals a dev or test sentence on either side, a
    dev set that was drawn those of test, and pretrain those whose source or target occurs in train. The sentences are
    those of this pair, those of the split that it may lack, and, for train and pretrain, those of the splits of other
    corpora, since a model that is pre-trained on one corpus may be measured on another; texts are compared in the
    ``source`` and ``target`` language.
    """
    chosen = files.read_record(split)
    clean = tsv.read_cleaned(cleaned)
    drawn = _draw_parts(clean, chosen)
    limit = settings["near_duplicate"]
    test, own_dev = (_measured(drawn[part], [chosen["texts"][part]], settings) for part in ("test", "dev"))
    foreign = _measured([], [texts for other in others for texts in _texts_of(other)], settings)
    given = {row.part for row in clean} & set(GIVEN)
    dev = _screen(drawn["dev"], [test], limit)
    dev_rows = drawn["dev"] if "dev" in given else dev.rows
    train = _screen_all(drawn["train"], [test, own_dev], foreign, limit=limit)
    pretrain = _screen_all(drawn["pretrain"], [test, own_dev], foreign, limit=limit)
    if given and drawn["train"] and not train.rows:
        raise UserError(
            f"All {len(drawn['train'])} training pairs of {settings['source']}-{settings['target']} equal or nearly "
            "equal a sentence of the dev or test set: name other text for training, or leave the given set out."
        )
    unseen = _without_texts_of(train.rows, pretrain.rows)
    parts = dict(zip(PARTS, (train.rows, dev_rows, drawn["test"], unseen), strict=True))
    for part, rows in parts.items():
        tsv.write_pairs(folder / f"{part}.tsv", rows)
    warnings = list(_warnings(settings, given, train=train, dev=dev))
    in_train = {"in_train": len(pretrain.rows) - len(unseen)}
    summary = {
        "settings": settings,
        "rows": {part: len(rows) for part, rows in parts.items()},
        "taken": {
            "train": train.taken,
            "dev": {} if "dev" in given else dev.taken,
            "pretrain": pretrain.taken | in_train,
        },
        "examples": {"train": train.examples, "pretrain": pretrain.examples},
        "given": sorted(given),
        "warnings": warnings,
        "similarity_to_test": _similarity_to_test(train, drawn["test"], test, settings=settings),
        "similarity_to_held_out": {
            part: _histogram(screened.left) for part, screened in (("train", train), ("pretrain", pretrain))
        },
        "sha256": {part: files.sha256_of(folder / f"{part}.tsv") for part in PARTS},
        "inputs": {
            "cleaned": files.sha256_of(cleaned),
            "split": files.sha256_of(split),
            "others": [files.sha256_of(other) for other in others],
        },
    }
    files.write_record(record, summary)
    warn(warnings)


def _warnings(settings: Mapping[str, Any], given: Set[str], *, train: Screened, dev: Screened) -> Iterator[str]:
    """What a user should see of what parts have in common."""
    pair, lost = f"{settings['source']}-{settings['target']}", sum(train.taken.values())
    read = lost + len(train.rows)
    if lost and (given or lost > MUCH * read):
        yield (
            f"{lost:,} of {read:,} training pairs of {pair} equal or nearly equal a dev or test sentence and are left "
            "out; parts.json counts them and shows some."
        )
    if "dev" in given and (alike := sum(dev.taken.values())):
        yield (
            f"{alike:,} lines of the given dev set of {pair} equal or nearly equal a test sentence; they are kept, so "
            "what is chosen on dev may know some of the test."
        )


def _draw_parts(rows: Sequence[tsv.CleanPair], chosen: Mapping[str, Any]) -> dict[str, list[Pair]]:
    """Rows by part: those that the user gives in their order, the others as they are chosen, by the hash of the id."""
    part_of = {key: part for part in GIVEN for key in chosen[part]}
    rest = "train"
    if chosen["train"] is not None:
        part_of |= dict.fromkeys(chosen["train"], "train")
        rest = "pretrain"
    drawn: dict[str, list[Pair]] = {part: [] for part in PARTS}
    for row in rows:
        if row.part in GIVEN:
            drawn[row.part].append(Pair(row.id, row.source, row.target))
    for row in sorted((row for row in rows if row.part not in GIVEN), key=lambda row: hash_order(row.id)):
        drawn[part_of.get(row.id, rest)].append(Pair(row.id, row.source, row.target))
    return drawn


def _texts_of(split: Path) -> list[Texts]:
    return list(files.read_record(split)["texts"].values())


def _measured(rows: Sequence[Pair], texts: Sequence[Texts], settings: Mapping[str, Any]) -> Measured:
    """The rows and, on each side, the texts in its language."""
    sides = []
    for side in SIDES:
        stored = [text for by_language in texts for text in by_language.get(settings[side], ())]
        sides.append(list(dict.fromkeys([*(getattr(row, side) for row in rows), *stored])))
    return Measured(*sides)


def _screen_all(rows: Sequence[Pair], own: Sequence[Measured], foreign: Measured, *, limit: float) -> Screened:
    """Rows that neither the measured texts of their own corpus take nor, after these, those of other corpora."""
    screened = _screen(rows, own, limit)
    kept = _screen(screened.rows, [foreign], limit).rows
    taken = screened.taken | {"other_corpora": len(screened.rows) - len(kept)}
    return screened._replace(rows=kept, taken=taken)


def _screen(rows: Sequence[Pair], measured: Sequence[Measured], limit: float) -> Screened:
    """Rows that neither equal nor resemble a measured text on the same side."""
    similarities = [_similarity(rows, texts) for texts in measured]
    highest = np.max(similarities, axis=0)
    equal = {name: {normalised(text) for texts in measured for text in getattr(texts, name)} for name in SIDES}
    found: dict[str, list[Pair]] = {"equal": [], "near_duplicate": []}
    kept, left = [], []
    for row, similarity in zip(rows, highest, strict=True):
        if any(normalised(getattr(row, name)) in equal[name] for name in SIDES):
            found["equal"].append(row)
        elif similarity >= limit:
            found["near_duplicate"].append(row)
        else:
            kept.append(row)
            left.append(similarity)
    taken = {rule: len(took) for rule, took in found.items()}
    examples = {rule: took[:EXAMPLES] for rule, took in found.items()}
    return Screened(kept, taken, examples, similarities[0], np.array(left))


def _similarity(rows: Sequence[Pair], measured: Measured) -> np.ndarray:
    """Greatest similarity of each row to a measured text, over both sides: shape [rows]."""
    sides = [max_dice([getattr(row, name) for row in rows], getattr(measured, name)) for name in SIDES]
    return np.maximum(*sides)


def _without_texts_of(train: Sequence[Pair], rows: Sequence[Pair]) -> list[Pair]:
    known = {name: {normalised(getattr(row, name)) for row in train} for name in SIDES}
    return [row for row in rows if not any(normalised(getattr(row, name)) in known[name] for name in SIDES)]


def _similarity_to_test(
    train: Screened, rows: Sequence[Pair], test: Measured, *, settings: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """Histograms of the training rows by their similarity to the test, and that of each test row to what stays."""
    return {
        "train_before": _histogram(train.similarities),
        "train_after": _histogram(_similarity(train.rows, test)),
        "test_to_train": _rounded(_similarity(rows, _measured(train.rows, [], settings))),
    }


def _histogram(similarities: np.ndarray) -> list[int]:
    """Counts in ten equal bins from 0 to 1."""
    return np.histogram(similarities, bins=BINS, range=(0.0, 1.0))[0].tolist()


def _rounded(similarities: np.ndarray) -> list[float]:
    return [round(float(value), DECIMALS) for value in similarities]

"""Divide the clean text of a pair into its parts, and decontaminate them: no text of dev or test stays in training."""

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
from mtpeft.data.tsv import SentencePair

PARTS = ("train", "dev", "test", "pretrain")
BINS = 10
DECIMALS = 4
EXAMPLES = 3
MUCH = 0.1
"""Share of the training text above which a warning says how much of it resembles dev or test."""
Texts = Mapping[str, Sequence[str]]
"""Texts by language."""


class HeldOut(NamedTuple):
    """Texts of dev or test sentences in the languages of the two sides, whichever pair they are of."""

    source: list[str]
    target: list[str]


class Decontaminated(NamedTuple):
    """The rows that are left after decontamination.

    Attributes:
        rows: rows that stay.
        taken: number of rows that each rule has removed.
        examples: some of these.
        similarities: similarity of every row to the first held-out texts.
        left: similarity of the rows that stay to all held-out texts.
    """

    rows: list[SentencePair]
    taken: dict[str, int]
    examples: dict[str, list[SentencePair]]
    similarities: np.ndarray
    left: np.ndarray


def decontaminate_pair(
    params: Mapping[str, Any], *, cleaned: Path, split: Path, others: Sequence[Path], folder: Path, record: Path
) -> None:
    """Write train, dev, test and pretrain of one pair as .tsv files in the folder, in the order of the ids' hashes.

    A row is removed where its source or its target equals or nearly equals a held-out sentence of the same language:

    - from train and pretrain, where it resembles a dev or test sentence of this pair, of another pair of the corpus, or
      of another corpus, since a model that is pre-trained on one corpus may be tested on another;
    - from a dev set that was drawn, where it resembles a test sentence;
    - from pretrain, where its source or target occurs in train.

    Parts that the user gives keep all their lines in their order; how many lines of a given dev set resemble a test
    sentence is counted.

    Args:
        params: `source` and `target` language, `alike`, other tags of these by side, if there are any, and
            `near_duplicate`, the similarity of near-duplicates.
        cleaned: clean text of the pair.
        split: split of its corpus.
        others: splits of other corpora, and records of further test sets.
        folder: where the parts go.
        record: where the record goes.

    Raises:
        UserError: nothing is left for training beside a given dev or test set.
    """
    chosen = files.read_record(split)
    clean = tsv.read_cleaned(cleaned)
    drawn = _draw_parts(clean, chosen)
    limit = params["near_duplicate"]
    test, own_dev = (_held_out(drawn[part], [chosen["texts"][part]], params) for part in ("test", "dev"))
    foreign = _held_out([], [texts for other in others for texts in _texts_of(other)], params)
    given = {row.part for row in clean} & set(GIVEN)
    dev = _decontaminate(drawn["dev"], [test], limit)
    dev_rows = drawn["dev"] if "dev" in given else dev.rows
    train = _decontaminate_all(drawn["train"], [test, own_dev], foreign, limit=limit)
    pretrain = _decontaminate_all(drawn["pretrain"], [test, own_dev], foreign, limit=limit)
    if given and drawn["train"] and not train.rows:
        raise UserError(
            f"All {len(drawn['train'])} training pairs of {params['source']}-{params['target']} equal or nearly "
            "equal a sentence of the dev or test set: name other text for training, or leave the given set out."
        )
    unseen = _without_texts_of(train.rows, pretrain.rows)
    parts = dict(zip(PARTS, (train.rows, dev_rows, drawn["test"], unseen), strict=True))
    for part, rows in parts.items():
        tsv.write_pairs(folder / f"{part}.tsv", rows)
    warnings = list(_warnings(params, given, train=train, dev=dev))
    in_train = {"in_train": len(pretrain.rows) - len(unseen)}
    summary = {
        "params": params,
        "rows": {part: len(rows) for part, rows in parts.items()},
        "taken": {
            "train": train.taken,
            "dev": {} if "dev" in given else dev.taken,
            "pretrain": pretrain.taken | in_train,
        },
        "examples": {"train": train.examples, "pretrain": pretrain.examples},
        "given": sorted(given),
        "warnings": warnings,
        "similarity_to_test": _similarity_to_test(train, drawn["test"], test, params=params),
        "similarity_to_held_out": {
            part: _histogram(kept.left) for part, kept in (("train", train), ("pretrain", pretrain))
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


def _warnings(
    params: Mapping[str, Any], given: Set[str], *, train: Decontaminated, dev: Decontaminated
) -> Iterator[str]:
    """Warn of text that training has in common with dev or test, or a given dev set with test."""
    pair, lost = f"{params['source']}-{params['target']}", sum(train.taken.values())
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


def _draw_parts(rows: Sequence[tsv.CleanPair], chosen: Mapping[str, Any]) -> dict[str, list[SentencePair]]:
    """Divide rows into parts: given rows in their order, the others as the split says, by the hashes of their ids."""
    part_of = {key: part for part in GIVEN for key in chosen[part]}
    rest = "train"
    if chosen["train"] is not None:
        part_of |= dict.fromkeys(chosen["train"], "train")
        rest = "pretrain"
    drawn: dict[str, list[SentencePair]] = {part: [] for part in PARTS}
    for row in rows:
        if row.part in GIVEN:
            drawn[row.part].append(SentencePair(row.id, row.source, row.target))
    for row in sorted((row for row in rows if row.part not in GIVEN), key=lambda row: hash_order(row.id)):
        drawn[part_of.get(row.id, rest)].append(SentencePair(row.id, row.source, row.target))
    return drawn


def _texts_of(split: Path) -> list[Texts]:
    return list(files.read_record(split)["texts"].values())


def _held_out(rows: Sequence[SentencePair], texts: Sequence[Texts], params: Mapping[str, Any]) -> HeldOut:
    """Join the texts of rows and, on each side, further texts in its language."""
    sides = []
    for side in SIDES:
        tags = (params[side], *params.get("alike", {}).get(side, ()))
        stored = [text for by_language in texts for tag in tags for text in by_language.get(tag, ())]
        sides.append(list(dict.fromkeys([*(getattr(row, side) for row in rows), *stored])))
    return HeldOut(*sides)


def _decontaminate_all(
    rows: Sequence[SentencePair], own: Sequence[HeldOut], foreign: HeldOut, *, limit: float
) -> Decontaminated:
    """Decontaminate rows by the held-out texts of their own corpus and, after these, by those of other corpora."""
    first = _decontaminate(rows, own, limit)
    kept = _decontaminate(first.rows, [foreign], limit).rows
    taken = first.taken | {"other_corpora": len(first.rows) - len(kept)}
    return first._replace(rows=kept, taken=taken)


def _decontaminate(rows: Sequence[SentencePair], held_out: Sequence[HeldOut], limit: float) -> Decontaminated:
    """Keep the rows that neither equal nor resemble a held-out text on the same side."""
    similarities = [_similarity(rows, texts) for texts in held_out]
    highest = np.max(similarities, axis=0)
    equal = {name: {normalised(text) for texts in held_out for text in getattr(texts, name)} for name in SIDES}
    found: dict[str, list[SentencePair]] = {"equal": [], "near_duplicate": []}
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
    return Decontaminated(kept, taken, examples, similarities[0], np.array(left))


def _similarity(rows: Sequence[SentencePair], held_out: HeldOut) -> np.ndarray:
    """Compute the greatest similarity of each row to a held-out text, over both sides: shape [rows]."""
    sides = [max_dice([getattr(row, name) for row in rows], getattr(held_out, name)) for name in SIDES]
    return np.maximum(*sides)


def _without_texts_of(train: Sequence[SentencePair], rows: Sequence[SentencePair]) -> list[SentencePair]:
    known = {name: {normalised(getattr(row, name)) for row in train} for name in SIDES}
    return [row for row in rows if not any(normalised(getattr(row, name)) in known[name] for name in SIDES)]


def _similarity_to_test(
    train: Decontaminated, rows: Sequence[SentencePair], test: HeldOut, *, params: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """Count training rows by their similarity to the test set, and compute that of each test row to what stays."""
    return {
        "train_before": _histogram(train.similarities),
        "train_after": _histogram(_similarity(train.rows, test)),
        "test_to_train": _rounded(_similarity(rows, _held_out(train.rows, [], params))),
    }


def _histogram(similarities: np.ndarray) -> list[int]:
    """Count similarities in ten equal bins from 0 to 1."""
    return np.histogram(similarities, bins=BINS, range=(0.0, 1.0))[0].tolist()


def _rounded(similarities: np.ndarray) -> list[float]:
    return [round(float(value), DECIMALS) for value in similarities]

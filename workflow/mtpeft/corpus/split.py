"""Choose which sentences are tested on, developed on and tuned on: one choice for all pairs of a corpus."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft import records
from mtpeft.corpus import tsv
from mtpeft.corpus.markup import TOKEN
from mtpeft.corpus.sentences import words
from mtpeft.corpus.similarity import NEAR_DUPLICATE, max_dice
from mtpeft.corpus.tsv import CleanPair
from mtpeft.errors import UserError

Table = Mapping[str, CleanPair]


def choose_split(settings: Mapping[str, Any], *, cleaned: Sequence[Path], output: Path) -> None:
    """Write the ids of the test, dev and tuning sentences, and the texts of the first two where they were written.

    Sentences are drawn in the order of the hash of their id from those that every cleaned file has, worded alike in the
    language they were written in. The dev sentences drawn are no near-duplicates of a test sentence on any side of any
    pair. Parts that the user's files give are used as they are; only the missing ones are drawn.
    """
    tables = [{row.id: row for row in tsv.read_cleaned(path)} for path in cleaned]
    written = _written(tables, settings["sides"])
    given = {part: _given(tables, part) for part in ("test", "dev")}
    free = [key for key in _shared(tables) if key not in given["test"] and key not in given["dev"]]
    candidates = [key for key in free if _is_candidate(key, tables, settings)]
    test = given["test"] or _draw(candidates, settings["test"], "split.test")
    dev = given["dev"] or _draw_dev(candidates, test, tables, settings)
    held_out = {*test, *dev}
    tuning = [key for key in free if key not in held_out]
    records.write_record(
        output,
        {
            "settings": settings,
            "test": test,
            "dev": dev,
            "tuning": None if settings["tuning"] is None else _draw(tuning, settings["tuning"], "split.tuning"),
            "texts": {"test": [written[key] for key in test], "dev": [written[key] for key in dev]},
            "counts": {"shared": len(free), "candidates": len(candidates), "test": len(test), "dev": len(dev)},
        },
    )


def hash_order(key: str) -> str:
    """Sort key of an id that has nothing to do with its text."""
    return hashlib.sha256(key.encode("ascii")).hexdigest()


def _shared(tables: Sequence[Table]) -> list[str]:
    return sorted(set(tables[0]).intersection(*tables[1:]), key=hash_order)


def _given(tables: Sequence[Table], part: str) -> list[str]:
    return sorted({key for table in tables for key, row in table.items() if row.part == part}, key=hash_order)


def _written(tables: Sequence[Table], sides: Sequence[str]) -> dict[str, str]:
    """Texts by id in the language written in, from the first table that has the id."""
    texts: dict[str, str] = {}
    for table, side in zip(tables, sides, strict=True):
        for key, row in table.items():
            texts.setdefault(key, getattr(row, side))
    return texts


def _is_candidate(key: str, tables: Sequence[Table], settings: Mapping[str, Any]) -> bool:
    """Whether all pairs have the same words to translate, of a length that is asked for, without tokens."""
    texts = {getattr(table[key], side) for table, side in zip(tables, settings["sides"], strict=True)}
    shortest, longest = settings["words"]
    return len(texts) == 1 and all(shortest <= words(text) <= longest and not TOKEN.search(text) for text in texts)


def _draw(candidates: Sequence[str], count: int, key: str) -> list[str]:
    if len(candidates) < count:
        raise UserError(
            f"{key} asks for {count} sentences, but only {len(candidates)} that suit are left in all pairs of the "
            f"corpus: write at most {len(candidates)}, or name fewer pairs or more text."
        )
    return list(candidates[:count])


def _draw_dev(
    candidates: Sequence[str], test: Sequence[str], tables: Sequence[Table], settings: Mapping[str, Any]
) -> list[str]:
    """Dev sentences far enough from the test, compared in blocks since few more are needed than are asked for."""
    taken = set(test)
    rest = [key for key in candidates if key not in taken]
    limit = settings.get("near_duplicate", NEAR_DUPLICATE)
    block = settings["dev"] + 1
    dev: list[str] = []
    for start in range(0, len(rest), block):
        dev += _far_from(rest[start : start + block], test, tables, limit)
        if len(dev) >= settings["dev"]:
            break
    return _draw(dev, settings["dev"], "split.dev")


def _far_from(keys: Sequence[str], test: Sequence[str], tables: Sequence[Table], limit: float) -> list[str]:
    near: set[str] = set()
    for table in tables:
        for side in ("source", "target"):
            references = [getattr(table[key], side) for key in test if key in table]
            scores = max_dice([getattr(table[key], side) for key in keys], references)
            near |= {key for key, score in zip(keys, scores, strict=True) if score >= limit}
    return [key for key in keys if key not in near]

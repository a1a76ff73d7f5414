"""Split a corpus: choose its test, dev and fine-tuning sentences, the same ones for all of its pairs."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.core import files
from mtpeft.core.errors import UserError
from mtpeft.data import tsv
from mtpeft.data.markup import TOKEN
from mtpeft.data.sentences import words
from mtpeft.data.similarity import NEAR_DUPLICATE, max_dice
from mtpeft.data.tsv import CleanPair

SIDES = ("source", "target")
GIVEN = ("dev", "test")
"""Parts that the user may give."""
Table = Mapping[str, CleanPair]
"""The clean text of a pair, by the ids of its rows."""


def split_corpus(params: Mapping[str, Any], *, cleaned: Sequence[Path], output: Path) -> None:
    """Write the ids of the test, dev and fine-tuning sentences, and the texts of test and dev in all languages.

    Candidates are the sentences that every cleaned file has, worded alike in the language they were written in; they
    are drawn in the order of the hashes of their ids. No dev sentence that is drawn is a near-duplicate of a test
    sentence on any side of any pair. Fine-tuning sentences have the same lengths as test sentences. Parts that the user
    gives are used as they are, in their order; only a missing part is drawn, of sentences that neither equal nor nearly
    equal a given one.

    Args:
        params: `test`, `dev` and `train`, numbers of sentences; `words`, shortest and longest sentence;
            `near_duplicate`, similarity of near-duplicates; `written_in`; and `languages`, those of both sides of each
            file.
        cleaned: clean text of the pairs that decide.
        output: where the split goes, one JSON object.

    Raises:
        UserError: there are too few candidates.
    """
    tables = [{row.id: row for row in tsv.read_cleaned(path)} for path in cleaned]
    given = {part: _given(tables, part) for part in ("test", "dev")}
    free = [key for key in _shared(tables) if all(table[key].part not in GIVEN for table in tables)]
    candidates = [key for key in free if _is_candidate(key, tables, params)]
    test, dev = given["test"], given["dev"]
    if not test:
        test = (
            _draw_far(candidates, params["test"], dev, tables, params=params, key="split.test")
            if dev
            else _draw(candidates, params["test"], "split.test")
        )
    dev = dev or _draw_far(candidates, params["dev"], test, tables, params=params, key="split.dev")
    held_out = {*test, *dev}
    others = [key for key in candidates if key not in held_out]
    files.write_record(
        output,
        {
            "params": params,
            "test": test,
            "dev": dev,
            "train": None if params["train"] is None else _draw(others, params["train"], "split.train"),
            "texts": {
                "test": _texts(test, tables, params["languages"]),
                "dev": _texts(dev, tables, params["languages"]),
            },
            "counts": {"shared": len(free), "candidates": len(candidates), "test": len(test), "dev": len(dev)},
        },
    )


def hash_order(key: str) -> str:
    """Compute the sort key of an id, which has nothing to do with its text."""
    return hashlib.sha256(key.encode("ascii")).hexdigest()


def _shared(tables: Sequence[Table]) -> list[str]:
    """List the ids that all tables have, in the order of their hashes."""
    return sorted(set(tables[0]).intersection(*tables[1:]), key=hash_order)


def _given(tables: Sequence[Table], part: str) -> list[str]:
    """List the ids of a part that the user gives, in the order of its lines."""
    return sorted({key for table in tables for key, row in table.items() if row.part == part})


def _texts(keys: Iterable[str], tables: Sequence[Table], languages: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """Collect the texts of some ids by language, sorted, each once; a table may lack an id."""
    rows = [[table[key] for key in keys if key in table] for table in tables]
    texts: dict[str, set[str]] = {}
    for table_rows, pair in zip(rows, languages, strict=True):
        for side, language in zip(SIDES, pair, strict=True):
            texts.setdefault(language, set()).update(getattr(row, side) for row in table_rows)
    return {language: sorted(texts[language]) for language in sorted(texts)}


def _is_candidate(key: str, tables: Sequence[Table], params: Mapping[str, Any]) -> bool:
    """Say whether all pairs have the same words to translate, of the right length, without tokens such as VAR0.

    Where no pair has the language that the corpus was written in, the length is that of all translations.
    """
    texts = _texts([key], tables, params["languages"])
    written = texts.get(params["written_in"])
    shortest, longest = params["words"]
    weighed = written or [text for translations in texts.values() for text in translations]
    alike = written is None or len(written) == 1
    return alike and all(shortest <= words(text) <= longest and not TOKEN.search(text) for text in weighed)


def _draw(candidates: Sequence[str], count: int, key: str) -> list[str]:
    if len(candidates) < count:
        raise UserError(
            f"{key} asks for {count} sentences, but only {len(candidates)} that suit are left in all pairs of the "
            f"corpus: write at most {len(candidates)}, or name fewer pairs or more text."
        )
    return list(candidates[:count])


def _draw_far(
    candidates: Sequence[str],
    count: int,
    others: Sequence[str],
    tables: Sequence[Table],
    *,
    params: Mapping[str, Any],
    key: str,
) -> list[str]:
    """Draw sentences that are no near-duplicates of others; they are compared in blocks, since few are dropped."""
    taken = set(others)
    rest = [candidate for candidate in candidates if candidate not in taken]
    limit = params.get("near_duplicate", NEAR_DUPLICATE)
    block = count + 1
    drawn: list[str] = []
    for start in range(0, len(rest), block):
        drawn += _far_from(rest[start : start + block], others, tables, limit)
        if len(drawn) >= count:
            return drawn[:count]
    part = key.removeprefix("split.")
    raise UserError(
        f"{key} asks for {count} sentences, but of the {len(rest)} that suit only {len(drawn)} nearly equal no "
        f"{'test' if part == 'dev' else 'dev'} sentence on any side: write at most {len(drawn)}, or name more text."
    )


def _far_from(keys: Sequence[str], others: Sequence[str], tables: Sequence[Table], limit: float) -> list[str]:
    near: set[str] = set()
    for table in tables:
        for side in SIDES:
            references = [getattr(table[key], side) for key in others if key in table]
            scores = max_dice([getattr(table[key], side) for key in keys], references)
            near |= {key for key, score in zip(keys, scores, strict=True) if score >= limit}
    return [key for key in keys if key not in near]

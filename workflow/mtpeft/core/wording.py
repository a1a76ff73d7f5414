"""Parts of sentences for users: words in quotes, lists of them, and what a misspelt word may mean."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The known word most like this one, as the end of a sentence; empty when none is alike."""
    matches = difflib.get_close_matches(str(word), sorted(known), n=1, cutoff=0.51)
    return f"; did you mean '{matches[0]}'?" if matches else ""


def listed(words: Iterable[Any]) -> str:
    """Words in quotes, joined with commas."""
    return ", ".join(f"'{word}'" for word in words) or "none"


def together(words: Sequence[Any]) -> str:
    """Words in quotes, the last two joined with "and"."""
    return " and ".join(filter(None, (listed(words[:-1]) if words[:-1] else "", f"'{words[-1]}'")))


def unknown(key: str, labels: Iterable[str], catalogue: Mapping[str, object], name: str) -> Iterator[str]:
    """Write one sentence for each label under a key that is not in its section."""
    for label in labels:
        if label not in catalogue:
            hint = did_you_mean(label, catalogue) or f"; there are {listed(catalogue)}."
            yield f"'{key}' names '{label}', which is not in '{name}'{hint}"

"""What hypotheses look like: shares of those that are empty, cut off, copied, or in another language than the target.

A corpus score hides them: a model that copies half of its sources may score as one that translates all of them badly.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from mtpeft.data.language_identification import labels_of, probabilities

SHARES = ("empty", "at_limit", "copied", "off_target")
PIVOT = "en"
"""What models say instead of the target, besides the source: most text that they have read is English."""
FEWEST_BYTES = 16
"""Length of the letters of a text, in UTF-8, below which its language is undecided."""
SURE = 0.95
"""Probability from which on a language is taken for that of a text."""
USUAL = 0.05
"""Share of the references from which on what they are taken for is the target's language under another name."""


def shares_of(
    hypotheses: Sequence[str],
    languages: tuple[str, str],
    *,
    sources: Sequence[str],
    references: Sequence[str],
    at_limit: int | None,
) -> dict[str, float | None]:
    """Shares of the hypotheses, by the names of `SHARES`; None where nobody knows.

    Args:
        hypotheses: of a test set, a line each.
        languages: BCP 47 tags of source and target. The share in another language is None where the identifier does
            not know the target.
        sources: of the same sentences. One that is copied counts where the reference is no copy, whatever the case.
        references: of the same sentences. Other languages that many of them are taken for are no other languages: an
            identifier takes Nynorsk for Danish and Serbian for Croatian.
        at_limit: how many hypotheses ended at their limit of tokens, if a model made them.
    """
    copied = (
        bool(made) and made == source != reference
        for made, source, reference in zip(*map(_folded, (hypotheses, sources, references)), strict=True)
    )
    counts = {
        "empty": sum(not line.strip() for line in hypotheses),
        "at_limit": at_limit,
        "copied": sum(copied),
        "off_target": _in_another_language(hypotheses, references, languages),
    }
    total = len(hypotheses)
    return {name: count / total if total and count is not None else None for name, count in counts.items()}


def _folded(lines: Sequence[str]) -> list[str]:
    return [" ".join(line.casefold().split()) for line in lines]


def _in_another_language(
    hypotheses: Sequence[str], references: Sequence[str], languages: tuple[str, str]
) -> int | None:
    source, target = map(labels_of, languages)
    if not target:
        return None
    likely = sorted({*target, *source, PIVOT})
    usual = Counter(filter(None, (_label(text, likely) for text in references)))
    allowed = {None, *target, *(other for other, count in usual.items() if count >= USUAL * usual.total())}
    return sum(_label(text, likely) not in allowed for text in hypotheses)


def _label(text: str, likely: Collection[str]) -> str | None:
    """What the identifier takes a text for: one of the likely languages, if it is sure among these, else any.

    None where the text is too short, or the identifier is not sure. Among all languages that it knows it rarely is of
    a short sentence: it leaves much to relatives of the right one.
    """
    letters = "".join(character for character in text if character.isalpha())
    if len(letters.encode()) < FEWEST_BYTES:
        return None
    found = probabilities(text)
    best = max(found, key=lambda label: found[label])
    if found[best] >= SURE:
        return best
    among = {label: found[label] for label in likely}
    best = max(among, key=lambda label: among[label])
    return best if among[best] >= SURE * sum(among.values()) > 0 else None

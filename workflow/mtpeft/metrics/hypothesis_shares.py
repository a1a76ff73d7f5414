"""Count odd hypotheses: shares of those that are empty, cut off, copied, or in another language than the target.

A corpus score hides them: a model that copies half of its sources may have the score of one that translates all badly.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from mtpeft.data.language_identification import labels_of, probabilities

SHARES = ("empty", "at_limit", "copied", "off_target")
PIVOT = "en"
"""Models slip into English besides the source language, since most of the text that they have read is English."""
FEWEST_BYTES = 16
"""Bytes of the letters of a text, in UTF-8, below which its language is undecided."""
SURE = 0.95
"""Probability of a language from which on a text counts as being in it."""
USUAL = 0.05
"""Share of the references that are identified as a language, from which on it counts as the target language."""


def shares_of(
    hypotheses: Sequence[str],
    languages: tuple[str, str],
    *,
    sources: Sequence[str],
    references: Sequence[str],
    at_limit: int | None,
) -> dict[str, float | None]:
    """Shares of the hypotheses, by the names of `SHARES`; None where a share can't be known.

    Args:
        hypotheses: of a test set, a line each.
        languages: BCP 47 tags of source and target. The share in another language is None where the identifier does
            not know the target.
        sources: of the same sentences. A copy of the source, whatever its case, counts where the reference is no copy.
        references: of the same sentences. A language that many of them are identified as counts as the target: an
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
    """The language that a text is identified as: one of the likely ones, if that is sure among them, else any.

    None where the text is too short, or the identifier is not sure. Of a short sentence it is rarely sure among all
    languages, since relatives of the right one get a part of the probability.
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

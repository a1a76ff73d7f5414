"""Whether the two sides of a text are in the languages that they are said to be in."""

from collections.abc import Iterator, Sequence

from mtpeft.core.errors import UserError
from mtpeft.core.languages import is_language
from mtpeft.data.identify import labels_of, most_likely

SAMPLE, CHARACTERS = 200, 200
"""How many lines are looked at, evenly spaced, and how much of each."""
FEWEST_LETTERS = 80
SURE = 0.99
NEAR = 60
"""Distance between languages, after CLDR, below which an identifier takes one for the other."""
MOSTLY = 0.5

Pairs = Sequence[tuple[str, str]]


def check_sides(pairs: Pairs, languages: Sequence[str], named: str) -> None:
    """Refuse text whose sides are swapped.

    Args:
        pairs: both sides of each line.
        languages: of the source and of the target.
        named: the files, for the sentence.

    Raises:
        UserError: each side is surely in the language of the other.
    """
    filled = [pair for pair in pairs if all(text.strip() for text in pair)]
    sides = _labels(filled)
    if sides is None or _are_near(*languages):
        return
    wanted = [labels_of(language) for language in languages]
    swapped = [found in other for found, other in zip(sides, wanted[::-1], strict=True)]
    unknown = [not labels for labels in wanted]
    if all(swapped) or (any(swapped) and any(unknown) and sides[0] != sides[1]):
        source, target = languages
        raise UserError(
            f"{named} has '{target}' where '{source}' is read and '{source}' where '{target}' is: swap the two."
        )


def side_warnings(pairs: Pairs, languages: Sequence[str]) -> Iterator[str]:
    """Sentences on a side that looks like another language, and on sides that are mostly the same text."""
    equal = sum(source == target for source, target in pairs)
    if equal > MOSTLY * len(pairs):
        yield f"{equal:,} of {len(pairs):,} pairs of {'-'.join(languages)} have the same text on both sides."
    for found, language in zip(_labels(pairs) or (), languages, strict=False):
        if (known := labels_of(language)) and found not in known and not _are_near(found, language):
            yield f"the side of {'-'.join(languages)} that should be '{language}' looks like '{found}'."


def _labels(pairs: Pairs) -> list[str] | None:
    """What the identifier calls the language of each side; None where it is not sure of both."""
    sample = pairs[:: max(1, len(pairs) // SAMPLE)][:SAMPLE]
    if min(_letters(sample, 0), _letters(sample, 1)) < FEWEST_LETTERS:
        return None
    found = [most_likely(" ".join(pair[side][:CHARACTERS] for pair in sample)) for side in (0, 1)]
    return [label for label, _ in found] if all(probability > SURE for _, probability in found) else None


def _letters(pairs: Pairs, side: int) -> int:
    return sum(character.isalpha() for pair in pairs[:SAMPLE] for character in pair[side][:CHARACTERS])


def _are_near(one: str, other: str) -> bool:
    from langcodes import tag_distance

    return is_language(one) and is_language(other) and tag_distance(one, other) < NEAR

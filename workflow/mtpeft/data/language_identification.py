"""In which language and script a text is, and whether the two sides of a text are in the languages that they should be.

Languages are identified by py3langid, a successor of langid.py (Lui & Baldwin 2012) that knows 140 languages.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from mtpeft.core.errors import UserError
from mtpeft.core.languages import SCRIPTS_WITHIN, is_language, same_language, script_of

if TYPE_CHECKING:
    import regex
    from py3langid.langid import LanguageIdentifier

SAMPLE, CHARACTERS = 200, 200
"""Number of lines of a text that are looked at, evenly spaced, and most characters of each."""
FEWEST_LETTERS = 80
"""Letters of a sample below which no language is identified."""
SURE = 0.99
"""Probability from which on an identified language counts."""
NEAR = 60
"""Distance between languages, after CLDR, below which an identifier takes one for the other."""
MOSTLY = 0.5
"""Share of pairs with equal sides above which a person is warned."""

Pairs = Sequence[tuple[str, str]]


def probability_of(text: str, language: str) -> float:
    """Compute the probability that a text is in a language, given as a BCP 47 tag.

    Raises:
        UserError: the identifier does not know the language.
    """
    labels = labels_of(language)
    if not labels:
        raise UserError(
            f"'clean.language' wants each sentence's language identified, but '{language}' is none of the "
            f"{len(_identifier().labels)} that can be; take the key out of the corpus."
        )
    return sum(probability for label, probability in _identifier().rank(text) if label in labels)


def probabilities(text: str) -> dict[str, float]:
    """Compute the probability of each language that the identifier knows, by the identifier's own label."""
    return {str(label): float(probability) for label, probability in _identifier().rank(text)}


def most_likely(text: str) -> tuple[str, float]:
    """Find the language that a text is most likely in, by the identifier's own label, and its probability."""
    label, probability = _identifier().rank(text)[0]
    return str(label), float(probability)


@lru_cache
def labels_of(language: str) -> frozenset[str]:
    """List the identifier's labels of a language, which may be several; a label stands for all scripts."""
    return frozenset(label for label in _identifier().labels if same_language(label, language))


def share_in_script(text: str, language: str) -> float:
    """Compute the share of the letters of a text that are of its language's script; 1 where there is no letter.

    Args:
        text: of any kind; digits, punctuation and symbols do not count.
        language: BCP 47 tag; its likely script counts where it names none.
    """
    letters = [character for character in text if character.isalpha()]
    own = _script_pattern(language)
    return sum(bool(own.match(letter)) for letter in letters) / len(letters) if letters else 1.0


def check_sides(pairs: Pairs, languages: Sequence[str], named: str) -> None:
    """Refuse text whose sides are swapped.

    Args:
        pairs: both sides of each line.
        languages: of the source and of the target.
        named: the files, for the message.

    Raises:
        UserError: each side is surely in the language of the other.
    """
    filled = [pair for pair in pairs if all(text.strip() for text in pair)]
    sides = _identified_sides(filled)
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
    """Warn of a side that looks like another language, and of sides that are mostly the same text."""
    equal = sum(source == target for source, target in pairs)
    if equal > MOSTLY * len(pairs):
        yield f"{equal:,} of {len(pairs):,} pairs of {'-'.join(languages)} have the same text on both sides."
    for found, language in zip(_identified_sides(pairs) or (), languages, strict=False):
        if (known := labels_of(language)) and found not in known and not _are_near(found, language):
            yield f"the side of {'-'.join(languages)} that should be '{language}' looks like '{found}'."


@lru_cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@lru_cache
def _script_pattern(language: str) -> "regex.Pattern[str]":
    import regex

    script = script_of(language)
    names = "".join(rf"\p{{Script={name}}}" for name in SCRIPTS_WITHIN.get(script, (script,)))
    # Letters that many scripts share, such as a long vowel mark, are of all of them.
    return regex.compile(rf"[{names}\p{{Script=Zyyy}}\p{{Script=Zinh}}]")


def _identified_sides(pairs: Pairs) -> list[str] | None:
    """Identify the language of each side by a sample of lines; None where the identifier is not sure of both."""
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

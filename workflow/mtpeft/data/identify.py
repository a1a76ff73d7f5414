"""In which language a text is, by py3langid, a successor of langid.py (Lui & Baldwin 2012) that knows 140 languages."""

from functools import lru_cache
from typing import TYPE_CHECKING

from mtpeft.core.errors import UserError
from mtpeft.core.languages import same_language

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier


def probability_of(text: str, language: str) -> float:
    """Probability that a text is in a language, given as a BCP 47 tag.

    Raises:
        UserError: the identifier does not know the language.
    """
    labels = _labels(language)
    return sum(probability for label, probability in _identifier().rank(text) if label in labels)


def probabilities(text: str) -> dict[str, float]:
    """Probability of each language that the identifier knows, by what it calls them."""
    return {str(label): float(probability) for label, probability in _identifier().rank(text)}


def most_likely(text: str) -> tuple[str, float]:
    """What the identifier calls the language that a text is most likely in, and how likely that is."""
    label, probability = _identifier().rank(text)[0]
    return str(label), float(probability)


@lru_cache
def labels_of(language: str) -> frozenset[str]:
    """What the identifier calls a language, which it knows in all of its scripts and may know by several names."""
    return frozenset(label for label in _identifier().labels if same_language(label, language))


def _labels(language: str) -> frozenset[str]:
    labels = labels_of(language)
    if not labels:
        raise UserError(
            f"'clean.language' wants each sentence's language identified, but '{language}' is none of the "
            f"{len(_identifier().labels)} that can be; take the key out of the corpus."
        )
    return labels


@lru_cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

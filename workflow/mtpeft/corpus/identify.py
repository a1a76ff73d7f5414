"""In which language a text is, by py3langid, a successor of langid.py (Lui & Baldwin 2012) that knows 140 languages."""

from functools import lru_cache
from typing import TYPE_CHECKING

from mtpeft.errors import UserError
from mtpeft.languages import match

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier


def probability_of(text: str, language: str) -> float:
    """Probability that a text is in a language, given as a BCP 47 tag.

    Raises:
        UserError: the identifier does not know the language.
    """
    return dict(_identifier().rank(text))[_label(language)]


def likeliest_language(text: str) -> str:
    """The language that a text is most probably in, as the identifier calls it."""
    return _identifier().rank(text)[0][0]


@lru_cache
def _label(language: str) -> str:
    """What the identifier calls a language."""
    known = _identifier().labels
    label = match(language, {label: label for label in known})
    if label is None:
        raise UserError(
            f"'clean.language' wants each sentence's language identified, but '{language}' is none of the {len(known)} "
            "that can be; take the key out of the corpus."
        )
    return label


@lru_cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

"""Prompts: text before every source sentence, or around it, with places for the two languages."""

from string import Formatter

from mtpeft.core.errors import UserError
from mtpeft.core.languages import english_name

SENTENCE = "text"
PLACES = ("source", "target", "source_code", "target_code", SENTENCE)
"""Names of the languages in English, their BCP 47 tags, and the sentence itself, for a causal model."""


def check_prompt(prompt: str, *, key: str) -> None:
    """Refuse a prompt with unknown places.

    Raises:
        UserError: it has another name in braces, or braces that are not closed; the message names `key`.
    """
    *others, last = (f"{{{place}}}" for place in PLACES)
    remedy = f"write {', '.join(others)} or {last}, and each brace that is text twice."
    try:
        parts = list(Formatter().parse(prompt))
    except ValueError as error:
        raise UserError(f"'{key}' is '{prompt}', which has a brace too many or too few; {remedy}") from error
    for _, place, form, conversion in parts:
        if place is not None and (place not in PLACES or form or conversion):
            raise UserError(f"'{key}' has '{{{place}}}', which stands for nothing; {remedy}")


def has_sentence(prompt: str) -> bool:
    """Return whether a prompt has a place for the sentence."""
    return any(place == SENTENCE for _, place, _, _ in Formatter().parse(prompt))


def written_prompt(prompt: str, source: str, target: str, *, text: str = "") -> str:
    """Return a prompt with the languages, given as BCP 47 tags, and the sentence in their places."""
    names = {"source": english_name(source), "target": english_name(target)}
    return prompt.format(**names, source_code=source, target_code=target, text=text)

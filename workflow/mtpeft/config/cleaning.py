"""What is done to the text of a corpus, with what is usual for its kind in the place of empty keys."""

from typing import Any

from mtpeft.config.corpora import Corpus
from mtpeft.data.cleaning import CATALOGUES, PROSE

ALWAYS = ("max_characters", "max_words", "max_length_ratio")
"""Keys that the settings of the step name whatever they are; the others came later, and are named where they differ."""
WORDS = {True: [3, 20], False: [3, 60]}
"""Shortest and longest sentence drawn for dev and test, by whether a corpus is of catalogues."""


def cleaning_settings(corpus: Corpus) -> dict[str, Any]:
    """What is done to the training text."""
    usual = CATALOGUES if corpus.wheels else PROSE
    written = {key: value for key, value in corpus.clean.model_dump().items() if value is not None}
    always = {key: written.pop(key, getattr(usual, key)) for key in ALWAYS}
    return always | {key: value for key, value in written.items() if value != getattr(usual, key)}


def words_of(corpus: Corpus) -> list[int]:
    """Shortest and longest sentence that is drawn for dev and test."""
    return corpus.split.words or WORDS[bool(corpus.wheels)]

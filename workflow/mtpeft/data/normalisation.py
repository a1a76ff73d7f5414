"""The normalisation of all text: training, dev and test, both sides alike. No other change is made to all of it.

Two spellings of one character look the same and are different tokens, so text is in Unicode's Normalization Form C
(Unicode Standard Annex 15), and a sentence stands on one line with single spaces. Case, quotes, dashes, digits,
compatibility characters and joiners stay as they are.
"""

import unicodedata

FORM = "NFC"
"""Name of the normal form, as the signature of a score has it."""


def normalised_line(text: str) -> str:
    """Put a text into NFC, with one space for every run of white space and none at its ends."""
    return " ".join(unicodedata.normalize(FORM, text).split())

"""The only change that is made to all text, whoever it comes from: training, dev and test, both sides alike.

Two spellings of one character look the same and are different tokens, so text is in Unicode's Normalization Form C
(Unicode Standard Annex 15), and a sentence stands on one line with single spaces. Case, quotes, dashes, digits,
compatibility characters and joiners stay as they are.
"""

import unicodedata

FORM = "NFC"
"""What the signature of a score says of its hypotheses and references."""


def normalised_line(text: str) -> str:
    """Text in NFC, with one space for every run of white space and none at its ends."""
    return " ".join(unicodedata.normalize(FORM, text).split())

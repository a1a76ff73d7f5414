"""Students of Marian, as Bergamot and Firefox publish them: Marian with simple recurrent units in the decoder.

One sentencepiece model serves both sides, and a model translates from one language into one other, so no token names a
language. See `mtpeft.models.student`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mtpeft.models.architecture import ModelShape
from mtpeft.models.families.bart import Extras, bart_shape
from mtpeft.models.families.marian import MARIAN

KEPT_HEADS = "kept_heads"
"""Key of a config.json with the number of heads that are left of each attention module."""


def student_shape(config: Mapping[str, Any]) -> ModelShape:
    """Return the shape: that of Marian, with recurrent units in the place of the decoder's self-attention."""
    extras = Extras(
        norm_of_embeddings=False,
        norm_at_end=False,
        positions=None,
        recurrent=True,
        kept_heads=config.get(KEPT_HEADS),
        activation="relu",
    )
    return bart_shape(config, extras)


STUDENT = replace(
    MARIAN,
    name="student",
    title="Marian student",
    model_type="student",
    shape=student_shape,
    heads_key=KEPT_HEADS,
)

"""Marian as trained by OPUS-MT (Tiedemann & Thottingal 2020, Junczys-Dowmunt et al. 2018, arXiv 1804.00344).

A model into several languages reads `>>spa<<` before the source; one into a single language reads nothing. Each side
has a sentencepiece model of its own, over one vocabulary.
"""

from collections.abc import Mapping
from typing import Any

from mtpeft.core.errors import UserError
from mtpeft.models.architecture import ModelShape
from mtpeft.models.families.bart import Extras, bart_shape
from mtpeft.models.families.base import END_ALONE, Family, start_alone, target_before, written_targets


def marian_shape(config: Mapping[str, Any]) -> ModelShape:
    """Return the shape: norms stand within the layers alone, and positions are sinusoids, which are not learnt.

    Raises:
        UserError: each side has embeddings of its own.
    """
    if not config.get("share_encoder_decoder_embeddings", True):
        raise UserError(
            "Marian models with a vocabulary for each side (share_encoder_decoder_embeddings false) are not "
            "supported; use one whose sides share their embeddings."
        )
    return bart_shape(config, Extras(norm_of_embeddings=False, norm_at_end=False, positions=None))


MARIAN = Family(
    name="marian",
    title="Marian",
    model_type="marian",
    tokenizers=("MarianTokenizer",),
    shape=marian_shape,
    names=written_targets,
    names_in_vocabulary=True,
    names_source=False,
    token=None,
    takes_languages=False,
    source_prefix=target_before,
    source_edges=END_ALONE,
    target_edges=END_ALONE,
    begin=start_alone,
    learns_logits_bias=True,
)

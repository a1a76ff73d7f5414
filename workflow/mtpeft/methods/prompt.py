"""Trained vectors before the source (prompt tuning, Lester et al. 2021, arXiv 2104.08691).

CPM-2 (Zhang et al. 2021, arXiv 2106.10715) tunes prompts of an encoder-decoder model.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn


class PromptOptions(TrainedMethodOptions):
    """`method: prompt`."""

    method: Literal["prompt"]


def encoder_of(shape: ModelShape) -> str:
    """Name of the encoder, in which the layers lie."""
    return shape.layers[0].rsplit(".", 2)[0]


def both_sides(encoder: str) -> list[str]:
    """Names of the encoder and of the decoder, which stands beside it."""
    return [encoder, f"{encoder.removesuffix('encoder')}decoder"]


def longest_prompt(shape: ModelShape) -> int:
    """A prompt takes at most half of the positions, so that a source keeps as many."""
    return shape.max_positions // 2


def prompt_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """Before the source: a vector (d) for each token of the prompt."""
    return [Site(module=encoder_of(shape), fixed=0, step=shape.d_model, most=longest_prompt(shape))]


def insert_prompt(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Put a prompt before the encoder's input that begins as words of the vocabulary."""
    from peft import get_peft_model

    from mtpeft.methods.prompt_adapter import PromptConfig

    ((encoder, tokens),) = sizes.items()
    return get_peft_model(
        model, PromptConfig(task_type="SEQ_2_SEQ_LM", target_modules=both_sides(encoder), tokens=tokens)
    )


PROMPT = Method(
    options=PromptOptions,
    paper="Lester et al. 2021, The Power of Scale for Parameter-Efficient Prompt Tuning (arXiv 2104.08691).",
    places="before the source",
    trains="sized",
    size_name="tokens",
    sites=prompt_sites,
    apply=insert_prompt,
)

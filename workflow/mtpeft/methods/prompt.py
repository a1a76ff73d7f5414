"""Trained vectors before the source (prompt tuning, Lester et al. 2021, arXiv 2104.08691).

CPM-2 (Zhang et al. 2021, arXiv 2106.10715) tunes prompts of an encoder-decoder model.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtpeft.methods.base import Method, ModuleSizes, TargetModule, TrainedMethodOptions
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn


class PromptOptions(TrainedMethodOptions):
    """`method: prompt`."""

    method: Literal["prompt"]


def encoder_of(shape: ModelShape) -> str:
    """Return the name of the encoder, or of the only stack, in which the layers lie."""
    return shape.layers[0].rsplit(".", 2)[0]


def both_sides(stack: str) -> list[str]:
    """Return the names of the encoder and of the decoder, which stands beside it, or that of the only stack."""
    return [stack, f"{stack.removesuffix('encoder')}decoder"] if stack.endswith("encoder") else [stack]


def longest_prompt(shape: ModelShape) -> int:
    """Return the length of the longest prompt: half of the positions, so that a source keeps as many."""
    return shape.max_positions // 2


def prompt_targets(shape: ModelShape, options: PromptOptions) -> Sequence[TargetModule]:
    """Count a vector (d) for each token of the prompt before the source."""
    return [TargetModule(module=encoder_of(shape), base=0, per_size=shape.d_model, max_size=longest_prompt(shape))]


def insert_prompt(model: "nn.Module", sizes: ModuleSizes, options: PromptOptions) -> "nn.Module":
    """Put a prompt before the encoder's input that begins as words of the vocabulary."""
    from mtpeft.methods.base_adapter import insert_adapter
    from mtpeft.methods.prompt_adapter import PromptConfig

    ((encoder, tokens),) = sizes.items()
    return insert_adapter(model, PromptConfig, both_sides(encoder), tokens=tokens)


PROMPT = Method(
    options=PromptOptions,
    paper="Lester et al. 2021, The Power of Scale for Parameter-Efficient Prompt Tuning (arXiv 2104.08691).",
    where="before the source",
    trains="budgeted",
    size_name="tokens",
    target_modules=prompt_targets,
    apply=insert_prompt,
)

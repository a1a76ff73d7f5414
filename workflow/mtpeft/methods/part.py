"""Full fine-tuning of a part: the encoder, the decoder, or cross-attention alone (Gheini et al. 2021).

Embeddings and positions stay as they are, and so do the biases of keys, which can receive no gradient. What is trained
is a copy, so that the base model is still there.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mtpeft.methods.base import Method, ModuleSizes, TargetModule, TrainedMethodOptions
from mtpeft.models.architecture import ModelShape, is_cross, side_of

if TYPE_CHECKING:
    from torch import nn


class PartOptions(TrainedMethodOptions):
    """`method: part`."""

    method: Literal["part"]
    part: Literal["encoder", "decoder", "cross_attention"] = Field(description="What is trained.")


def part_targets(shape: ModelShape, options: PartOptions) -> Sequence[TargetModule]:
    """Count linear layers, without the biases of keys, and layer norms of the part."""

    def is_in_part(module: str, *, cross: bool) -> bool:
        return cross if options.part == "cross_attention" else side_of(module) == options.part

    linears = (
        TargetModule.fixed(x.module, x.parameters - x.outputs * (x.bias and x.role == "key"))
        for x in shape.linears
        if is_in_part(x.module, cross=is_cross(x.module))
    )
    norms = (
        TargetModule.fixed(x.module, x.parameters)
        for x in shape.norms
        if is_in_part(x.module, cross=x.of_cross_attention)
    )
    return [*linears, *norms]


def train_part(model: "nn.Module", sizes: ModuleSizes, options: PartOptions) -> "nn.Module":
    """Put a copy that is trained in the place of every linear layer and layer norm of the part."""
    from mtpeft.methods.base_adapter import insert_adapter
    from mtpeft.methods.part_adapter import CopiesConfig

    return insert_adapter(model, CopiesConfig, sizes)


PART = Method(
    options=PartOptions,
    paper="Gheini et al. 2021, Cross-Attention is All You Need (arXiv 2104.08771); reference: one side alone.",
    where="linear layers and layer norms of a part",
    mergeable=True,
    trains="fixed",
    target_modules=part_targets,
    apply=train_part,
    starts_as_base=True,
    copies_weights=True,
)

"""Full fine-tuning of a part: the encoder, the decoder, or cross-attention alone (Gheini et al. 2021).

Embeddings and positions stay as they are, and so do the biases of keys, which can receive no gradient. What is trained
is a copy, so that the base model is still there.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.models.architecture import ModelShape, is_cross, side_of

if TYPE_CHECKING:
    from torch import nn


class PartOptions(TrainedMethodOptions):
    """`method: part`."""

    method: Literal["part"]
    part: Literal["encoder", "decoder", "cross_attention"] = Field(description="What is trained.")


def part_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """Linear layers, without the biases of keys, and layer norms of the part."""
    part = options["part"]

    def is_in_part(module: str, *, cross: bool) -> bool:
        return cross if part == "cross_attention" else side_of(module) == part

    linears = (
        Site.of_one_size(x.module, x.parameters - x.outputs * (x.bias and x.role == "key"))
        for x in shape.linears
        if is_in_part(x.module, cross=is_cross(x.module))
    )
    norms = (
        Site.of_one_size(x.module, x.parameters)
        for x in shape.norms
        if is_in_part(x.module, cross=x.of_cross_attention)
    )
    return [*linears, *norms]


def train_part(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Put a copy that is trained in the place of every linear layer and layer norm of the part."""
    from peft import get_peft_model

    from mtpeft.methods.copies_adapter import CopiesConfig

    return get_peft_model(model, CopiesConfig(task_type="SEQ_2_SEQ_LM", target_modules=list(sizes)))


PART = Method(
    options=PartOptions,
    paper="Gheini et al. 2021, Cross-Attention is All You Need (arXiv 2104.08771); reference: one side alone.",
    places="linear layers and layer norms of a part",
    mergeable=True,
    trains="point",
    sites=part_sites,
    apply=train_part,
    starts_as_base=True,
    copies_weights=True,
)

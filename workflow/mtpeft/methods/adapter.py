"""Bottleneck adapters after every layer (Bapna & Firat 2019, arXiv 1909.08478)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.methods.embeddings import EMBEDDINGS_OPTION, beside_embeddings, embedding_sites
from mtpeft.models.shapes import ModelShape

if TYPE_CHECKING:
    from torch import nn

WIDEST = 8
"""Largest bottleneck, in multiples of the model's width."""


class AdapterOptions(TrainedMethodOptions):
    """`tuner: adapter`."""

    tuner: Literal["adapter"]
    activation: Literal["relu", "gelu", "silu"] = Field(default="relu", description="Between down- and up-projection.")
    embeddings: bool = EMBEDDINGS_OPTION


def adapter_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """After each encoder and decoder layer: a layer norm (2d), d x m + m down, m x d + d up."""
    d = shape.d_model
    adapters = [Site(module=layer, fixed=3 * d, step=2 * d + 1, most=WIDEST * d) for layer in shape.layers]
    return [*adapters, *embedding_sites(shape, options)]


def insert_adapters(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Wrap every layer with an adapter of its own bottleneck size; embeddings are trained whole."""
    from peft import get_peft_model

    from mtpeft.tuners.bottleneck import BottleneckConfig

    config = BottleneckConfig(
        task_type="SEQ_2_SEQ_LM",
        target_modules=list(sizes),
        bottleneck_pattern=beside_embeddings(sizes),
        activation=options["activation"],
    )
    return get_peft_model(model, config)


ADAPTER = Method(
    options=AdapterOptions,
    paper="Bapna & Firat 2019, Simple, Scalable Adaptation for Neural Machine Translation (arXiv 1909.08478).",
    places="after each layer",
    trains="sized",
    size_name="bottleneck",
    sites=adapter_sites,
    apply=insert_adapters,
    starts_as_base=True,
)

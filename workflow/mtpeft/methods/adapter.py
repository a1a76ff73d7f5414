"""Bottleneck adapters. Papers differ in where they put them, and hardly in what they compute.

`bapna`, after every layer, with a layer norm inside (Bapna & Firat 2019, arXiv 1909.08478); `houlsby`, after every
attention and every feed-forward block, before the residual connection (Houlsby et al. 2019, arXiv 1902.00751);
`pfeiffer`, after every feed-forward block alone (Pfeiffer et al. 2020, arXiv 2005.00247); `parallel`, beside every
feed-forward block, from the same input (He et al. 2021, arXiv 2110.04366).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveFloat

from mtpeft.core.section import later
from mtpeft.methods.base import Method, ModuleSizes, TargetModule, TrainedMethodOptions
from mtpeft.methods.embeddings import EMBEDDINGS_OPTION, beside_embeddings, embedding_targets
from mtpeft.models.architecture import ModelShape, side_of

if TYPE_CHECKING:
    from torch import nn

WIDEST = 8
"""Largest bottleneck, in multiples of the model's width."""
LAYER_NORM = ("bapna",)
"""Placements whose adapters have a layer norm inside."""


class AdapterOptions(TrainedMethodOptions):
    """`method: adapter`."""

    method: Literal["adapter"]
    activation: Literal["relu", "gelu", "silu"] = Field(default="relu", description="Between down- and up-projection.")
    embeddings: bool = EMBEDDINGS_OPTION
    placement: Literal["bapna", "houlsby", "pfeiffer", "parallel"] = later(
        "bapna",
        description="Where adapters stand: after layers (bapna), after attention and feed-forward blocks (houlsby), "
        "after feed-forward blocks (pfeiffer) or beside these (parallel).",
    )
    side: Literal["both", "encoder", "decoder"] = later("both", description="Which stack has adapters.")
    scaling: PositiveFloat = later(1.0, description="Factor on what an adapter adds.")


def bottleneck(module: str, d: int, *, layer_norm: bool = False) -> TargetModule:
    """Return the cost of an adapter: d x m + m down, m x d + d up, and 2d for a layer norm, at a bottleneck m."""
    return TargetModule(module=module, base=3 * d if layer_norm else d, per_size=2 * d + 1, max_size=WIDEST * d)


def adapter_targets(shape: ModelShape, options: AdapterOptions) -> Sequence[TargetModule]:
    """Count an adapter at each module of the placement, on the chosen sides, and embeddings if they are asked for."""
    outputs = [linear.module for linear in shape.linears if linear.role == "output"]
    modules = {
        "bapna": shape.layers,
        "houlsby": (*outputs, *shape.feed_forwards),
        "pfeiffer": shape.feed_forwards,
        "parallel": shape.feed_forwards,
    }
    sides = ("encoder", "decoder") if options.side == "both" else (options.side,)
    layer_norm = options.placement in LAYER_NORM
    adapters = [
        bottleneck(module, shape.d_model, layer_norm=layer_norm)
        for module in modules[options.placement]
        if side_of(module) in sides
    ]
    return [*adapters, *embedding_targets(shape, wanted=options.embeddings)]


def insert_adapters(model: "nn.Module", sizes: ModuleSizes, options: AdapterOptions) -> "nn.Module":
    """Wrap every target module with an adapter of its own bottleneck size; embeddings are trained whole."""
    from mtpeft.methods.adapter_adapter import BottleneckConfig
    from mtpeft.methods.base_adapter import insert_adapter

    return insert_adapter(
        model,
        BottleneckConfig,
        sizes,
        bottleneck_pattern=beside_embeddings(sizes),
        activation=options.activation,
        layer_norm=options.placement in LAYER_NORM,
        parallel=options.placement == "parallel",
        scaling=options.scaling,
    )


ADAPTER = Method(
    options=AdapterOptions,
    paper="Bapna & Firat 2019, Simple, Scalable Adaptation for Neural Machine Translation (arXiv 1909.08478); "
    "Houlsby et al. 2019 (1902.00751), Pfeiffer et al. 2020 (2005.00247), He et al. 2021 (2110.04366).",
    where="after each layer, or after or beside its blocks",
    trains="budgeted",
    size_name="bottleneck",
    target_modules=adapter_targets,
    apply=insert_adapters,
    starts_as_base=True,
)

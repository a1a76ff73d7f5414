"""Bottleneck adapters: where they stand differs from paper to paper, what they compute hardly does.

`bapna`, after every layer, with a layer norm inside (Bapna & Firat 2019, arXiv 1909.08478); `houlsby`, after every
attention and every feed-forward block, before the residual connection (Houlsby et al. 2019, arXiv 1902.00751);
`pfeiffer`, after every feed-forward block alone (Pfeiffer et al. 2020, arXiv 2005.00247); `parallel`, beside every
feed-forward block, from the same input (He et al. 2021, arXiv 2110.04366).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveFloat

from mtpeft.core.section import later
from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.methods.embeddings import EMBEDDINGS_OPTION, beside_embeddings, embedding_sites
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


def adapter_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """At each place d x m + m down, m x d + d up, and where there is a layer norm 2d."""
    d, placement = shape.d_model, options.get("placement", "bapna")
    outputs = [linear.module for linear in shape.linears if linear.role == "output"]
    places = {
        "bapna": shape.layers,
        "houlsby": (*outputs, *shape.feed_forwards),
        "pfeiffer": shape.feed_forwards,
        "parallel": shape.feed_forwards,
    }
    fixed = 3 * d if placement in LAYER_NORM else d
    sides = ("encoder", "decoder") if options.get("side", "both") == "both" else (options["side"],)
    adapters = [
        Site(module=module, fixed=fixed, step=2 * d + 1, most=WIDEST * d)
        for module in places[placement]
        if side_of(module) in sides
    ]
    return [*adapters, *embedding_sites(shape, options)]


def insert_adapters(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Wrap every place with an adapter of its own bottleneck size; embeddings are trained whole."""
    from peft import get_peft_model

    from mtpeft.methods.bottleneck_adapter import BottleneckConfig

    placement = options.get("placement", "bapna")
    config = BottleneckConfig(
        task_type="SEQ_2_SEQ_LM",
        target_modules=list(sizes),
        bottleneck_pattern=beside_embeddings(sizes),
        activation=options["activation"],
        layer_norm=placement in LAYER_NORM,
        parallel=placement == "parallel",
        scaling=options.get("scaling", 1.0),
    )
    return get_peft_model(model, config)


ADAPTER = Method(
    options=AdapterOptions,
    paper="Bapna & Firat 2019, Simple, Scalable Adaptation for Neural Machine Translation (arXiv 1909.08478); "
    "Houlsby et al. 2019 (1902.00751), Pfeiffer et al. 2020 (2005.00247), He et al. 2021 (2110.04366).",
    places="after each layer, or after or beside its blocks",
    trains="sized",
    size_name="bottleneck",
    sites=adapter_sites,
    apply=insert_adapters,
    starts_as_base=True,
)

"""Mix-and-match: short prefixes in attention, parallel adapters beside feed-forward blocks (He et al. 2021).

The paper's finding is that attention is changed well by few parameters, and feed-forward blocks by many: prefixes have
a fixed length, and what the budget leaves goes to the adapters.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from mtpeft.methods.adapter import bottleneck
from mtpeft.methods.base import Method, ModuleSizes, TargetModule, TrainedMethodOptions
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn


class MamOptions(TrainedMethodOptions):
    """`method: mam`."""

    method: Literal["mam"]
    length: PositiveInt = Field(default=30, description="Keys and values of each prefix; 30 in the paper.")
    activation: Literal["relu", "gelu", "silu"] = Field(default="relu", description="Between down- and up-projection.")
    scaling: PositiveFloat = Field(default=4.0, description="Factor on what an adapter adds; 4 in the paper.")


def mam_targets(shape: ModelShape, options: MamOptions) -> Sequence[TargetModule]:
    """Count `length` keys and values at each attention, and an adapter at each feed-forward block."""
    prefix = 2 * shape.cached_width * options.length
    return [
        *(TargetModule.fixed(attention, prefix) for attention in shape.attentions),
        *(bottleneck(block, shape.d_model) for block in shape.feed_forwards),
    ]


def mix_and_match(model: "nn.Module", sizes: ModuleSizes, options: MamOptions) -> "nn.Module":
    """Give attention modules prefixes to which the base pays little attention at first, and blocks their adapters."""
    from mtpeft.methods.base_adapter import insert_adapter
    from mtpeft.methods.mam_adapter import MamConfig
    from mtpeft.methods.prefix_adapter import start_near_base, typical_queries
    from mtpeft.models.attention import is_attention

    attentions = [module for module in sizes if is_attention(model.get_submodule(module))]
    queries = typical_queries(model, attentions)
    tuned = insert_adapter(
        model,
        MamConfig,
        sizes,
        length_pattern=dict.fromkeys(attentions, options.length),
        bottleneck_pattern={module: size for module, size in sizes.items() if module not in attentions},
        activation=options.activation,
        scaling=options.scaling,
    )
    start_near_base(tuned, queries)
    return tuned


MAM = Method(
    options=MamOptions,
    paper="He et al. 2021, Towards a Unified View of Parameter-Efficient Transfer Learning (arXiv 2110.04366).",
    where="in attention and beside feed-forward blocks",
    trains="budgeted",
    size_name="bottleneck",
    target_modules=mam_targets,
    apply=mix_and_match,
)

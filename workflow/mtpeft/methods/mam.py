"""Mix-and-match: short prefixes in attention, parallel adapters beside feed-forward blocks (He et al. 2021).

The paper's finding is that attention is changed well by few parameters, and feed-forward blocks by many: prefixes have
a fixed length, and what the budget leaves goes to the adapters.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from mtpeft.methods.adapter import WIDEST
from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn


class MamOptions(TrainedMethodOptions):
    """`method: mam`."""

    method: Literal["mam"]
    length: PositiveInt = Field(default=30, description="Keys and values of each prefix; 30 in the paper.")
    activation: Literal["relu", "gelu", "silu"] = Field(default="relu", description="Between down- and up-projection.")
    scaling: PositiveFloat = Field(default=4.0, description="Factor on what an adapter adds; 4 in the paper.")


def mam_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """At each attention `length` keys and values, at each feed-forward block d x m + m down and m x d + d up."""
    d, prefix = shape.d_model, 2 * shape.attention_width * options["length"]
    return [
        *(Site.of_one_size(attention, prefix) for attention in shape.attentions),
        *(Site(module=block, fixed=d, step=2 * d + 1, most=WIDEST * d) for block in shape.feed_forwards),
    ]


def mix_and_match(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Give attention modules prefixes to which the base pays little attention at first, and blocks their adapters."""
    from peft import get_peft_model

    from mtpeft.methods.mam_adapter import MamConfig
    from mtpeft.methods.prefix_adapter import start_near_base, typical_queries
    from mtpeft.models.attention import is_attention

    attentions = [module for module in sizes if is_attention(model.get_submodule(module))]
    queries = typical_queries(model, attentions)
    config = MamConfig(
        task_type="SEQ_2_SEQ_LM",
        target_modules=list(sizes),
        length_pattern=dict.fromkeys(attentions, options["length"]),
        bottleneck_pattern={module: size for module, size in sizes.items() if module not in attentions},
        activation=options["activation"],
        scaling=options["scaling"],
    )
    tuned = get_peft_model(model, config)
    start_near_base(tuned, queries)
    return tuned


MAM = Method(
    options=MamOptions,
    paper="He et al. 2021, Towards a Unified View of Parameter-Efficient Transfer Learning (arXiv 2110.04366).",
    places="in attention and beside feed-forward blocks",
    trains="sized",
    size_name="bottleneck",
    sites=mam_sites,
    apply=mix_and_match,
)

"""Low-rank updates of every linear layer (LoRA, Hu et al. 2021, arXiv 2106.09685), through peft."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveFloat

from mtpeft.core.section import later
from mtpeft.methods.base import Method, Site
from mtpeft.methods.embeddings import EMBEDDINGS_OPTION, beside_embeddings, embedding_sites
from mtpeft.methods.target_modules import LinearsOptions, at_every_budget, chosen_linears
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn


class LoraOptions(LinearsOptions):
    """`method: lora`."""

    method: Literal["lora"]
    scaling: PositiveFloat = Field(
        default=2.0,
        description="Factor on the update: alpha divided by the rank; with `rank_stabilised`, alpha itself.",
    )
    embeddings: bool = EMBEDDINGS_OPTION
    rank_stabilised: bool = later(
        False,
        description="Alpha is divided by the root of the rank (rsLoRA, Kalajdzievski 2023, arXiv 2312.03732).",
    )
    dora: bool = later(
        False,
        description="The length of each weight vector is trained apart from its direction (DoRA, Liu et al. 2024, "
        "arXiv 2402.09353).",
    )


def lora_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """Beside the linear layers of the encoder and decoder: rank x (inputs + outputs), with DoRA a length per output."""
    updates = [
        Site(
            module=linear.module,
            fixed=linear.outputs if options.get("dora") else 0,
            step=linear.inputs + linear.outputs,
            most=min(linear.inputs, linear.outputs),
            least=0,
        )
        for linear in chosen_linears(shape, options)
    ]
    return [*at_every_budget(updates, options), *embedding_sites(shape, options)]


def insert_lora(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Give every linear layer an update of its own rank; alpha follows the rank, so that the scaling is one for all.

    Where scaling goes with the root of the rank, alpha is one for all.
    """
    from peft import LoraConfig, get_peft_model

    from mtpeft.methods.lora_adapter import LoraEmbeddingsConfig

    ranks, scaling = beside_embeddings(sizes), options["scaling"]
    stabilised = options.get("rank_stabilised", False)
    # Peft's own type where it serves, so that the folder opens without this package.
    config = LoraConfig if len(ranks) == len(sizes) else LoraEmbeddingsConfig
    return get_peft_model(
        model,
        config(
            task_type="SEQ_2_SEQ_LM",
            target_modules=list(sizes),
            rank_pattern=ranks,
            alpha_pattern={module: scaling * (1 if stabilised else rank) for module, rank in ranks.items()},
            use_rslora=stabilised,
            use_dora=options.get("dora", False),
            lora_dropout=0.0,
        ),
    )


LORA = Method(
    options=LoraOptions,
    paper="Hu et al. 2021, LoRA: Low-Rank Adaptation of Large Language Models (arXiv 2106.09685).",
    places="beside each linear layer",
    mergeable=True,
    trains="sized",
    size_name="rank",
    sites=lora_sites,
    apply=insert_lora,
    starts_as_base=True,
)

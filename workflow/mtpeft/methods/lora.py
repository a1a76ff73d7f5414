"""Low-rank updates of every linear layer (LoRA, Hu et al. 2021, arXiv 2106.09685), through peft."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveFloat

from mtpeft.core.section import later
from mtpeft.methods.base import LinearsOptions, Method, ModuleSizes, TargetModule
from mtpeft.methods.embeddings import EMBEDDINGS_OPTION, beside_embeddings, embedding_targets
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


def lora_targets(shape: ModelShape, options: LoraOptions) -> Sequence[TargetModule]:
    """Count rank x (inputs + outputs) beside the linear layers of both sides, with DoRA a length per output."""
    updates = [
        TargetModule(
            module=linear.module,
            base=linear.outputs if options.dora else 0,
            per_size=linear.inputs + linear.outputs,
            max_size=min(linear.inputs, linear.outputs),
            min_size=0,
        )
        for linear in options.linears(shape)
    ]
    return [*options.at_every_budget(updates), *embedding_targets(shape, wanted=options.embeddings)]


def insert_lora(model: "nn.Module", sizes: ModuleSizes, options: LoraOptions) -> "nn.Module":
    """Give every linear layer an update of its own rank.

    Alpha follows the rank, so that the scaling is one for all; where the scaling goes with the root of the rank, alpha
    is one for all.
    """
    from peft import LoraConfig

    from mtpeft.methods.base_adapter import insert_adapter
    from mtpeft.methods.lora_adapter import LoraEmbeddingsConfig

    ranks = beside_embeddings(sizes)
    return insert_adapter(
        model,
        # Peft's own type where it serves, so that the folder opens without this package.
        LoraConfig if len(ranks) == len(sizes) else LoraEmbeddingsConfig,
        sizes,
        rank_pattern=ranks,
        alpha_pattern={
            module: options.scaling * (1 if options.rank_stabilised else rank) for module, rank in ranks.items()
        },
        use_rslora=options.rank_stabilised,
        use_dora=options.dora,
        lora_dropout=0.0,
    )


LORA = Method(
    options=LoraOptions,
    paper="Hu et al. 2021, LoRA: Low-Rank Adaptation of Large Language Models (arXiv 2106.09685).",
    where="beside each linear layer",
    mergeable=True,
    trains="budgeted",
    size_name="rank",
    target_modules=lora_targets,
    apply=insert_lora,
    starts_as_base=True,
)

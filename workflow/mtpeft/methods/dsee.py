"""A low-rank update and some single weights beside each linear layer (DSEE, Chen et al. 2021, arXiv 2111.00160).

Which weights these are is taken from a decomposition of the layer's own matrix into a low-rank and a sparse part. The
paper's second half, a model that is sparse itself, is a base model with `prune`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from mtpeft.methods.base import Method, ModuleSizes, RankOptions, TargetModule
from mtpeft.methods.budget import count
from mtpeft.methods.new_entries import new_entry_parameters
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn


class DseeOptions(RankOptions):
    """`method: dsee`."""

    method: Literal["dsee"]
    sparse: PositiveInt = Field(default=64, description="Single weights of each linear layer; 64 in the paper.")
    scaling: PositiveFloat = Field(default=2.0, description="Factor on the low-rank update.")


def dsee_targets(shape: ModelShape, options: DseeOptions) -> Sequence[TargetModule]:
    """Count `sparse` weights and rank x (inputs + outputs) beside each linear layer."""
    return options.sized(
        [
            TargetModule(
                module=linear.module,
                base=min(options.sparse, linear.inputs * linear.outputs),
                per_size=linear.inputs + linear.outputs,
                max_size=min(linear.inputs, linear.outputs),
                min_size=0,
            )
            for linear in options.linears(shape)
        ]
    )


def dsee_stored(shape: ModelShape, options: DseeOptions, sizes: ModuleSizes) -> int:
    """Count what is trained, and where the single weights stand."""
    targets = [target for target in dsee_targets(shape, options) if target.module in sizes]
    return count(targets, sizes) + sum(target.base for target in targets) + new_entry_parameters(shape)


def insert_dsee(model: "nn.Module", sizes: ModuleSizes, options: DseeOptions) -> "nn.Module":
    """Give linear layers an update of their own rank and the single weights."""
    from mtpeft.methods.base_adapter import insert_adapter
    from mtpeft.methods.dsee_adapter import DseeConfig

    keys = {"sparse": options.sparse, "scaling": options.scaling}
    return insert_adapter(model, DseeConfig, sizes, rank_pattern=dict(sizes), **keys)


DSEE = Method(
    options=DseeOptions,
    paper="Chen et al. 2021, DSEE: Dually Sparsity-embedded Efficient Tuning (arXiv 2111.00160).",
    where="beside each linear layer",
    mergeable=True,
    trains="budgeted",
    size_name="rank",
    target_modules=dsee_targets,
    stored_parameters=dsee_stored,
    apply=insert_dsee,
    starts_as_base=True,
    copies_weights=True,
    decays={"dsee_entries": True},
)

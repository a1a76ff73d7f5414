"""A low-rank update and some single weights beside each linear layer (DSEE, Chen et al. 2021, arXiv 2111.00160).

Which weights these are is taken from a decomposition of the layer's own matrix into a low-rank and a sparse part. The
paper's second half, pruning the model for inference, is left out.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from mtpeft.methods.base import Method, Site
from mtpeft.methods.budget import count
from mtpeft.methods.new_entries import new_entry_numbers
from mtpeft.methods.target_modules import LinearsOptions, at_every_budget, chosen_linears
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn


class DseeOptions(LinearsOptions):
    """`method: dsee`."""

    method: Literal["dsee"]
    sparse: PositiveInt = Field(default=64, description="Single weights of each linear layer; 64 in the paper.")
    scaling: PositiveFloat = Field(default=2.0, description="Factor on the low-rank update.")


def dsee_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """Beside each linear layer: `sparse` weights and rank x (inputs + outputs)."""
    sites = [
        Site(
            module=linear.module,
            fixed=min(options["sparse"], linear.inputs * linear.outputs),
            step=linear.inputs + linear.outputs,
            most=min(linear.inputs, linear.outputs),
            least=0,
        )
        for linear in chosen_linears(shape, options)
    ]
    return at_every_budget(sites, options)


def stored_numbers(shape: ModelShape, options: Mapping[str, Any], sizes: Mapping[str, int]) -> int:
    """What is trained, and where the single weights stand."""
    sites = [site for site in dsee_sites(shape, options) if site.module in sizes]
    return count(sites, sizes) + sum(site.fixed for site in sites) + new_entry_numbers(shape)


def insert_sparse_and_low_rank(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Give linear layers an update of their own rank and the single weights."""
    from peft import get_peft_model

    from mtpeft.methods.dsee_adapter import DseeConfig

    config = DseeConfig(
        task_type="SEQ_2_SEQ_LM",
        target_modules=list(sizes),
        rank_pattern=dict(sizes),
        sparse=options["sparse"],
        scaling=options["scaling"],
    )
    return get_peft_model(model, config)


DSEE = Method(
    options=DseeOptions,
    paper="Chen et al. 2021, DSEE: Dually Sparsity-embedded Efficient Tuning (arXiv 2111.00160).",
    places="beside each linear layer",
    mergeable=True,
    trains="sized",
    size_name="rank",
    sites=dsee_sites,
    stored=stored_numbers,
    apply=insert_sparse_and_low_rank,
    starts_as_base=True,
    copies_weights=True,
    decays={"dsee_entries": True},
)

"""AdaLoRA: low-rank updates that lose their least important ranks while they are trained (arXiv 2303.10512).

The budget is what is left at the end, as in the paper. Training starts with more: every layer whose width has a part of
the budget begins with the same rank, `start` times as many as are left on average. Ranks go where they are important;
only the number of them among layers of equal cost is fixed, so that the budget is met to the parameter.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from mtpeft.methods.base import ModuleSizes
from mtpeft.methods.new_entries import new_entry_parameters
from mtpeft.methods.peft.low_rank import SCALING, beside
from mtpeft.methods.peft.tuner import Options, SizedByLayer, method_by_layer
from mtpeft.models.architecture import Linear, ModelShape

if TYPE_CHECKING:
    from torch import nn

    from mtpeft.methods.base import UpdateHook


def rank_cost(inputs: int, outputs: int) -> int:
    """Return the parameters of one rank: a vector of each side and a singular value."""
    return inputs + outputs + 1


def _cost(linear: Linear) -> int:
    return rank_cost(linear.inputs, linear.outputs)


def start_ranks(linears: Sequence[Linear], sizes: ModuleSizes, start: float) -> dict[str, int]:
    """Return the rank of each layer at the start, given the ranks that are left at the end."""
    left: Counter[int] = Counter()
    for linear in linears:
        left[_cost(linear)] += sizes.get(linear.module, 0)
    layers = Counter(map(_cost, linears))
    return {
        linear.module: max(
            sizes.get(linear.module, 0),
            min(linear.inputs, linear.outputs, math.ceil(start * left[_cost(linear)] / layers[_cost(linear)])),
        )
        for linear in linears
        if left[_cost(linear)]
    }


def parameters_at_start(shape: ModelShape, options: Options, sizes: ModuleSizes) -> int:
    """Count what is trained before anything is pruned."""
    linears = options.linears(shape)
    ranks = start_ranks(linears, sizes, options.start)
    return sum(ranks.get(x.module, 0) * _cost(x) for x in linears) + new_entry_parameters(shape)


def insert_adalora(model: "nn.Module", sizes: ModuleSizes, options: Options) -> "nn.Module":
    """Give linear layers an update of the rank at the start, and tell peft how many ranks are left at the end."""
    from mtpeft.methods.peft.adalora_adapter import insert_ranks
    from mtpeft.models.families import read_shape

    linears = options.linears(read_shape(model.config.to_dict()))
    ranks = start_ranks(linears, sizes, options.start)
    return insert_ranks(model, ranks, left=sizes, scaling=options.scaling)


def _hook(model: "nn.Module") -> "UpdateHook":
    from mtpeft.methods.peft.adalora_adapter import RankAllocation

    return RankAllocation(model)


def _finish(model: "nn.Module") -> "nn.Module":
    from mtpeft.methods.peft.adalora_adapter import without_pruned_ranks

    return without_pruned_ranks(model)


def _ranks_left(model: "nn.Module") -> dict[str, int]:
    from mtpeft.methods.peft.adalora_adapter import ranks_of

    return ranks_of(model)


ADALORA_TUNER = SizedByLayer(
    name="ADALORA",
    paper="Zhang et al. 2023, AdaLoRA: Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning "
    "(arXiv 2303.10512).",
    size_name="rank at the end",
    options={
        **SCALING,
        "start": (
            float,
            Field(default=1.5, ge=1, description="Ranks at the start, as a multiple of those left at the end."),
        ),
    },
    target=lambda module, x, options: beside(module, per_size=rank_cost(*x), max_size=min(x)),
    keys_at=lambda size, x, options: {},
)
ADALORA = replace(
    method_by_layer(ADALORA_TUNER),
    apply=insert_adalora,
    parameters_at_start=parameters_at_start,
    hook=_hook,
    finish=_finish,
    sizes_at_end=_ranks_left,
)

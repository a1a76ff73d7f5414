"""AdaLoRA: low-rank updates that lose their least important ranks while they are trained (arXiv 2303.10512)."""

from typing import TYPE_CHECKING

from pydantic import Field

from mtpeft.methods.from_peft.low_rank import SCALING, beside
from mtpeft.methods.from_peft.row import Options, SizedByLayer

if TYPE_CHECKING:
    from torch import nn

    from mtpeft.training.hook import UpdateHook


def _hook(model: "nn.Module", options: Options) -> "UpdateHook":
    from mtpeft.tuners.adalora import RankAllocation

    return RankAllocation(model, kept=options["kept"])


def _settle(model: "nn.Module") -> "nn.Module":
    from mtpeft.tuners.adalora import keep_counts

    return keep_counts(model)


def _finish(model: "nn.Module") -> "nn.Module":
    from mtpeft.tuners.adalora import store_all_triplets

    return store_all_triplets(model)


ADALORA = SizedByLayer(
    name="ADALORA",
    paper="Zhang et al. 2023, AdaLoRA: Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning "
    "(arXiv 2303.10512).",
    size_name="rank at the start",
    options={
        **SCALING,
        "kept": (float, Field(default=2 / 3, gt=0, lt=1, description="Share of the ranks that are left at the end.")),
    },
    keys={"total_step": 1},  # peft wants to know it here, and learns it in training
    site=lambda module, x, options: beside(module, step=x.inputs + x.outputs + 1, most=min(x)),
    sized=lambda size, x, options: {"init_r": size, "lora_alpha": options["scaling"] * size},
    settle=_settle,
    more={"hook": _hook, "finish": _finish},
)

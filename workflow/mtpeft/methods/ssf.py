"""Scale and shift what linear layers and layer norms put out (SSF, Lian et al. 2022, arXiv 2210.08823).

A shift stands where the base has a bias that it can be merged into, so T5 and mT5 are scaled only. The shift of keys is
left out: it adds the same to all scores of a query, and softmax takes it away again.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtpeft.methods.base import Method, ModuleSizes, TargetModule, TrainedMethodOptions
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn


class SsfOptions(TrainedMethodOptions):
    """`method: ssf`."""

    method: Literal["ssf"]


def scale_targets(shape: ModelShape, options: SsfOptions) -> Sequence[TargetModule]:
    """Count a scale behind every linear layer and layer norm and, but for keys, a shift where there is a bias."""
    return [
        *(TargetModule.fixed(x.module, x.outputs * (1 + (x.bias and x.role != "key"))) for x in shape.linears),
        *(TargetModule.fixed(norm.module, norm.parameters) for norm in shape.norms),
    ]


def insert_scales(model: "nn.Module", sizes: ModuleSizes, options: SsfOptions) -> "nn.Module":
    """Give the target modules a scale of one and a shift of zero."""
    from mtpeft.methods.base_adapter import insert_adapter
    from mtpeft.methods.ssf_adapter import SsfConfig

    return insert_adapter(model, SsfConfig, sizes)


SSF = Method(
    options=SsfOptions,
    paper="Lian et al. 2022, Scaling & Shifting Your Features (arXiv 2210.08823).",
    where="behind linear layers and layer norms",
    mergeable=True,
    trains="fixed",
    target_modules=scale_targets,
    apply=insert_scales,
    starts_as_base=True,
)

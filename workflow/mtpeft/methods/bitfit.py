"""Bias vectors alone (BitFit, Ben Zaken et al. 2021, arXiv 2106.10199)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtpeft.methods.base import Method, ModuleSizes, TargetModule, TrainedMethodOptions
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn

WITHOUT_GRADIENT = "key"
"""A bias of the keys adds the same to all scores of a query, and softmax takes it away again."""


class BitFitOptions(TrainedMethodOptions):
    """`method: bitfit`."""

    method: Literal["bitfit"]


def linear_bias_targets(shape: ModelShape) -> Sequence[TargetModule]:
    """Count the bias of every linear layer but the keys'."""
    biased = (linear for linear in shape.linears if linear.bias and linear.role != WITHOUT_GRADIENT)
    return [TargetModule.fixed(linear.module, linear.outputs) for linear in biased]


def bias_targets(shape: ModelShape) -> Sequence[TargetModule]:
    """Count the bias of every linear layer but the keys', and of every layer norm (d)."""
    norms = (TargetModule.fixed(norm.module, norm.width) for norm in shape.norms if norm.bias)
    return [*linear_bias_targets(shape), *norms]


def train_biases(model: "nn.Module", sizes: ModuleSizes, options: BitFitOptions) -> "nn.Module":
    """Give the target modules a bias that is trained in the place of their own."""
    from mtpeft.methods.base_adapter import insert_adapter
    from mtpeft.methods.bitfit_adapter import BitFitConfig

    return insert_adapter(model, BitFitConfig, sizes)


BITFIT = Method(
    options=BitFitOptions,
    paper="Ben Zaken et al. 2021, BitFit: Simple Parameter-efficient Fine-tuning (arXiv 2106.10199).",
    where="biases of linear layers and layer norms",
    mergeable=True,
    trains="fixed",
    target_modules=lambda shape, options: bias_targets(shape),
    apply=train_biases,
    starts_as_base=True,
)

"""Bias vectors alone (BitFit, Ben Zaken et al. 2021, arXiv 2106.10199)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn

WITHOUT_GRADIENT = "key"
"""A bias of the keys adds the same to all scores of a query, and softmax takes it away again."""


class BitFitOptions(TrainedMethodOptions):
    """`method: bitfit`."""

    method: Literal["bitfit"]


def linear_bias_sites(shape: ModelShape) -> Sequence[Site]:
    """The bias of every linear layer but the keys'."""
    biased = (linear for linear in shape.linears if linear.bias and linear.role != WITHOUT_GRADIENT)
    return [Site.of_one_size(linear.module, linear.outputs) for linear in biased]


def bias_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """The bias of every linear layer but the keys', and of every layer norm (d)."""
    return [
        *linear_bias_sites(shape),
        *(Site.of_one_size(norm.module, norm.width) for norm in shape.norms if norm.bias),
    ]


def train_biases(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Give the named modules a bias that is trained in the place of their own."""
    from peft import get_peft_model

    from mtpeft.methods.bitfit_adapter import BitFitConfig

    return get_peft_model(model, BitFitConfig(task_type="SEQ_2_SEQ_LM", target_modules=list(sizes)))


BITFIT = Method(
    options=BitFitOptions,
    paper="Ben Zaken et al. 2021, BitFit: Simple Parameter-efficient Fine-tuning (arXiv 2106.10199).",
    places="biases of linear layers and layer norms",
    mergeable=True,
    trains="point",
    sites=bias_sites,
    apply=train_biases,
    starts_as_base=True,
)

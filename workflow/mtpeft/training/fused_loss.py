"""The cross-entropy over a large vocabulary by the fused kernel of Liger, on GPUs where that package is installed.

Liger Kernel (Hsu et al. 2024, arXiv 2410.10989) computes softmax, loss and gradient of a chunk of logits in one kernel,
where `mtpeft.training.chunked_loss` takes several. Results are the same but for rounding.
"""

from importlib.util import find_spec

import torch
from torch import nn

PACKAGE = "liger-kernel"
"""Named in envs/fused-loss.txt."""


def loss_packages(device: torch.device) -> tuple[str, ...]:
    """Return the package of the kernel where losses of a large vocabulary are computed with it."""
    return (PACKAGE,) if device.type == "cuda" and find_spec("liger_kernel") else ()


def is_fused(output: nn.Module, device: torch.device) -> bool:
    """Return whether the kernel computes the loss of this output projection, which must be a linear layer alone."""
    return type(output) is nn.Linear and bool(loss_packages(device))


def fused_cross_entropy(
    states: torch.Tensor,
    output: nn.Linear,
    offset: torch.Tensor,
    *,
    labels: torch.Tensor,
    label_smoothing: float,
    tokens: int,
) -> torch.Tensor:
    """Add the gradient of the mean cross-entropy over target tokens; returns their part of it.

    Args:
        states: what goes into the output projection, shape (positions, width).
        output: the output projection.
        offset: what the model adds to all logits, shape (1, vocabulary).
        labels: the target tokens, shape (positions).
        label_smoothing: share of the target distribution that goes to all words.
        tokens: number of target tokens of the whole batch.
    """
    from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss  # only where it is installed

    bias = offset.flatten() if output.bias is None else offset.flatten() + output.bias
    # The kernel computes gradients only where its input needs one, also those of the projection.
    states = states if states.requires_grad else states.detach().requires_grad_()
    kernel = LigerFusedLinearCrossEntropyLoss(label_smoothing=label_smoothing, reduction="sum")
    loss = kernel(output.weight, states, labels, bias) / tokens
    loss.backward()
    return loss.detach()

"""Losses and gradients of models as an update computes them."""

import torch
from torch import nn

from mtpeft.training.micro_batches import TrainedModel, accumulate_gradients
from mtpeft.training.objective import LossOptions, likelihood


def gradients(model: nn.Module, inputs: dict[str, torch.Tensor], smoothing: float) -> tuple[float, list[torch.Tensor]]:
    """The loss of a batch, and its gradient for each trained parameter."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    for weight in trained:
        weight.grad = None
    of = TrainedModel(model.train(), trained, likelihood, LossOptions(smoothing), ())
    found = accumulate_gradients(of, inputs, seed=1, micro_batch_tokens=None)
    return found.loss.item(), [weight.grad for weight in trained]

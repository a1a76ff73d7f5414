"""Weights that are zero and stay so: those that were pruned from the linear layers of a base model.

Their gradient is zero, so that neither an optimizer with moments nor weight decay moves them, and the norm of the
gradient is that of the others. What a method trains beside a frozen base touches none of its weights; merged into the
base, it makes them what the method has learnt.
"""

from collections.abc import Iterable

import torch
from torch import nn


def keep_zeros(model: nn.Module, modules: Iterable[str]) -> None:
    """Keep the weights of these linear layers that are zero from being trained, and the same in copies of the layers.

    Args:
        model: with its parameters as they are to be trained.
        modules: names of linear layers.
    """
    for name in modules:
        module = model.get_submodule(name)
        module.keeps_zeros = True
        if module.weight.requires_grad:
            keep_zeros_of(module.weight)


def keep_zeros_of(weight: nn.Parameter) -> None:
    """Keep what is zero in a weight from being trained."""
    is_trained = weight.detach() != 0

    def without_zeros(gradient: torch.Tensor) -> torch.Tensor:
        nonlocal is_trained
        is_trained = is_trained.to(gradient.device)  # the model is moved after it was loaded
        return gradient * is_trained

    weight.register_hook(without_zeros)


def keeps_zeros(module: nn.Module) -> bool:
    """Return whether zeros in the weight of a linear layer stay zero in training."""
    return getattr(module, "keeps_zeros", False)

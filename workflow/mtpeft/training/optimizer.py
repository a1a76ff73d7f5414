"""The optimizer of all trainings: AdamW, its parameter groups, its weight decay, and the learning-rate schedule.

Weight decay pulls weights, and updates of weights, towards zero. A scale, a norm or a magnitude starts at one or at
the base model's value, and a bias at the base model's value, so a pull towards zero would damage the model: these do
not decay. Loshchilov & Hutter 2019 (arXiv 1711.05101) decouple the decay from the gradient; that vectors do not decay
is the custom of the field.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from mtpeft.methods import method_for
from mtpeft.methods.base import MethodOptions
from mtpeft.methods.staged import stages_of

BETAS = (0.9, 0.98)
"""Decay rates of AdamW's two moments: those of the Transformer (Vaswani et al. 2017, arXiv 1706.03762)."""
BIAS = "bias"
"""In the names of biases of more than one dimension, such as one for each language, or T5's by distance."""

RateFactor = Callable[[str], float]
"""Gives the factor by which the learning rate of a parameter of this name is multiplied."""
DecayRule = Callable[[str, nn.Parameter], bool]
"""Gives whether a parameter of this name decays."""


def make_optimizer(
    weights: Mapping[str, nn.Parameter],
    *,
    learning_rate: float,
    weight_decay: float,
    rate_factor: RateFactor,
    decays: DecayRule,
) -> torch.optim.AdamW:
    """Make the AdamW optimizer of the trained parameters, which are given by name.

    Args:
        weights: trained parameters by name, in the order of the model.
        learning_rate: peak learning rate.
        weight_decay: strength of the decoupled weight decay.
        rate_factor: factor of the learning rate of each parameter.
        decays: whether a parameter decays.
    """
    groups = _parameter_groups(weights, weight_decay=weight_decay, rate_factor=rate_factor, decays=decays)
    return torch.optim.AdamW(groups, lr=learning_rate, betas=BETAS, fused=True)


def _parameter_groups(
    weights: Mapping[str, nn.Parameter], *, weight_decay: float, rate_factor: RateFactor, decays: DecayRule
) -> list[dict[str, Any]]:
    """Group parameters by the factor of their learning rate and their weight decay, each in the order of the model."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in weights.items():
        decay = weight_decay if decays(name, weight) else 0.0
        groups.setdefault((rate_factor(name), decay), []).append(weight)
    return [{"params": own, "factor": factor, "weight_decay": decay} for (factor, decay), own in groups.items()]


def set_learning_rate(
    optimizer: torch.optim.Optimizer, update: int, *, peak: float, updates: int, warmup: float
) -> None:
    """Set the scheduled learning rate of an update in every parameter group, whose peak has the group's factor."""
    for group in optimizer.param_groups:
        group["lr"] = scheduled_rate(update, peak=peak * group["factor"], updates=updates, warmup=warmup)


def scheduled_rate(update: int, *, peak: float, updates: int, warmup: float) -> float:
    """Return the learning rate of an update: linear warm-up, then linear decay to 0 one update after the last.

    Args:
        update: number of the update, from 0 on.
        peak: rate at the end of the warm-up.
        updates: number of all updates.
        warmup: share of the updates in which the rate rises.
    """
    rising = max(1, round(warmup * updates))
    if update < rising:
        return peak * (update + 1) / rising
    return peak * (updates - update) / max(1, updates - rising)


def rate_factor_of(options: MethodOptions) -> RateFactor:
    """Return the factor that a method puts on the learning rate of each parameter; most have none."""
    factor = method_for(options).rate_factor
    return (lambda name: factor(name, options)) if factor else (lambda name: 1.0)


def decay_rule_of(options: MethodOptions) -> DecayRule:
    """Return the rule of weight decay with the exceptions of a method, or of all its stages."""
    exceptions = {**method_for(options).decays}
    for stage in stages_of(options):
        exceptions |= method_for(stage).decays
    return lambda name, weight: has_weight_decay(name, weight.ndim, exceptions)


def has_weight_decay(name: str, dimensions: int, exceptions: Mapping[str, bool]) -> bool:
    """Return whether a parameter decays: matrices do, except biases; vectors do not.

    Args:
        name: name of the parameter in the model.
        dimensions: number of its dimensions.
        exceptions: exceptions of the method, by a part of the name.
    """
    for part, does in exceptions.items():
        if part in name:
            return does
    return dimensions > 1 and BIAS not in name

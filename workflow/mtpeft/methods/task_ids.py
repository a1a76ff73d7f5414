"""Tell the modules of a model which pair of a group the rows of a batch are of.

A module that has an attribute `takes_domains` which is true finds the answer in its attribute `domains`. Where a cell
is trained on one pair, updates say nothing, so such a module begins with 0, the place of that pair.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

Domains = torch.Tensor | int | None
"""The place of a pair in its group: of each row, shape (batch,), or one for all; None where it is none of the group."""


def takers_of(model: nn.Module) -> list[nn.Module]:
    """The modules of a model that take domains, which is too long to look for in every update."""
    return [module for module in model.modules() if getattr(module, "takes_domains", False)]


def tell(takers: Iterable[nn.Module], domains: Domains) -> None:
    """Set `domains` of modules; they hold until others are told."""
    for module in takers:
        module.domains = domains


def say_domains(model: nn.Module, domains: Domains) -> None:
    """Tell every module of a model that takes domains."""
    tell(takers_of(model), domains)


def domain_of(trained: Mapping[str, Any], pair: str) -> Domains:
    """What to say before text of a pair is translated.

    Args:
        trained: settings of the training; of a group they have `members`, in its order.
        pair: label.
    """
    members: Sequence[str] = list(trained.get("members", [pair]))
    return members.index(pair) if pair in members else None

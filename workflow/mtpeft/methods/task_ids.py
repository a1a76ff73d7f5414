"""Tell the modules of a model which language pair the rows of a batch are of, where a cell trains on several.

A module whose attribute `takes_task_ids` is true finds the answer in its attribute `task_ids`. Where a cell is trained
on one pair, updates set nothing, so such a module begins with 0, the id of that pair.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    import torch
    from torch import nn

TaskIds = Union["torch.Tensor", int, None]
"""The place of a pair among those of its cell: of each row, shape (batch,), or one for all rows. None where the pair is
none of them."""


def task_modules(model: "nn.Module") -> "list[nn.Module]":
    """Return the modules of a model that take task ids, which takes too long to look for in every update."""
    return [module for module in model.modules() if getattr(module, "takes_task_ids", False)]


def assign_task_ids(modules: "Iterable[nn.Module]", ids: TaskIds) -> None:
    """Set the task ids of modules, which hold until others are set."""
    for module in modules:
        module.task_ids = ids


def set_task_ids(model: "nn.Module", ids: TaskIds) -> None:
    """Set the task ids of every module of a model that takes them."""
    assign_task_ids(task_modules(model), ids)


def task_id_of(params: Mapping[str, Any], pair: str) -> int | None:
    """Return the task id under which text of a pair is translated.

    Args:
        params: those of the training; a cell on several pairs has them as `members`, in its order.
        pair: label.
    """
    members: Sequence[str] = list(params.get("members", [pair]))
    return members.index(pair) if pair in members else None

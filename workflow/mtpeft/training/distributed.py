"""Distributed training: processes, called ranks, that train one model together, each on a GPU of its own.

Data-parallel: every rank reads its share of the rows of a batch, and all make the same updates from gradients that are
summed over the ranks. What depends on time or on files is decided by the first rank for all.

Sharded (FSDP, Zhao et al. 2023, arXiv 2304.11277; here in torch's second form): a model that is trained as a whole and
is too large for one GPU is divided, so that each rank holds a shard of every weight, of its gradient and of the
optimizer's moments. Layers are gathered while they are computed. In checkpoints and in results tensors are whole, so
that any number of processes can go on from them.

In a process that trains alone, nothing here does anything. `launch` starts the ranks, without loading torch.
"""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from accelerate import PartialState
from torch import distributed, nn
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from mtpeft.models.families import task_of

PATIENCE = timedelta(hours=1)
"""Longest wait of a rank for the others, for example while they write a checkpoint."""
BUCKET = 2**24
"""Most numbers that are summed at once: small gradients are summed together, a large one by itself."""
T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """The number of processes that train together, and the rank of this one."""

    count: int = 1
    index: int = 0


ALONE = Ranks()


@contextlib.contextmanager
def among_ranks() -> Iterator[None]:
    """Join the ranks that were launched, with a GPU of its own, while this is open."""
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    state = PartialState(cpu=not torch.cuda.is_available(), backend=backend, timeout=PATIENCE)
    yield
    state.destroy_process_group()


def ranks() -> Ranks:
    """Return the number of ranks and the number of this one."""
    if not distributed.is_initialized():
        return ALONE
    return Ranks(distributed.get_world_size(), distributed.get_rank())


def is_first() -> bool:
    """Return whether this is the first rank, which alone writes files."""
    return ranks().index == 0


def of_the_first(value: T) -> T:
    """Return the value that the first rank has here."""
    if ranks().count == 1:
        return value
    values = [value]
    distributed.broadcast_object_list(values, src=0, device=torch.device("cpu"))
    return values[0]


def is_true_in_any(fact: bool) -> bool:
    """Return whether something is true in at least one rank."""
    if ranks().count == 1:
        return fact
    answer = torch.tensor(int(fact))
    distributed.all_reduce(answer, distributed.ReduceOp.MAX)
    return bool(answer)


@contextlib.contextmanager
def first_before_others() -> Iterator[None]:
    """Have the first rank do something before the others do."""
    if not is_first():
        wait_for_all()
    yield
    if is_first():
        wait_for_all()


def wait_for_all() -> None:
    """Wait until all ranks have come here."""
    is_true_in_any(False)


@torch.no_grad()
def sum_over_ranks(tensors: Sequence[torch.Tensor]) -> None:
    """Replace tensors, which have the same shapes in all ranks, by their sums over the ranks."""
    if ranks().count == 1:
        return
    for bucket in _buckets(tensors):
        together = torch.cat([tensor.flatten() for tensor in bucket])
        distributed.all_reduce(together)
        for tensor, summed in zip(bucket, together.split([tensor.numel() for tensor in bucket]), strict=True):
            tensor.copy_(summed.view_as(tensor))


def sum_gradients(trained: Sequence[torch.nn.Parameter]) -> None:
    """Sum gradients over the ranks.

    A parameter without a gradient in all ranks, such as one of a language pair that is not in the batch, has none
    afterwards, so that the optimizer leaves it alone.
    """
    if ranks().count == 1:
        return
    has = torch.tensor([parameter.grad is not None for parameter in trained], dtype=torch.int32)
    distributed.all_reduce(has, distributed.ReduceOp.MAX)
    touched = [parameter for parameter, any_has in zip(trained, has.tolist(), strict=True) if any_has]
    for parameter in touched:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    sum_over_ranks([parameter.grad for parameter in touched])


def _buckets(tensors: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Yield tensors in groups of one type that are small enough to be summed at once."""
    bucket: list[torch.Tensor] = []
    for tensor in tensors:
        full = sum(own.numel() for own in bucket) + tensor.numel() > BUCKET
        if bucket and (full or bucket[0].dtype != tensor.dtype):
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket


def shard(model: nn.Module) -> None:
    """Leave this rank its shard of each weight; gradients are then summed over the ranks as they are computed."""
    if ranks().count == 1:
        return
    stacks = (getattr(model, f"get_{stack}")() for stack in task_of(model.config).stacks)
    for stack in stacks:
        for layer in max((own for own in stack.children() if isinstance(own, nn.ModuleList)), key=len):
            fully_shard(layer)
    fully_shard(model)
    for module in _sharded(model):
        module.set_gradient_divide_factor(1.0)
        module.set_force_sum_reduction_for_comms(True)


def is_sharded(model: nn.Module) -> bool:
    """Return whether this rank holds shards of a model."""
    return isinstance(model, FSDPModule)


@contextmanager
def gathered_model(model: nn.Module) -> Iterator[None]:
    """Hold a model whole in every rank while this is open, to translate with it."""
    if not is_sharded(model):
        yield
        return
    model.set_reshard_after_forward(False)
    for module in _sharded(model):
        module.unshard()
    try:
        yield
    finally:
        for module in _sharded(model):
            module.reshard()
        model.set_reshard_after_forward(True)


@contextmanager
def whole_weights(model: nn.Module) -> Iterator[dict[str, Any]]:
    """Yield the options with which `save_pretrained` stores a model in the first rank: the weights of a sharded one.

    Torch shards a model again when it is asked for its weights, so they are taken out of the gathered modules.
    """
    if not is_sharded(model):
        yield {}
        return
    names = list(model.state_dict())
    with gathered_model(model):
        found = {**dict(model.named_parameters(remove_duplicate=False)), **dict(model.named_buffers())}
        yield {"state_dict": {name: found[name].detach() for name in names}}


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return all of a tensor that may be sharded; all ranks must call this together."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def whole_on_first(tensor: torch.Tensor) -> torch.Tensor:
    """Return all of a tensor in the first rank, which writes it; of a sharded one the other ranks get nothing."""
    if not isinstance(tensor, DTensor):
        return tensor
    full = whole(tensor)
    return full.cpu() if is_first() else full.new_empty(0)


def sharded_as(tensor: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return a whole tensor of a weight's shape sharded as the weight is, and a tensor that fits already as it is."""
    if not isinstance(weight, DTensor) or isinstance(tensor, DTensor) or tensor.ndim == 0:
        return tensor.to(weight.device)
    return distribute_tensor(tensor.to(weight.device), weight.device_mesh, weight.placements, src_data_rank=None)


def _sharded(model: nn.Module) -> list[FSDPModule]:
    return [module for module in model.modules() if isinstance(module, FSDPModule)]

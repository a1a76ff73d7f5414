"""Processes that train one model together, each on its GPU with its share of the rows of every batch: the ranks.

All have the same weights and make the same updates, from gradients that are summed over them. What depends on time or
on files is decided by the first one for all. In a process that trains alone, nothing here does anything.
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

PATIENCE = timedelta(hours=1)
"""How long a rank waits for the others, while they save the state say."""
BUCKET = 2**24
"""Numbers that are summed at once: small gradients together, a large one by itself."""
T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """How many processes train together, and the place of this one."""

    count: int = 1
    index: int = 0


ALONE = Ranks()


@contextlib.contextmanager
def among_ranks() -> Iterator[None]:
    """Take this process's place among the ranks that were launched, and its GPU, for a while."""
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    state = PartialState(cpu=not torch.cuda.is_available(), backend=backend, timeout=PATIENCE)
    yield
    state.destroy_process_group()


def ranks() -> Ranks:
    """The processes that train together."""
    if not distributed.is_initialized():
        return ALONE
    return Ranks(distributed.get_world_size(), distributed.get_rank())


def is_first() -> bool:
    """True in the process that writes."""
    return ranks().index == 0


def of_the_first(value: T) -> T:
    """What the first of the ranks has here."""
    if ranks().count == 1:
        return value
    values = [value]
    distributed.broadcast_object_list(values, src=0, device=torch.device("cpu"))
    return values[0]


def is_true_in_any(fact: bool) -> bool:
    """True where it is in at least one of the ranks."""
    if ranks().count == 1:
        return fact
    answer = torch.tensor(int(fact))
    distributed.all_reduce(answer, distributed.ReduceOp.MAX)
    return bool(answer)


@contextlib.contextmanager
def first_before_others() -> Iterator[None]:
    """Have the first of the ranks do something before the others do."""
    if not is_first():
        wait_for_all()
    yield
    if is_first():
        wait_for_all()


def wait_for_all() -> None:
    """Go on when all ranks have come here."""
    is_true_in_any(False)


@torch.no_grad()
def sum_over_ranks(tensors: Sequence[torch.Tensor]) -> None:
    """Have tensors, of the same shapes in all ranks, hold their sums over the ranks."""
    if ranks().count == 1:
        return
    for bucket in _buckets(tensors):
        together = torch.cat([tensor.flatten() for tensor in bucket])
        distributed.all_reduce(together)
        for tensor, summed in zip(bucket, together.split([tensor.numel() for tensor in bucket]), strict=True):
            tensor.copy_(summed.view_as(tensor))


def sum_gradients(trained: Sequence[torch.nn.Parameter]) -> None:
    """Sum gradients over the ranks; a parameter that has one in no rank, such as of a pair that is not in the batch,
    has none afterwards, so that the optimiser leaves it alone.
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
    """Neighbours together, as long as they are of one type and not too many."""
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
    """Leave this rank its shard of each weight; gradients are then summed over the ranks as they are computed.

    A process that trains alone keeps all of it.
    """
    if ranks().count == 1:
        return
    for stack in (model.get_encoder(), model.get_decoder()):
        for layer in max((own for own in stack.children() if isinstance(own, nn.ModuleList)), key=len):
            fully_shard(layer)
    fully_shard(model)
    for module in _sharded(model):
        module.set_gradient_divide_factor(1.0)
        module.set_force_sum_reduction_for_comms(True)


def is_sharded(model: nn.Module) -> bool:
    """True where this rank holds shards of it."""
    return isinstance(model, FSDPModule)


@contextmanager
def put_together(model: nn.Module) -> Iterator[None]:
    """Hold a model whole in every rank, to translate with it."""
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
    """What `save_pretrained` has to be told while it stores a model, in the first rank: of a sharded one, its weights.

    Torch shards the model again where it is asked for them.
    """
    if not is_sharded(model):
        yield {}
        return
    names = list(model.state_dict())
    with put_together(model):
        found = {**dict(model.named_parameters(remove_duplicate=False)), **dict(model.named_buffers())}
        yield {"state_dict": {name: found[name].detach() for name in names}}


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """All of a tensor that may be sharded. All ranks must ask for it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def kept(tensor: torch.Tensor) -> torch.Tensor:
    """What the first of the ranks writes of a tensor; of a sharded one, other ranks have nothing to keep."""
    if not isinstance(tensor, DTensor):
        return tensor
    full = whole(tensor)
    return full.cpu() if is_first() else full.new_empty(0)


def as_held(tensor: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A whole tensor of a weight's shape as this rank holds the weight; what is held so, or is a number, is left."""
    if not isinstance(weight, DTensor) or isinstance(tensor, DTensor) or tensor.ndim == 0:
        return tensor.to(weight.device)
    return distribute_tensor(tensor.to(weight.device), weight.device_mesh, weight.placements, src_data_rank=None)


def _sharded(model: nn.Module) -> list[FSDPModule]:
    return [module for module in model.modules() if isinstance(module, FSDPModule)]

"""A model that is trained whole and is too large for one GPU: each rank holds a shard of every weight, of its gradient
and of the optimiser's state, and layers are put together while they are computed (FSDP, Zhao et al. 2023,
arXiv 2304.11277; here in torch's second form).

Outside of training, in saved states above all, tensors are whole, so that any number of processes can go on from them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from mtpeft.training.ranks import is_first, ranks


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

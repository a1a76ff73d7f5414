"""AdaLoRA's pruning, as peft has it, around the updates of this project (Zhang et al. 2023, arXiv 2303.10512).

Peft adds the regulariser to a loss that the model computes itself, and wants to be told of each update. Its ranks are
pruned over the middle part of the updates, by the importance of each triplet, until a share is left; a pruned
triplet has a singular value of zero.
"""

import math
from collections.abc import Mapping

import torch
from peft import PeftModel
from torch import nn

from mtpeft.models.load import RANK_COUNT
from mtpeft.training.hook import UpdateHook

QUIET_START, QUIET_END = 0.1, 0.3
"""Shares of the updates before the first pruning and after the last."""
ORTHOGONALITY = 0.5
"""Weight of the regulariser, as in peft."""


class RankAllocation(UpdateHook):
    """Prunes triplets of the active adapter until the share `kept` of them is left.

    Args:
        model: with the adapter.
        kept: share of the triplets.
    """

    def __init__(self, model: PeftModel, *, kept: float) -> None:
        self._tuner = model.base_model
        self._config = model.peft_config[model.active_adapter]
        self._allocator = self._tuner.rankallocator
        triplets = self._allocator.init_bgt
        self._allocator.target_bgt = min(triplets - 1, math.ceil(kept * triplets))

    def before(self) -> None:
        """Add the gradients of the regulariser: singular vectors shall be orthogonal."""
        named = self._tuner.model.named_parameters()
        distances = [_distance(name, vectors) for name, vectors in named if ".lora_A." in name or ".lora_B." in name]
        (ORTHOGONALITY * torch.stack(distances).mean()).backward()

    def after(self, update: int, updates: int) -> None:
        """Prune what is due."""
        if updates < 2 or self._allocator.init_bgt < 2:
            return
        self._config.total_step = updates
        self._config.tinit, self._config.tfinal = int(QUIET_START * updates), int(QUIET_END * updates)
        self._tuner.update_and_allocate(update)

    def memory(self) -> Mapping[str, torch.Tensor]:
        """Averages of the importance, and which triplets are left."""
        kept = {name: torch.tensor(which) for name, which in (self._config.rank_pattern or {}).items()}
        parts = {"importance": self._allocator.exp_avg_ipt, "doubt": self._allocator.exp_avg_unc, "kept": kept}
        return {f"{part}/{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}

    def remember(self, memory: Mapping[str, torch.Tensor]) -> None:
        """Go on with averages and triplets."""
        parts: dict[str, dict[str, torch.Tensor]] = {"importance": {}, "doubt": {}, "kept": {}}
        for key, tensor in memory.items():
            part, _, name = key.partition("/")
            parts[part][name] = tensor.to(self._tuner.model.device)
        self._allocator.exp_avg_ipt, self._allocator.exp_avg_unc = parts["importance"], parts["doubt"]
        self._allocator.ipt = dict.fromkeys(parts["importance"])
        self._config.rank_pattern = {name: which.tolist() for name, which in parts["kept"].items()} or None


def _distance(name: str, vectors: nn.Parameter) -> torch.Tensor:
    """How far singular vectors are from being orthogonal and of length one."""
    products = vectors @ vectors.T if ".lora_A." in name else vectors.T @ vectors
    return torch.linalg.norm(products - torch.eye(len(products), device=products.device))


def store_all_triplets(model: PeftModel) -> PeftModel:
    """Have pruned triplets stored too, since peft would choose them by the last update, not by the best."""
    model.peft_config[model.active_adapter].rank_pattern = None
    return model


def keep_counts(model: PeftModel) -> PeftModel:
    """Leave the numbers of ranks alone: peft holds them as parameters, and lets 16-bit ones be trained."""
    for name, parameter in model.named_parameters():
        if RANK_COUNT in name:
            parameter.requires_grad = False
    return model

"""AdaLoRA's pruning, as peft has it, as a hook of this project's updates (Zhang et al. 2023, arXiv 2303.10512).

Peft adds the regulariser to a loss that the model computes itself, and has to be called after each update. Ranks are
pruned over the middle part of the updates, by the importance of each triplet of a singular value and its two vectors;
a pruned triplet has a singular value of zero. Peft prunes all layers to one number of triplets, whatever they cost, and
all of equal importance at once. Here layers of equal cost share a number of triplets, which is met exactly.
"""

from collections.abc import Mapping

import torch
from peft import PeftModel
from peft.tuners.adalora import RankAllocator, SVDLinear
from torch import nn

from mtpeft.methods.base import UpdateHook
from mtpeft.methods.base_adapter import insert_adapter
from mtpeft.methods.peft.sized_adapter import config_with_sizes
from mtpeft.models.load import RANK_COUNT

QUIET_START, QUIET_END = 0.1, 0.3
"""Shares of the updates before the first pruning and after the last."""
ORTHOGONALITY = 0.5
"""Weight of the regulariser, as in peft."""
EPSILON = 1e-5
"""Peft adds it to the rank by which it divides the scaling."""


def insert_ranks(model: nn.Module, ranks: Mapping[str, int], *, left: Mapping[str, int], scaling: float) -> PeftModel:
    """Put AdaLoRA beside modules.

    Args:
        model: the base model.
        ranks: of each module at the start.
        left: ranks that would be left at the end if all were equally important; modules of equal cost share them.
        scaling: factor on the update, whatever the rank is.
    """
    tuned = insert_adapter(
        model,
        config_with_sizes("ADALORA"),
        ranks,
        total_step=1,  # peft wants to know it here, and learns it in training
        keys_by_module={
            module: {"init_r": rank, "lora_alpha": scaling * rank, "target_r": left.get(module, 0)}
            for module, rank in ranks.items()
        },
    )
    for name, parameter in tuned.named_parameters():
        if RANK_COUNT in name:  # peft holds these numbers as parameters, and lets 16-bit ones be trained
            parameter.requires_grad = False
    return tuned


class ExactAllocator(RankAllocator):
    """Peft's allocator, which prunes the modules of each cost to a number of triplets of their own.

    Args:
        model: that peft's tuner has wrapped.
        peft_config: of the adapter.
        adapter_name: its name.
    """

    def _set_budget_scheduler(self, model: nn.Module) -> None:
        self.modules_by_cost: dict[int, list[str]] = {}
        for name, layer in _layers(model).items():
            self.modules_by_cost.setdefault(layer.in_features + layer.out_features, []).append(name)
        keys = self.peft_config.keys_by_module
        self.starts = {c: sum(keys[name]["init_r"] for name in own) for c, own in self.modules_by_cost.items()}
        self.left = {c: sum(keys[name]["target_r"] for name in own) for c, own in self.modules_by_cost.items()}
        self.init_bgt, self.target_bgt = sum(self.starts.values()), sum(self.left.values())

    def mask_to_budget(self, model: nn.Module, budget: int) -> dict[str, list[bool]]:
        """Set the singular values of the least important triplets to zero; returns which stay, by parameter."""
        pruned = self.init_bgt - self.target_bgt
        share = (budget - self.target_bgt) / pruned if pruned else 0.0
        layers = _layers(model)
        pattern: dict[str, list[bool]] = {}
        for cost, names in self.modules_by_cost.items():
            count = self.left[cost] + int(share * (self.starts[cost] - self.left[cost]))
            scores = {name: self._score(name) for name in names}
            for name, kept in _largest(scores, count).items():
                layers[name].lora_E[self.adapter_name].data.masked_fill_(~kept[:, None], 0.0)
                pattern[self._parameter(name, "lora_E")] = kept.tolist()
        return pattern

    def _parameter(self, module: str, part: str) -> str:
        return f"{module}.{part}.{self.adapter_name}"

    def _score(self, module: str) -> torch.Tensor:
        """Return the importance of a module's triplets: that of the singular value, and the mean of each vector."""
        values, inputs, outputs = (
            self._element_score(self._parameter(module, part)) for part in ("lora_E", "lora_A", "lora_B")
        )
        return values.flatten() + inputs.mean(dim=1) + outputs.mean(dim=0)


def _largest(scores: Mapping[str, torch.Tensor], count: int) -> dict[str, torch.Tensor]:
    """Return which of all scores are the `count` largest, by module; among equals the earlier ones."""
    order = torch.cat(list(scores.values())).argsort(descending=True, stable=True)
    kept = torch.zeros(len(order), dtype=torch.bool, device=order.device)
    kept[order[:count]] = True
    return dict(zip(scores, kept.split([len(own) for own in scores.values()]), strict=True))


def _layers(model: nn.Module) -> dict[str, SVDLinear]:
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, SVDLinear)}


class RankAllocation(UpdateHook):
    """Prunes triplets of the active adapter until so many are left as its configuration says."""

    def __init__(self, model: PeftModel) -> None:
        self._tuner = model.base_model
        self._config = model.peft_config[model.active_adapter]
        self._allocator = ExactAllocator(self._tuner.model, self._config, model.active_adapter)
        self._tuner.rankallocator = self._allocator

    def before(self) -> None:
        """Add the gradients of the regulariser: singular vectors shall be orthogonal."""
        named = self._tuner.model.named_parameters()
        distances = [_distance(name, vectors) for name, vectors in named if ".lora_A." in name or ".lora_B." in name]
        (ORTHOGONALITY * torch.stack(distances).mean()).backward()

    def after(self, update: int, updates: int) -> None:
        """Prune what is due."""
        self._config.total_step = updates
        self._config.tinit, self._config.tfinal = int(QUIET_START * updates), _quiet_end(updates)
        self._tuner.update_and_allocate(update)

    def may_be_kept(self, update: int, updates: int) -> bool:
        """Return whether no more is left than the budget allows.

        That is so once all is pruned, and before the first update, when all singular values are zero.
        """
        return update == 0 or update >= updates - _quiet_end(updates)

    def memory(self) -> Mapping[str, torch.Tensor]:
        """Return averages of the importance, and which triplets are left."""
        kept = {name: torch.tensor(which) for name, which in (self._config.rank_pattern or {}).items()}
        parts = {"importance": self._allocator.exp_avg_ipt, "doubt": self._allocator.exp_avg_unc, "kept": kept}
        return {f"{part}/{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}

    def remember(self, memory: Mapping[str, torch.Tensor]) -> None:
        """Resume with averages and triplets."""
        parts: dict[str, dict[str, torch.Tensor]] = {"importance": {}, "doubt": {}, "kept": {}}
        for key, tensor in memory.items():
            part, _, name = key.partition("/")
            parts[part][name] = tensor.to(self._tuner.model.device)
        self._allocator.exp_avg_ipt, self._allocator.exp_avg_unc = parts["importance"], parts["doubt"]
        self._allocator.ipt = dict.fromkeys(parts["importance"])
        self._config.rank_pattern = {name: which.tolist() for name, which in parts["kept"].items()} or None


def _quiet_end(updates: int) -> int:
    return int(QUIET_END * updates)


def _distance(name: str, vectors: nn.Parameter) -> torch.Tensor:
    """Return how far singular vectors are from being orthogonal and of length one."""
    products = vectors @ vectors.T if ".lora_A." in name else vectors.T @ vectors
    return torch.linalg.norm(products - torch.eye(len(products), device=products.device))


@torch.no_grad()
def without_pruned_ranks(model: PeftModel) -> PeftModel:
    """Return the same model without the triplets that were pruned, and without the layers that have none left.

    Where a run ended before all was pruned, the triplets with the smallest singular values go.
    """
    adapter = model.active_adapter
    config, wrapped = model.peft_config[adapter], model.base_model.model
    allocator = ExactAllocator(wrapped, config, adapter)
    layers, kept = _layers(wrapped), {}
    for cost, names in allocator.modules_by_cost.items():
        kept |= _largest({name: _size(layers[name], config.rank_pattern, name) for name in names}, allocator.left[cost])
    for name, layer in layers.items():
        _keep_ranks(layer, kept[name], adapter)
        if layer.r[adapter] == 0:
            parent, _, child = name.rpartition(".")
            setattr(wrapped.get_submodule(parent), child, layer.base_layer)
    ranks = ranks_of(model)
    own = config.keys_by_module
    config.keys_by_module = {
        name: {"init_r": rank, "lora_alpha": layers[name].lora_alpha[adapter], "target_r": rank}
        for name, rank in ranks.items()
        if name in own
    }
    config.rank_pattern, config.target_modules = None, set(ranks)
    return model


def _size(layer: SVDLinear, pattern: Mapping[str, list[bool]] | None, name: str) -> torch.Tensor:
    """Return the size of each singular value, with those that stay before all others."""
    (adapter,) = layer.active_adapters
    sizes = layer.lora_E[adapter].flatten().abs()
    stays = (pattern or {}).get(f"{name}.lora_E.{adapter}")
    return sizes if stays is None else torch.tensor(stays, device=sizes.device, dtype=sizes.dtype)


def _keep_ranks(layer: SVDLinear, kept: torch.Tensor, adapter: str) -> None:
    """Leave these triplets, and let the layer compute what it did: peft divides by the rank."""
    before, rank = layer.r[adapter], int(kept.sum())
    scaling = layer.lora_alpha[adapter] / before
    ratio = before / (before + EPSILON) / (rank / (rank + EPSILON)) if rank else 1.0
    for part, values in (
        (layer.lora_A, layer.lora_A[adapter][kept]),
        (layer.lora_B, layer.lora_B[adapter][:, kept]),
        (layer.lora_E, layer.lora_E[adapter][kept] * ratio),
    ):
        part[adapter] = nn.Parameter(values.clone(), requires_grad=part[adapter].requires_grad)
    layer.r[adapter], layer.lora_alpha[adapter] = rank, scaling * rank
    layer.scaling[adapter] = scaling * rank
    layer.ranknum[adapter].fill_(float(rank))


def ranks_of(model: PeftModel) -> dict[str, int]:
    """Return the rank of each module that has one."""
    adapter = model.active_adapter
    return {name: layer.r[adapter] for name, layer in _layers(model.base_model.model).items() if layer.r[adapter]}

"""The adapter of DSEE, sparse and low-rank updates: (W + s * BA + S) x, S with few entries (Chen et al. 2021).

Where the entries of S stand is chosen once, from W alone: W is decomposed into a low-rank part and a rest, and the
largest entries of the rest are taken. They are stored with the weights.
"""

from dataclasses import dataclass, field

import torch
from peft.tuners.tuners_utils import check_adapters_to_merge
from torch import nn
from torch.nn import functional

from mtpeft.core import compat
from mtpeft.methods.base_adapter import AdapterConfig, WrapperLayer, WrappingAdapter, register

ROUNDS = 4
"""Times that the two parts of a decomposition are found in turn; the support hardly changes after that."""


@dataclass
class DseeConfig(AdapterConfig):
    """Configuration of DSEE: which linear layers are updated, by which rank, and by how many entries."""

    adapter_type = "DSEE"

    rank: int = field(default=8, metadata={"help": "Rank where the pattern names none."})
    rank_pattern: dict[str, int] = field(default_factory=dict, metadata={"help": "Rank by module name."})
    sparse: int = field(default=64, metadata={"help": "Entries of the sparse update."})
    scaling: float = field(default=2.0, metadata={"help": "Factor on the low-rank update."})


@torch.no_grad()
def sparse_support(weight: torch.Tensor, *, rank: int, entries: int) -> torch.Tensor:
    """Find the largest entries of what a low-rank matrix leaves: ascending indices into the flat matrix.

    The two parts are found in turn, each as the best one given the other, as the paper's decomposition has it.
    """
    weight = weight.float()
    sparse = torch.zeros_like(weight)
    for _ in range(ROUNDS):
        left, values, right = torch.linalg.svd(weight - sparse, full_matrices=False)
        rest = weight - (left[:, :rank] * values[:rank]) @ right[:rank]
        chosen = rest.abs().flatten().topk(entries).indices.sort().values
        sparse = torch.zeros_like(weight).flatten().index_copy(0, chosen, rest.flatten()[chosen]).view_as(weight)
    return chosen


class DseeLayer(WrapperLayer):
    """A linear layer with the updates of the active adapters."""

    adapter_layer_names = ("dsee_down", "dsee_up", "dsee_entries")
    other_param_names = ("dsee_support",)

    def __init__(self, base_layer: nn.Linear, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.dsee_down = nn.ParameterDict()
        self.dsee_up = nn.ParameterDict()
        self.dsee_entries = nn.ParameterDict()
        self.dsee_support = compat.buffers_by_adapter()
        self.scalings: dict[str, float] = {}

    def add_adapter(self, adapter_name: str, *, rank: int, sparse: int, scaling: float) -> None:
        """Add an update that is zero until it is trained."""
        weight = self.base_layer.weight
        entries = min(sparse, weight.numel())
        outputs, inputs = weight.shape
        down = torch.empty(rank, inputs, device=weight.device)
        nn.init.kaiming_uniform_(down, a=5**0.5)
        self.dsee_down[adapter_name] = nn.Parameter(down)
        self.dsee_up[adapter_name] = nn.Parameter(torch.zeros(outputs, rank, device=weight.device))
        self.dsee_entries[adapter_name] = nn.Parameter(torch.zeros(entries, device=weight.device))
        self.dsee_support[adapter_name] = sparse_support(weight, rank=rank, entries=entries).to(torch.int32)
        self.scalings[adapter_name] = scaling

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Compute the layer with the updates of the active adapters."""
        output = self.base_layer(hidden)
        if self.disable_adapters or self.merged:
            return output
        for name in self.active_in(self.dsee_down):
            given = hidden.to(self.dsee_down[name].dtype)
            low_rank = functional.linear(functional.linear(given, self.dsee_down[name]), self.dsee_up[name])
            output = output + (self.scalings[name] * low_rank + self._sparse(given, name)).to(output.dtype)
        return output

    def _sparse(self, given: torch.Tensor, name: str) -> torch.Tensor:
        rows, columns = self._places(name)
        products = given[..., columns] * self.dsee_entries[name]
        blank = given.new_zeros(*given.shape[:-1], self.base_layer.out_features)
        return blank.index_add(-1, rows, products)

    def _places(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        support, inputs = self.dsee_support[name].long(), self.base_layer.in_features
        return support // inputs, support % inputs

    @torch.no_grad()
    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Add the updates to the weights of the layer."""
        weight = self.base_layer.weight
        for name in check_adapters_to_merge(self, adapter_names):
            weight += (self.scalings[name] * self.dsee_up[name] @ self.dsee_down[name]).to(weight.dtype)
            weight[self._places(name)] += self.dsee_entries[name].to(weight.dtype)
            self.merged_adapters.append(name)


class DseeModel(WrappingAdapter):
    """Puts updates into a model."""

    prefix = "dsee_"
    tuner_layer_cls = wrapper = DseeLayer

    def add_to(self, layer: DseeLayer, config: DseeConfig, adapter_name: str, *, module: str) -> None:
        """Add an update of the rank that the pattern names."""
        rank = config.rank_pattern.get(module, config.rank)
        layer.add_adapter(adapter_name, rank=rank, sparse=config.sparse, scaling=config.scaling)


register(DseeConfig, DseeModel)

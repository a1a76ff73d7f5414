"""The adapter of Context-PEFT: sets of parameters by the domain of a token (arXiv 2312.08900).

Which pair the rows of a batch are of is set before the model is called (`mtpeft.methods.task_ids`); a side of a pair
has the set of its language. Three variants: a low-rank update (LoRA), factors on what a layer puts out or reads
((IA)3), and a bias (BitFit).
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import check_adapters_to_merge
from torch import nn

from mtpeft.methods.base_adapter import AdapterConfig, WrapperLayer, WrappingAdapter, register
from mtpeft.methods.token_sides import TokenSides, sides_of_model
from mtpeft.models.families.module_names import is_last_of_block

BOTH = "both"
"""Side of a module that sees the tokens of both."""


@dataclass
class ContextConfig(AdapterConfig):
    """Configuration of Context-PEFT: which layers have sets, of what kind, and which set each pair has."""

    adapter_type = "CONTEXT"

    variant: str = field(default="lora", metadata={"help": "lora, ia3 or bitfit."})
    rank_pattern: dict[str, int] = field(default_factory=dict, metadata={"help": "Rank of an update by module name."})
    sides: dict[str, str] = field(default_factory=dict, metadata={"help": "Whose tokens a module sees."})
    sets: dict[str, list[int]] = field(default_factory=dict, metadata={"help": "Set of each pair, by side."})
    scaling: float = field(default=1.0, metadata={"help": "Factor on a low-rank update."})


class ContextLayer(WrapperLayer):
    """A linear layer or a layer norm with the sets of the active adapter; the rows of a batch may have different ones.

    Attributes:
        task_ids: place of a pair in the cell's group: of each row, shape (batch), or one for all. None: of a pair that
            is none of the group, for which the layer computes what the base does.
        sets: by adapter, the set of each pair for the tokens of the layer, or for those of the source.
        target_sets: by adapter, the set of each pair for the tokens of the target, where the layer sees both sides.
        token_sides: knows which tokens these are; None where the layer sees one side.
    """

    takes_task_ids = True

    def __init__(self, base_layer: nn.Linear | nn.LayerNorm, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        for piece in self.adapter_layer_names:
            setattr(self, piece, nn.ParameterDict())
        self.task_ids: torch.Tensor | int | None = 0
        self.sets: dict[str, list[int]] = {}
        self.target_sets: dict[str, list[int]] = {}
        self.token_sides: TokenSides | None = None

    def add_adapter(self, adapter_name: str, config: ContextConfig, *, module: str, sides: TokenSides | None) -> None:
        """Add sets that change nothing until they are trained; those of the target stand behind those of the source."""
        side = config.sides[module]
        own = config.sets["source" if side == BOTH else side]
        self.sets[adapter_name], count = own, max(own) + 1
        if side == BOTH:
            self.token_sides = sides
            self.target_sets[adapter_name] = [count + number for number in config.sets["target"]]
            count = max(self.target_sets[adapter_name]) + 1
        pieces = self.fresh(config, module, count=count)
        for name, piece in pieces.items():
            getattr(self, name)[adapter_name] = nn.Parameter(piece.to(self.base_layer.weight.device))

    @abstractmethod
    def fresh(self, config: ContextConfig, module: str, *, count: int) -> dict[str, torch.Tensor]:
        """Make the weights of an adapter by name, with the sets as their first dimension."""

    @abstractmethod
    def changed(self, hidden: torch.Tensor, adapter_name: str) -> torch.Tensor:
        """Compute the layer with an adapter."""

    @abstractmethod
    def write(self, adapter_name: str) -> None:
        """Write the only set of an adapter into the weights of the layer."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Compute the layer with the sets of the rows: (batch, length, inputs) to (batch, length, outputs)."""
        active = self.active_in(self.sets)
        if self.disable_adapters or self.merged or not active or self.task_ids is None:
            return self.base_layer(hidden)
        return self.changed(hidden, active[-1])

    def by_token(self, adapter_name: str, make: Callable[[list[int]], torch.Tensor]) -> torch.Tensor:
        """Return what `make` makes of the sets of the pairs, of those of its own side for each token.

        Args:
            adapter_name: which adapter.
            make: of the set of each pair: shape (batch, length, width), or one that is broadcast to it.
        """
        sides = self.token_sides
        if sides is None:
            return make(self.sets[adapter_name])
        if isinstance(sides.is_target, bool):
            return make((self.target_sets if sides.is_target else self.sets)[adapter_name])
        source, target = (make(own[adapter_name]) for own in (self.sets, self.target_sets))
        return torch.where(sides.is_target[..., None], target, source)

    def of_rows(self, piece: torch.Tensor, own: list[int]) -> torch.Tensor:
        """Return the sets of the rows, one for each or one for all, given the set of each pair."""
        sets = torch.tensor(own, device=piece.device)
        task_ids = self.task_ids.to(piece.device) if isinstance(self.task_ids, torch.Tensor) else self.task_ids
        return piece[sets[task_ids]]

    @torch.no_grad()
    def keep(self, task_id: int) -> None:
        """Keep the sets of one pair alone, which is the only one then."""
        for name, own in self.sets.items():
            kept = [sets[task_id] for sets in (own, self.target_sets.get(name)) if sets]
            for piece in self.adapter_layer_names:
                weights = getattr(self, piece)
                weights[name] = nn.Parameter(weights[name][kept].clone(), weights[name].requires_grad)
            self.sets[name] = [0]
            if name in self.target_sets:
                self.target_sets[name] = [1]
        self.task_ids = 0

    @torch.no_grad()
    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Write the trained set into the base model.

        Raises:
            ValueError: there are several, and no single model is what all of them make.
        """
        for name in check_adapters_to_merge(self, adapter_names):
            if len({*self.sets[name], *self.target_sets.get(name, ())}) > 1:
                raise ValueError("One set for each language can't be merged into one base model; keep them as modules.")
            self.write(name)
            self.merged_adapters.append(name)


class ContextLora(ContextLayer):
    """A layer with a low-rank update for each set."""

    adapter_layer_names = ("context_down", "context_up")

    def fresh(self, config: ContextConfig, module: str, *, count: int) -> dict[str, torch.Tensor]:
        """Make down-projections with random entries, and up-projections that are zero."""
        inputs, outputs, rank = self.base_layer.in_features, self.base_layer.out_features, config.rank_pattern[module]
        self.scaling = config.scaling
        down = torch.empty(count, rank, inputs).uniform_(-(inputs**-0.5), inputs**-0.5)
        return {"context_down": down, "context_up": torch.zeros(count, outputs, rank)}

    def changed(self, hidden: torch.Tensor, adapter_name: str) -> torch.Tensor:
        """Compute W x + s B A x."""
        output = self.base_layer(hidden)
        pieces = [piece[adapter_name] for piece in (self.context_down, self.context_up)]

        def update(own: list[int]) -> torch.Tensor:
            down, up = (self.of_rows(piece, own) for piece in pieces)
            return hidden.to(down.dtype) @ down.mT @ up.mT

        return output + (self.scaling * self.by_token(adapter_name, update)).to(output.dtype)

    def write(self, adapter_name: str) -> None:
        """Write W + s B A."""
        update = self.context_up[adapter_name][0] @ self.context_down[adapter_name][0]
        self.base_layer.weight += (self.scaling * update).to(self.base_layer.weight.dtype)


class ContextIa3(ContextLayer):
    """A layer with factors for each set: on what it reads, if it is the last one of a block, or on what it puts out."""

    adapter_layer_names = ("context_factor",)

    def fresh(self, config: ContextConfig, module: str, *, count: int) -> dict[str, torch.Tensor]:
        """Make factors of one."""
        self.on_input = is_last_of_block(module)
        width = self.base_layer.in_features if self.on_input else self.base_layer.out_features
        return {"context_factor": torch.ones(count, width)}

    def changed(self, hidden: torch.Tensor, adapter_name: str) -> torch.Tensor:
        """Compute W (l * x), or l * (W x)."""
        piece = self.context_factor[adapter_name]
        factor = self.by_token(adapter_name, lambda own: self.of_rows(piece, own).unsqueeze(-2)).to(hidden.dtype)
        return self.base_layer(hidden * factor) if self.on_input else self.base_layer(hidden) * factor

    def write(self, adapter_name: str) -> None:
        """Multiply columns or rows of the weights by the factors."""
        factor = self.context_factor[adapter_name][0].to(self.base_layer.weight.dtype)
        self.base_layer.weight *= factor if self.on_input else factor[:, None]
        if self.base_layer.bias is not None and not self.on_input:
            self.base_layer.bias *= factor


class ContextBitFit(ContextLayer):
    """A layer with a bias for each set, which is added to its own."""

    adapter_layer_names = ("context_bias",)

    def fresh(self, config: ContextConfig, module: str, *, count: int) -> dict[str, torch.Tensor]:
        """Make biases of zero."""
        return {"context_bias": torch.zeros(count, len(self.base_layer.bias))}

    def changed(self, hidden: torch.Tensor, adapter_name: str) -> torch.Tensor:
        """Compute the layer with its own bias and that of the set."""
        output, piece = self.base_layer(hidden), self.context_bias[adapter_name]
        bias = self.by_token(adapter_name, lambda own: self.of_rows(piece, own).unsqueeze(-2))
        return output + bias.to(output.dtype)

    def write(self, adapter_name: str) -> None:
        """Add the bias of the set to that of the layer."""
        self.base_layer.bias += self.context_bias[adapter_name][0].to(self.base_layer.bias.dtype)


VARIANTS: dict[str, type[ContextLayer]] = {"lora": ContextLora, "ia3": ContextIa3, "bitfit": ContextBitFit}


class ContextModel(WrappingAdapter):
    """Puts sets into a model."""

    prefix = "context_"
    tuner_layer_cls = wrapper = ContextLayer

    def wrap(
        self, target: nn.Module, adapter_name: str, *, parent: nn.Module, config: ContextConfig, module: str
    ) -> ContextLayer:
        """Return a wrapper of the variant."""
        return VARIANTS[config.variant](target, adapter_name)

    def add_to(self, layer: ContextLayer, config: ContextConfig, adapter_name: str, *, module: str) -> None:
        """Add sets to the wrapper of a layer."""
        sides = sides_of_model(self.model) if config.sides[module] == BOTH else None
        layer.add_adapter(adapter_name, config, module=module, sides=sides)


def has_sets(model: nn.Module) -> bool:
    """Return whether a model has sets of parameters by the languages of its tokens."""
    return any(isinstance(module, ContextLayer) for module in model.modules())


def keep_pair(tuned: PeftModel, task_id: int) -> None:
    """Take the sets of all pairs but one out of a peft model, so that what is stored serves its languages alone."""
    for layer in tuned.modules():
        if isinstance(layer, ContextLayer):
            layer.keep(task_id)
    for config in tuned.peft_config.values():
        config.sets = {side: [0] for side in config.sets}


register(ContextConfig, ContextModel)

"""Put experts into a model: of each feed-forward block, only those units are computed that a token's experts hold.

Everything that a method has put beside or around the layers stays and computes as before. What a block hands on is
defined by a mask: hidden units of other experts count as zero, whatever an adapter of the first layer adds to them. The
base model's own layers, which hold nearly all of the operations, compute the units of the chosen experts alone: tokens
are gathered by expert, and each expert multiplies its rows of the weights with its tokens.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from mtpeft.decoding.representations import WRAPPED, outermost_modules
from mtpeft.models.feed_forward import FeedForward, Router, block_operations


@dataclass(eq=False)
class ExpertBlock:
    """A block with its experts: what is chosen for the tokens that it computes at present, and how many it has met.

    Attributes:
        units: hidden units of each expert: shape (experts, size).
        router: scores experts by the block's input; None for the oracle, which scores them by their activations.
        active: number of experts that each token has.
        masks: whether hidden units of other experts must be set to zero, since a wrapper reads or writes them.
        tokens: number of tokens that were computed so far, padding included.
        chosen: experts of each token: shape (tokens, active); None where they are yet to be chosen.
        tokens_of: tokens of each expert that has any, as places in the batch, with the number of the expert.
    """

    units: torch.Tensor
    router: nn.Module | None
    active: int
    masks: bool
    tokens: int = 0
    chosen: torch.Tensor | None = field(default=None, repr=False)
    tokens_of: Sequence[tuple[int, torch.Tensor]] = field(default=(), repr=False)

    @property
    def experts(self) -> int:
        """Number of experts."""
        return len(self.units)

    def count(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """Count the tokens that the block is given."""
        self.tokens += args[0].shape[:-1].numel()

    def open(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """Choose by the input of the block, unless the choice is the oracle's."""
        self.count(module, args)
        given = args[0].reshape(-1, args[0].shape[-1])
        self.chosen = None
        if self.router:
            self._choose(self.router(given))

    def close(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Let the oracle choose, and set units of other experts to zero where that is needed."""
        hidden = args[0].reshape(-1, args[0].shape[-1])
        if self.router is None:
            self._choose(hidden[:, self.units].clamp_min(0).sum(-1))
        if not self.masks:
            return None
        kept = torch.zeros(len(hidden), self.experts, dtype=torch.bool, device=hidden.device)
        kept.scatter_(1, self.chosen, True)
        masked = torch.zeros_like(hidden)
        masked[:, self.units] = hidden[:, self.units] * kept[..., None]
        return masked.view_as(args[0]), *args[1:]

    def _choose(self, scores: torch.Tensor) -> None:
        """Choose the experts with the highest scores, shape (tokens, experts), for each token."""
        self.chosen = scores.topk(self.active, dim=-1).indices
        flat = self.chosen.flatten()
        counts = torch.bincount(flat, minlength=self.experts).tolist()
        places = (flat.argsort(stable=True) // self.active).split(counts)
        self.tokens_of = [(expert, own) for expert, own in enumerate(places) if len(own)]


class ExpertLayer:
    """Computes a linear layer of a block in the place of its own `forward`.

    Attributes:
        was_called: whether it has computed anything; a wrapper with weights of its own may not ask the layer inside.
    """

    def __init__(self, layer: nn.Linear, block: ExpertBlock) -> None:
        self.layer, self.block, self.was_called = layer, block, False
        self._own: tuple[Any, Any] = (None, None)
        self._by_expert: tuple[Any, Any] = (None, None)

    def by_expert(self) -> tuple[Any, Any]:
        """Return weight and bias as `gather` does, anew where a wrapper has put others into the layer."""
        own = self.layer.weight, self.layer.bias
        if any(new is not old for new, old in zip(own, self._own, strict=True)):
            self._own, self._by_expert = own, self.gather(*own)
        return self._by_expert

    def gather(self, weight: torch.Tensor, bias: torch.Tensor | None) -> tuple[Any, Any]:
        """Return the weight by expert, each as `functional.linear` takes it, and the bias as the layer needs it."""
        raise NotImplementedError


class ExpertOpening(ExpertLayer):
    """Computes the first layer: the units of the chosen experts, and zeros for the others. All units for the oracle."""

    def gather(self, weight: torch.Tensor, bias: torch.Tensor | None) -> tuple[Any, Any]:
        """Return rows and biases of each expert: shapes (experts, size, width) and (experts, size)."""
        units = self.block.units
        return weight.detach()[units], [None] * len(units) if bias is None else bias.detach()[units]

    def __call__(self, given: torch.Tensor) -> torch.Tensor:
        """Return hidden units before the activation: shape (…, units)."""
        self.was_called = True
        if self.block.chosen is None:
            return functional.linear(given, self.layer.weight, self.layer.bias)
        rows, units = given.reshape(-1, given.shape[-1]), self.block.units
        weights, bias = self.by_expert()
        hidden = rows.new_zeros(len(rows), self.layer.out_features)
        for expert, tokens in self.block.tokens_of:
            part = functional.linear(rows[tokens], weights[expert], bias[expert])
            hidden[tokens[:, None], units[expert]] = part.to(hidden.dtype)
        return hidden.view(*given.shape[:-1], -1)


class ExpertClosing(ExpertLayer):
    """Computes the second layer: the sum of what the units of the chosen experts hand on."""

    def gather(self, weight: torch.Tensor, bias: torch.Tensor | None) -> tuple[Any, Any]:
        """Return the columns of each expert, shape (experts, width, size), and the bias of all."""
        return weight.detach().T[self.block.units].transpose(1, 2).contiguous(), bias

    def __call__(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return what the block adds: shape (…, width)."""
        self.was_called = True
        rows, (weights, bias) = hidden.reshape(-1, hidden.shape[-1]), self.by_expert()
        output = rows.new_zeros(len(rows), self.layer.out_features)
        if bias is not None:
            output += bias
        for expert, tokens in self.block.tokens_of:
            part = functional.linear(rows[tokens[:, None], self.block.units[expert]], weights[expert])
            output.index_add_(0, tokens, part.to(output.dtype))
        return output.view(*hidden.shape[:-1], -1)


@dataclass(frozen=True)
class Experts:
    """The experts of a model.

    Attributes:
        units: hidden units of each expert by the name of a block's first layer.
        routers: by the same name; None for the oracle.
    """

    units: Mapping[str, torch.Tensor]
    routers: Mapping[str, nn.Module | None]


@dataclass(frozen=True)
class ServedBlock:
    """A block of a model with its experts; `layers` compute its first and its second layer, unless all are active."""

    block: FeedForward
    experts: ExpertBlock
    layers: tuple[ExpertLayer, ...]

    def operations(self, router: Router) -> dict[str, int]:
        """Count what was computed for the tokens that it has met.

        Returns:
            By name: of the base model's layers (`layers`), of the `router`, and what `whole` layers would take.
        """
        given = {"experts": self.experts.experts, "router": router}
        part = block_operations(self.block, active=self.experts.active, **given)
        whole = block_operations(self.block, active=self.experts.experts, **given)
        computed = [
            (own if is_part else all_units)
            for own, all_units, is_part in zip(
                (part.opening, part.closing), (whole.opening, whole.closing), self._computed_part, strict=True
            )
        ]
        counts = {"layers": sum(computed), "router": part.router, "whole": whole.total}
        return {name: self.experts.tokens * count for name, count in counts.items()}

    @property
    def _computed_part(self) -> tuple[bool, ...]:
        """Return for each layer whether the chosen units alone were computed."""
        return tuple(layer.was_called for layer in self.layers) or (False, False)


def put_experts(
    model: nn.Module, blocks: Sequence[FeedForward], experts: Experts, *, active: int
) -> tuple[ServedBlock, ...]:
    """Have the blocks of a model compute with so many experts for each token; with all of them, as they are.

    Args:
        model: a tuned model on its device, in evaluation mode; it is changed.
        blocks: its feed-forward blocks.
        experts: their experts.
        active: number of experts that each token has.
    """
    served = []
    outer = outermost_modules(model, [name for block in blocks for name in (block.opening, block.closing)])
    for block in blocks:
        ends = outer[block.opening], outer[block.closing]
        opening, closing = map(innermost, ends)
        router, units = experts.routers[block.opening], experts.units[block.opening].to(opening.weight.device)
        own = ExpertBlock(units, router and router.to(units.device), active, masks=ends != (opening, closing))
        layers: tuple[ExpertLayer, ...] = ()
        if active < own.experts:
            # The layers stay in their places, so that what others have hooked to them goes on.
            layers = ExpertOpening(opening, own), ExpertClosing(closing, own)
            opening.forward, closing.forward = layers
            ends[0].register_forward_pre_hook(own.open)
            ends[1].register_forward_pre_hook(own.close)
        else:
            ends[0].register_forward_pre_hook(own.count)
        served.append(ServedBlock(block, own, layers))
    return tuple(served)


def operations_of(served: Iterable[ServedBlock], router: Router) -> dict[str, int]:
    """Sum the operations of blocks, by name as one block has them."""
    total = {"layers": 0, "router": 0, "whole": 0}
    for block in served:
        for name, count in block.operations(router).items():
            total[name] += count
    return total


def innermost(module: nn.Module) -> nn.Linear:
    """Return the base model's own layer inside of what wraps it."""
    while hasattr(module, WRAPPED):
        module = getattr(module, WRAPPED)
    return module

"""Where the two matrices of LoRA start: in the weights of the base model, or in what its layers read.

PiSSA (Meng et al. 2024, arXiv 2404.02948), OLoRA (Büyükakyüz 2024, arXiv 2406.01775) and CorDA (Yang et al. 2024, arXiv
2406.05223) begin with a product that is not zero, and take it off the weights of the base model. Here it is taken off
the output of the update instead: the base model stays as it is, in whatever precision, and the update is zero to the
bit at first. What is stored is a LoRA of twice the rank, which peft makes of such adapters, too, and which opens beside
the untouched base model. EVA (Paischer et al. 2024, arXiv 2410.07170) begins with zero, as LoRA does.

The formulas are those of peft 0.21.2, with three differences. Ranks are those of the budget, where EVA would
move them between layers. What EVA's layers read is not centred. Sentences are read one by one, so that no padding is.
"""

from collections.abc import Callable, Iterable

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import nn
from torch.nn import functional

from mtpeft.methods.base import Inputs

ADAPTER = "default"
DAMPING = 0.01
"""Share of the mean variance that is added to each variance before the matrix of them is inverted, as in peft."""

Factors = tuple[torch.Tensor, torch.Tensor]
"""The matrices A, (rank, inputs), and B, (outputs, rank)."""


class TwoInputs(nn.Linear):
    """A of an update that starts from a product: its output and that of its start, side by side."""

    def __init__(self, start: torch.Tensor) -> None:
        super().__init__(start.shape[1], start.shape[0], bias=False, device=start.device)
        self.weight = nn.Parameter(start.clone())
        self.register_buffer("start", start, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return both outputs, (…, 2 rank)."""
        return torch.cat([functional.linear(x, self.weight), functional.linear(x, self.start)], dim=-1)


class Difference(nn.Linear):
    """B of an update that starts from a product: its output without that of its start."""

    def __init__(self, start: torch.Tensor) -> None:
        super().__init__(start.shape[1], start.shape[0], bias=False, device=start.device)
        self.weight = nn.Parameter(start.clone())
        self.register_buffer("start", start, persistent=False)

    def forward(self, both: torch.Tensor) -> torch.Tensor:
        """Return the difference, (…, outputs)."""
        own, first = both.chunk(2, dim=-1)
        return functional.linear(own, self.weight) - functional.linear(first, self.start)


def start_from_weights(model: PeftModel, initialisation: str) -> PeftModel:
    """Put the matrices of all updates where an initialisation has them that reads the base model's weights alone.

    For those that read text, a product that is taken off again is prepared; `start_from_text` says which.
    """
    for layer in _layers(model):
        match initialisation:
            case "pissa":
                _begin_with(layer, *_principal(_weight(layer), layer.r[ADAPTER], layer.scaling[ADAPTER]))
            case "olora":
                _begin_with(layer, *_orthogonal(_weight(layer), layer.r[ADAPTER]))
            case "corda":
                _begin_with(layer, layer.lora_A[ADAPTER].weight.detach(), layer.lora_B[ADAPTER].weight.detach())
    return model


@torch.no_grad()
def start_from_text(model: nn.Module, initialisation: str, sentences: Iterable[Inputs]) -> None:
    """Put the matrices of all updates where an initialisation has them that reads sentence pairs.

    Args:
        model: with updates that have not been trained.
        initialisation: `eva` or `corda`.
        sentences: of the training text, each alone and without padding.
    """
    moments = second_moments(model, sentences)
    for name, layer in _named_layers(model):
        own, rank = moments[name].to(_weight(layer).device), layer.r[ADAPTER]
        if initialisation == "eva":
            layer.lora_A[ADAPTER].weight.copy_(_directions(own, rank))
        else:
            first, second = _oriented(_weight(layer), own, rank, layer.scaling[ADAPTER])
            for matrix, start in ((layer.lora_A[ADAPTER], first), (layer.lora_B[ADAPTER], second)):
                matrix.weight.copy_(start)
                matrix.start.copy_(start)


@torch.no_grad()
def second_moments(model: nn.Module, sentences: Iterable[Inputs]) -> dict[str, torch.Tensor]:
    """Return the mean product of the inputs of each layer with an update, (inputs, inputs), in 64 bits."""
    sums: dict[str, torch.Tensor] = {}
    counts: dict[str, int] = {}

    def reader(name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
        def read(layer: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            rows = given[0].detach().double().flatten(end_dim=-2)
            sums[name] = sums.get(name, 0.0) + rows.T @ rows
            counts[name] = counts.get(name, 0) + len(rows)

        return read

    handles = [layer.register_forward_pre_hook(reader(name)) for name, layer in _named_layers(model)]
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    for sentence in sentences:
        model(**{name: tensor.to(device) for name, tensor in sentence.items()}, use_cache=False)
    model.train(was_training)
    for handle in handles:
        handle.remove()
    return {name: total / counts[name] for name, total in sums.items()}


def with_plain_updates(model: PeftModel) -> PeftModel:
    """Make each update that starts from a product a LoRA of twice the rank, whose other half is what is taken off."""
    config = model.peft_config[ADAPTER]
    for name, layer in _named_layers(model):
        first, second = layer.lora_A[ADAPTER], layer.lora_B[ADAPTER]
        layer.lora_A[ADAPTER] = _linear(torch.cat([first.weight, first.start]))
        layer.lora_B[ADAPTER] = _linear(torch.cat([second.weight, -second.start], dim=1))
        layer.r[ADAPTER] *= 2
        layer.lora_alpha[ADAPTER] = layer.scaling[ADAPTER] * layer.r[ADAPTER]
        module = name.removeprefix("base_model.model.")
        config.rank_pattern[module] = layer.r[ADAPTER]
        config.alpha_pattern[module] = layer.lora_alpha[ADAPTER]
        layer.use_rslora[ADAPTER] = False
    config.use_rslora = False
    return model


def _principal(weight: torch.Tensor, rank: int, scaling: float) -> Factors:
    """Return the factors of the part of a weight with the largest singular values (PiSSA)."""
    left, values, right = torch.linalg.svd(weight, full_matrices=False)
    root = (values[:rank] / scaling).sqrt()
    return root[:, None] * right[:rank], left[:, :rank] * root


def _orthogonal(weight: torch.Tensor, rank: int) -> Factors:
    """Return the first columns and rows of the QR decomposition of a weight (OLoRA)."""
    columns, rows = torch.linalg.qr(weight)
    return rows[:rank], columns[:, :rank]


def _directions(moment: torch.Tensor, rank: int) -> torch.Tensor:
    """Return the orthonormal directions in which inputs are largest, (rank, inputs) (EVA)."""
    return torch.linalg.eigh(moment).eigenvectors.flip(1)[:, :rank].T.float()


def _oriented(weight: torch.Tensor, moment: torch.Tensor, rank: int, scaling: float) -> Factors:
    """Return the factors of the part of a weight that does most with its inputs (CorDA, the mode for a task)."""
    damped = moment + DAMPING * moment.diagonal().mean() * torch.eye(len(moment), dtype=moment.dtype).to(moment.device)
    left, values, right = torch.linalg.svd(weight.double() @ damped, full_matrices=False)
    root = (values[:rank] / scaling).sqrt()
    first = root[:, None] * torch.linalg.solve(damped, right[:rank].T).T  # the matrix of moments is symmetric
    return first.float(), (left[:, :rank] * root).float()


def _begin_with(layer: LoraLayer, first: torch.Tensor, second: torch.Tensor) -> None:
    layer.lora_A[ADAPTER] = TwoInputs(first.contiguous())
    layer.lora_B[ADAPTER] = Difference(second.contiguous())


def _linear(weight: torch.Tensor) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    made.weight = nn.Parameter(weight.detach(), requires_grad=False)
    return made


def _weight(layer: LoraLayer) -> torch.Tensor:
    return layer.get_base_layer().weight.detach().float()


def _named_layers(model: nn.Module) -> list[tuple[str, LoraLayer]]:
    return [(name, module) for name, module in model.named_modules() if isinstance(module, LoraLayer)]


def _layers(model: nn.Module) -> list[LoraLayer]:
    return [layer for _, layer in _named_layers(model)]

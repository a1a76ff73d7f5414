"""The methods beside a frozen base, built as the trainer builds them, and what they compute."""

import json
from pathlib import Path

import torch
from torch import nn

from mtpeft.data.batch_layout import model_inputs
from mtpeft.data.token_arrays import read_arrays
from mtpeft.methods import method_of, options_of
from mtpeft.methods.budget import Allocation, allocation_of
from mtpeft.models.families import read_shape
from mtpeft.models.load import load_base
from mtpeft.models.precision import WHOLE, BasePrecision
from mtpeft.models.special_tokens import SpecialTokens
from support.model import BUDGETS, MAX_POSITIONS, METHODS, arrays

SPECIAL_TOKENS = SpecialTokens(pad=1, end=2, begin=(2, 9), max_length=MAX_POSITIONS)
"""Of the tiny model; 9 stands for a language."""
ADAPTER_FILE = "adapter_model.safetensors"
FOLDER_TYPES = {
    "adapter": "BOTTLENECK",
    "lora": "LORA",
    "prefix": "PREFIX",
    "bitfit": "BITFIT",
    "layernorm": "LN_TUNING",
    "embeddings": "EMBEDDINGS",
    "adapter_embeddings": "BOTTLENECK",
    "lora_embeddings": "LORA_EMBEDDINGS",
}
PEFT = tuple(FOLDER_TYPES)
WITH_EMBEDDINGS = [method for method in PEFT if "embeddings" in method]


def base_folder(sweep: Path) -> Path:
    """The base model of the tiny sweep."""
    return sweep / "results/models/tiny/checkpoint"


def build(sweep: Path, method: str, precision: BasePrecision = WHOLE) -> tuple[nn.Module, Allocation]:
    """The method at its budget on the tiny base, as the trainer builds it."""
    config = json.loads((base_folder(sweep) / "config.json").read_text(encoding="utf-8"))
    entry, options = method_of(METHODS[method]), options_of(METHODS[method])
    allocation = allocation_of(entry, options, read_shape(config), share=BUDGETS.get(method))
    torch.manual_seed(1)
    return entry.apply(load_base(base_folder(sweep), precision), allocation.sizes, options).eval(), allocation


def batch(sweep: Path) -> dict[str, torch.Tensor]:
    """The dev set as one batch."""
    pairs = read_arrays(arrays(sweep, "dev"))
    rows = range(len(pairs.source))
    return dict(
        model_inputs(
            [pairs.source[row] for row in rows], [pairs.target[row] for row in rows], special_tokens=SPECIAL_TOKENS
        )
    )


@torch.no_grad()
def logits(model: nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Scores of the next token, (batch, length, vocabulary)."""
    return model(**{name: value for name, value in inputs.items() if name != "labels"}).logits


def stir(model: nn.Module) -> None:
    """Give every trainable weight a value, as training would."""
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.2 * torch.randn_like(parameter))

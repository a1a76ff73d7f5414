"""Bytes of an update of large models, counted on torch's meta device, where tensors have shapes and no numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from transformers import AutoConfig, AutoModelForSeq2SeqLM

from mtpeft.methods import METHODS, options_of
from mtpeft.methods.budget import allocation_of
from mtpeft.models.families import read_shape
from mtpeft.models.memory import COPIES_OF_CHUNK, MOST_LOGITS
from mtpeft.training.build_model import checkpoint_activations

MOMENTS = 2
"""Floats of AdamW for each trained parameter."""
GIGABYTE = 1e9


@dataclass(frozen=True)
class UpdateMemory:
    """Gigabytes of an update by what they hold."""

    weights: float
    gradient_and_moments: float
    activations: float
    logits: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.weights + self.gradient_and_moments + self.activations + self.logits


def m2m100(width: int, vocabulary: int) -> dict[str, Any]:
    """The config.json of a published model of M2M-100 or NLLB with 24 layers on each side."""
    sides = ("encoder", "decoder")
    return {
        "model_type": "m2m_100",
        "d_model": width,
        "vocab_size": vocabulary,
        "max_position_embeddings": 1024,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "decoder_start_token_id": 2,
        **{f"{side}_ffn_dim": 8192 for side in sides},
        **{f"{side}_layers": 24 for side in sides},
        **{f"{side}_attention_heads": 16 for side in sides},
        **{f"{side}_layerdrop": 0.0 for side in sides},
    }


def update_memory(
    config: Mapping[str, Any],
    method: Mapping[str, Any],
    share: float | None,
    *,
    rows: int,
    length: int,
    checkpointing: bool,
) -> UpdateMemory:
    """Count the bytes of an update in 32-bit floats on `rows` sentence pairs of `length` tokens on each side."""
    shape, options = read_shape(dict(config)), options_of(dict(method))
    described = AutoConfig.for_model(**config)
    described._attn_implementation = "eager"  # scaled dot-product attention asks for values; it keeps less than this
    with torch.device("meta"):
        model: nn.Module = AutoModelForSeq2SeqLM.from_config(described)
    entry = METHODS[options.method]
    if entry.apply is not None and share is not None:
        model = entry.apply(model, allocation_of(entry, options, shape, share=share).sizes, options)
    model.train()
    trained = [weight.numel() for weight in model.parameters() if weight.requires_grad]
    layers = sum("layers" in name.split(".")[-2:-1] for name, _ in model.named_modules())
    plain = _kept(model, rows=rows, length=length)
    kept = plain
    if checkpointing:
        checkpoint_activations(model)
        kept = _kept(model, rows=rows, length=length) + 2 * plain / layers  # of the layer that is computed again
    return UpdateMemory(
        weights=sum(weight.numel() * weight.element_size() for weight in model.parameters()) / GIGABYTE,
        gradient_and_moments=4 * (1 + MOMENTS) * sum(trained) / GIGABYTE,
        activations=kept / GIGABYTE,
        logits=4 * COPIES_OF_CHUNK * min(MOST_LOGITS, rows * length * config["vocab_size"]) / GIGABYTE,
    )


def _kept(model: nn.Module, *, rows: int, length: int) -> float:
    """Bytes that the forward pass below the output projection keeps for the gradient, besides weights."""
    weights = {StorageWeakRef(weight.untyped_storage()) for weight in model.parameters()}
    kept: dict[StorageWeakRef, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[StorageWeakRef(tensor.untyped_storage())] = tensor
        return tensor

    tokens = torch.ones(rows, length, dtype=torch.long, device="meta")
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        inner.model(input_ids=tokens, decoder_input_ids=tokens, use_cache=False)
    return sum(own.untyped_storage().nbytes() for storage, own in kept.items() if storage not in weights)

"""The shape of a model from its config.json alone: every linear layer, and the total number of parameters.

Nothing here needs torch, so that budgets are known before any weight is there. The totals are asserted on the built
model by the trainer. Shapes follow the mBART architecture (Liu et al. 2020, arXiv 2001.08210) as transformers builds
it: pre-norm, one learned position table per side with two extra rows, a layer norm after the embeddings and after the
last layer, embeddings tied with the output projection.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mtpeft.errors import UserError

SUPPORTED_TYPES = ("mbart",)
POSITION_OFFSET = 2


@dataclass(frozen=True)
class Linear:
    """A linear layer with bias."""

    module: str
    inputs: int
    outputs: int

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.inputs * self.outputs + self.outputs


@dataclass(frozen=True)
class ModelShape:
    """Names and sizes of the modules that methods attach to, named as `model.named_modules()` names them."""

    d_model: int
    linears: tuple[Linear, ...]
    layers: tuple[str, ...]
    total: int


def read_shape(config: Mapping[str, Any], *, file: str = "The model's config.json") -> ModelShape:
    """Shape of the model that a `config.json` describes; `file` is what a sentence about it calls it.

    Raises:
        UserError: the architecture is not supported, or a key is missing.
    """
    model_type = config.get("model_type")
    if model_type not in SUPPORTED_TYPES:
        raise UserError(
            f"{file} says model_type '{model_type}', which is not supported; "
            f"use a model of type {' or '.join(SUPPORTED_TYPES)}."
        )
    try:
        return _mbart(config)
    except KeyError as missing:
        raise UserError(f"{file} has no key {missing}; is it a complete mBART model?") from missing


def _mbart(config: Mapping[str, Any]) -> ModelShape:
    d_model = config["d_model"]
    sides = (
        ("encoder", config["encoder_layers"], config["encoder_ffn_dim"], ("self_attn",)),
        ("decoder", config["decoder_layers"], config["decoder_ffn_dim"], ("self_attn", "encoder_attn")),
    )
    linears: list[Linear] = []
    layers: list[str] = []
    norms = 0
    for side, depth, feed_forward, attentions in sides:
        for layer in (f"model.{side}.layers.{index}" for index in range(depth)):
            layers.append(layer)
            linears.extend(_layer_linears(layer, d_model, feed_forward, attentions))
            norms += len(attentions) + 1
        norms += 2
    positions = len(sides) * (config["max_position_embeddings"] + POSITION_OFFSET) * d_model
    total = config["vocab_size"] * d_model + positions + norms * 2 * d_model + sum(x.parameters for x in linears)
    return ModelShape(d_model=d_model, linears=tuple(linears), layers=tuple(layers), total=total)


def _layer_linears(layer: str, d_model: int, feed_forward: int, attentions: tuple[str, ...]) -> Iterator[Linear]:
    for attention in attentions:
        for projection in ("k_proj", "v_proj", "q_proj", "out_proj"):
            yield Linear(f"{layer}.{attention}.{projection}", d_model, d_model)
    yield Linear(f"{layer}.fc1", d_model, feed_forward)
    yield Linear(f"{layer}.fc2", feed_forward, d_model)

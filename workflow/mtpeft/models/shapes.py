"""The shape of a model from its config.json alone: the modules that methods attach to, and the number of parameters.

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
EMBEDDINGS = "model.shared"
"""The embedding matrix, under the first of the names that share it."""


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
    """Names and sizes of the modules that methods attach to, named as `model.named_modules()` names them.

    Attributes:
        d_model: width of the model.
        max_positions: longest sequence in tokens.
        linears: linear layers of the encoder and the decoder; the output projection is the embedding matrix.
        norms: layer norms, each of a weight and a bias of `d_model`.
        attentions: attention modules: self-attention of both sides, cross-attention of the decoder.
        layers: encoder and decoder layers.
        embeddings: parameters of the embedding matrix, which is tied with the output projection.
        total: parameters of the model.
    """

    d_model: int
    max_positions: int
    linears: tuple[Linear, ...]
    norms: tuple[str, ...]
    attentions: tuple[str, ...]
    layers: tuple[str, ...]
    embeddings: int
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
    if not config.get("tie_word_embeddings", True):
        raise UserError(f"{file} says tie_word_embeddings false; use a model that shares its embeddings.")
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
    norms: list[str] = []
    attentions: list[str] = []
    layers: list[str] = []
    for side, depth, feed_forward, kinds in sides:
        norms.append(f"model.{side}.layernorm_embedding")
        for layer in (f"model.{side}.layers.{index}" for index in range(depth)):
            layers.append(layer)
            attentions.extend(f"{layer}.{kind}" for kind in kinds)
            linears.extend(_layer_linears(layer, d_model, feed_forward, kinds))
            norms.extend(f"{layer}.{kind}_layer_norm" for kind in (*kinds, "final"))
        norms.append(f"model.{side}.layer_norm")
    embeddings = config["vocab_size"] * d_model
    positions = len(sides) * (config["max_position_embeddings"] + POSITION_OFFSET) * d_model
    total = embeddings + positions + len(norms) * 2 * d_model + sum(x.parameters for x in linears)
    return ModelShape(
        d_model=d_model,
        max_positions=config["max_position_embeddings"],
        linears=tuple(linears),
        norms=tuple(norms),
        attentions=tuple(attentions),
        layers=tuple(layers),
        embeddings=embeddings,
        total=total,
    )


def _layer_linears(layer: str, d_model: int, feed_forward: int, attentions: tuple[str, ...]) -> Iterator[Linear]:
    for attention in attentions:
        for projection in ("k_proj", "v_proj", "q_proj", "out_proj"):
            yield Linear(f"{layer}.{attention}.{projection}", d_model, d_model)
    yield Linear(f"{layer}.fc1", d_model, feed_forward)
    yield Linear(f"{layer}.fc2", feed_forward, d_model)

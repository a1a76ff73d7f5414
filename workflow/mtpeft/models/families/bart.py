"""The shape of the families that descend from BART in transformers: mBART, M2M-100, NLLB-200, Marian and its students.

They name their modules alike. They differ in their norms, and in whether positions are learnt.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mtpeft.models.architecture import CROSS, Linear, ModelShape, Norm, Role
from mtpeft.models.families.module_names import BART_NAMES

PROJECTIONS: tuple[tuple[str, Role], ...] = (
    (BART_NAMES.key, "key"),
    (BART_NAMES.value, "value"),
    (BART_NAMES.query, "query"),
    ("out_proj", "output"),
)


@dataclass(frozen=True)
class Extras:
    """Parts of a family's models besides the layers.

    Attributes:
        norm_of_embeddings: a layer norm follows the embeddings of each side.
        norm_at_end: a layer norm follows the last layer of each side.
        positions: rows of a learnt position table beyond `max_position_embeddings`, or None where none is learnt.
        recurrent: a simple recurrent unit stands in the place of the decoder's self-attention.
        kept_heads: heads that are left of each attention module; None where there are all.
        activation: of the feed-forward blocks, where a config.json names none.
    """

    norm_of_embeddings: bool
    norm_at_end: bool
    positions: int | None
    recurrent: bool = False
    kept_heads: int | None = None
    activation: str = "gelu"


def bart_shape(config: Mapping[str, Any], extras: Extras) -> ModelShape:
    """Return the shape of a model whose embeddings are shared by both sides and the output projection."""
    d_model, heads = config["d_model"], config.get("encoder_attention_heads", 1)
    width = d_model if extras.kept_heads is None else extras.kept_heads * (d_model // heads)
    linears: list[Linear] = []
    norms: list[Norm] = []
    attentions: list[str] = []
    layers: list[str] = []
    for side, kinds in (("encoder", ("self_attn",)), ("decoder", ("self_attn", "encoder_attn"))):
        if extras.norm_of_embeddings:
            norms.append(Norm(f"model.{side}.layernorm_embedding", d_model))
        for layer in (f"model.{side}.layers.{index}" for index in range(config[f"{side}_layers"])):
            layers.append(layer)
            recurrent = extras.recurrent and side == "decoder"
            own = kinds[1:] if recurrent else kinds
            attentions.extend(f"{layer}.{kind}" for kind in own)
            linears.extend(_recurrent_linears(f"{layer}.self_attn", d_model) if recurrent else ())
            linears.extend(_layer_linears(layer, d_model, config[f"{side}_ffn_dim"], own, attention_width=width))
            norms.extend(
                Norm(f"{layer}.{kind}_layer_norm", d_model, of_cross_attention=kind in CROSS)
                for kind in (*kinds, "final")
            )
        if extras.norm_at_end:
            norms.append(Norm(f"model.{side}.layer_norm", d_model))
    embeddings = config["vocab_size"] * d_model
    longest = config["max_position_embeddings"]
    positions = 0 if extras.positions is None else 2 * (longest + extras.positions) * d_model
    return ModelShape(
        d_model=d_model,
        max_positions=longest,
        linears=tuple(linears),
        norms=tuple(norms),
        attentions=tuple(attentions),
        attention_width=width,
        feed_forwards=tuple(f"{layer}.fc2" for layer in layers),
        layers=tuple(layers),
        embedding_module=BART_NAMES.embeddings,
        embeddings=embeddings,
        total=embeddings + positions + sum(x.parameters for x in norms) + sum(x.parameters for x in linears),
        heads=extras.kept_heads or heads,
        activation=config.get("activation_function", extras.activation),
    )


def _recurrent_linears(unit: str, d_model: int) -> Iterator[Linear]:
    yield Linear(f"{unit}.input_proj", d_model, d_model, "recurrence", bias=False)
    yield Linear(f"{unit}.forget_proj", d_model, d_model, "recurrence")


def _layer_linears(
    layer: str, d_model: int, feed_forward: int, attentions: tuple[str, ...], *, attention_width: int
) -> Iterator[Linear]:
    for attention in attentions:
        for projection, role in PROJECTIONS:
            inputs, outputs = (attention_width, d_model) if role == "output" else (d_model, attention_width)
            yield Linear(f"{layer}.{attention}.{projection}", inputs, outputs, role)
    yield Linear(f"{layer}.fc1", d_model, feed_forward, "feed_forward")
    yield Linear(f"{layer}.fc2", feed_forward, d_model, "feed_forward")

"""T5 (Raffel et al. 2019, arXiv 1910.10683), mT5 (Xue et al. 2020, arXiv 2010.11934) and MADLAD-400 (Kudugunta et al.
2023, arXiv 2309.04662), which has T5's shape.

A vocabulary with tokens such as `<2de>` is that of a model which was trained to read one of them before the source, the
target's language, as MADLAD-400. In all others the languages stand in words there, as in the training of the first T5:
`translate German to English: `. T5 1.1 and mT5 have read no such words; they learn them like any others. The blocks
have no biases, norms are root mean squares, positions are biases of the attention scores by distance.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mtpeft.core.languages import english_name
from mtpeft.models.architecture import CROSS, Linear, ModelShape, Norm, Role
from mtpeft.models.families.base import END_ALONE, Family, start_alone, target_before, written_targets
from mtpeft.models.families.module_names import T5_NAMES

LONGEST = 512
"""Tokens of the longest sequence in pre-training; nothing in the architecture limits it."""
PROJECTIONS: tuple[tuple[str, Role], ...] = (
    (T5_NAMES.query, "query"),
    (T5_NAMES.key, "key"),
    (T5_NAMES.value, "value"),
    ("o", "output"),
)


def t5_shape(config: Mapping[str, Any]) -> ModelShape:
    """Return the shape: modules of both stacks, and an output projection of its own where the config says so."""
    d_model, inner = config["d_model"], config["num_heads"] * config["d_kv"]
    gated = config.get("feed_forward_proj", "relu").startswith("gated")
    linears: list[Linear] = []
    norms: list[Norm] = []
    attentions: list[str] = []
    feed_forwards: list[str] = []
    layers: list[str] = []
    depths = (config["num_layers"], config.get("num_decoder_layers") or config["num_layers"])
    kinds = (("SelfAttention",), ("SelfAttention", "EncDecAttention"))
    for side, depth, attention_kinds in zip(("encoder", "decoder"), depths, kinds, strict=True):
        for block in (f"{side}.block.{index}" for index in range(depth)):
            layers.append(block)
            own = [f"{block}.layer.{place}.{kind}" for place, kind in enumerate(attention_kinds)]
            attentions.extend(own)
            linears.extend(linear for module in own for linear in _attention(module, d_model, inner))
            feed_forward = f"{block}.layer.{len(own)}.DenseReluDense"
            feed_forwards.append(feed_forward)
            linears.extend(_feed_forward(feed_forward, d_model, config["d_ff"], gated=gated))
            norms.extend(
                replace(_norm(f"{block}.layer.{place}.layer_norm", d_model), of_cross_attention=kind in CROSS)
                for place, kind in enumerate((*attention_kinds, "DenseReluDense"))
            )
        norms.append(_norm(f"{side}.final_layer_norm", d_model))
    embeddings = config["vocab_size"] * d_model
    matrices = 1 if config.get("tie_word_embeddings", True) else 2
    distances = 2 * config.get("relative_attention_num_buckets", 32) * config["num_heads"]
    counted = sum(x.parameters for x in linears) + sum(x.parameters for x in norms)
    return ModelShape(
        d_model=d_model,
        max_positions=config.get("n_positions") or LONGEST,
        linears=tuple(linears),
        norms=tuple(norms),
        attentions=tuple(attentions),
        attention_width=inner,
        feed_forwards=tuple(feed_forwards),
        layers=tuple(layers),
        embedding_module=T5_NAMES.embeddings,
        embeddings=embeddings,
        total=matrices * embeddings + distances + counted,
        matrices=matrices,
        heads=config["num_heads"],
        distance_biases=distances // config["num_heads"],
        activation=config.get("feed_forward_proj", "relu"),
    )


def _attention(module: str, d_model: int, inner: int) -> list[Linear]:
    return [
        Linear(f"{module}.{name}", *((inner, d_model) if role == "output" else (d_model, inner)), role, bias=False)
        for name, role in PROJECTIONS
    ]


def _feed_forward(module: str, d_model: int, inner: int, *, gated: bool) -> list[Linear]:
    up = ("wi_0", "wi_1") if gated else ("wi",)
    return [
        *(Linear(f"{module}.{name}", d_model, inner, "feed_forward", bias=False) for name in up),
        Linear(f"{module}.wo", inner, d_model, "feed_forward", bias=False),
    ]


def _norm(module: str, width: int) -> Norm:
    return Norm(module, width, bias=False)


def _request(source: str, target: str) -> str:
    return target_before(source, target) or f"translate {english_name(source)} to {english_name(target)}: "


T5 = Family(
    name="t5",
    title="T5",
    model_type="t5",
    tokenizers=("T5Tokenizer",),
    shape=t5_shape,
    names=written_targets,
    names_in_vocabulary=True,
    names_source=False,
    token=None,
    takes_languages=False,
    source_prefix=_request,
    source_edges=END_ALONE,
    target_edges=END_ALONE,
    begin=start_alone,
    dropout="dropout_rate",
    heads_key="num_heads",
    may_untie_output=True,
)
MT5 = replace(T5, name="mt5", title="mT5", model_type="mt5", tokenizers=("T5Tokenizer", "MT5Tokenizer"))

"""The shape that decoder-only families share: one stack, grouped queries, gated feed-forward blocks, rotary positions.

They name their modules alike. They differ in their biases, and in which norms stand within a layer. Several heads of
queries may share a head of keys and values (GQA, Ainslie et al. 2023, arXiv 2305.13245), and heads may have a width of
their own. Norms are root mean squares without biases, and no position is learnt.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from mtpeft.models.architecture import Linear, ModelShape, Norm, Role
from mtpeft.models.families.base import END_ALONE, Family, Names, TokenizerConfig, no_begin
from mtpeft.models.families.module_names import LLAMA_NAMES
from mtpeft.models.tasks import CAUSAL

AROUND_BLOCKS = ("input_layernorm", "post_attention_layernorm")
"""Norms before attention and before the feed-forward block."""


def without_bias(config: Mapping[str, Any]) -> bool:
    """Return that there is no bias, whatever a config.json says."""
    return False


def by_key(key: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return the function that reads from a key of config.json, false by default, whether there is a bias."""
    return lambda config: bool(config.get(key, False))


@dataclass(frozen=True)
class Extras:
    """What tells families apart.

    Attributes:
        query_bias: whether queries, keys and values have biases, by config.json.
        output_bias: whether the projection behind attention has one.
        block_bias: whether feed-forward blocks have biases.
        norms: of a layer, each as wide as the model.
        head_norms: whether the heads of queries and of keys are normed.
        head_width: width of a head where config.json does not say it; None for the model's divided by its heads.
        tied: whether input and output embeddings are one matrix where config.json does not say it.
    """

    query_bias: Callable[[Mapping[str, Any]], bool] = without_bias
    output_bias: Callable[[Mapping[str, Any]], bool] = without_bias
    block_bias: Callable[[Mapping[str, Any]], bool] = without_bias
    norms: tuple[str, ...] = AROUND_BLOCKS
    head_norms: bool = False
    head_width: int | None = None
    tied: bool = False


def decoder_only_shape(config: Mapping[str, Any], extras: Extras) -> ModelShape:
    """Return the shape of a model with one stack."""
    d_model, heads = config["hidden_size"], config["num_attention_heads"]
    head = config.get("head_dim") or extras.head_width or d_model // heads
    shared = head * (config.get("num_key_value_heads") or heads)
    layers = tuple(f"model.layers.{index}" for index in range(config["num_hidden_layers"]))
    linears = [
        linear
        for layer in layers
        for linear in (
            *_attention(f"{layer}.self_attn", config, extras, queries=head * heads, shared=shared),
            *_feed_forward(f"{layer}.mlp", config, extras),
        )
    ]
    norms = [
        *(norm for layer in layers for norm in _norms(layer, d_model, head, extras)),
        Norm("model.norm", d_model, bias=False),
    ]
    embeddings = config["vocab_size"] * d_model
    matrices = 1 if config.get("tie_word_embeddings", extras.tied) else 2
    return ModelShape(
        d_model=d_model,
        max_positions=config["max_position_embeddings"],
        linears=tuple(linears),
        norms=tuple(norms),
        attentions=tuple(f"{layer}.self_attn" for layer in layers),
        attention_width=head * heads,
        feed_forwards=tuple(f"{layer}.mlp" for layer in layers),
        layers=layers,
        embedding_module=LLAMA_NAMES.embeddings,
        embeddings=embeddings,
        total=matrices * embeddings + sum(x.parameters for x in linears) + sum(x.parameters for x in norms),
        matrices=matrices,
        task=CAUSAL,
        key_width=shared,
        activation=f"gated-{config.get('hidden_act') or config.get('hidden_activation') or 'silu'}",
    )


def _attention(
    module: str, config: Mapping[str, Any], extras: Extras, *, queries: int, shared: int
) -> tuple[Linear, ...]:
    d_model, biased = config["hidden_size"], extras.query_bias(config)
    widths: tuple[tuple[str, Role, int], ...] = (
        (LLAMA_NAMES.query, "query", queries),
        (LLAMA_NAMES.key, "key", shared),
        (LLAMA_NAMES.value, "value", shared),
    )
    return (
        *(Linear(f"{module}.{name}", d_model, width, role, bias=biased) for name, role, width in widths),
        Linear(f"{module}.o_proj", queries, d_model, "output", bias=extras.output_bias(config)),
    )


def _feed_forward(module: str, config: Mapping[str, Any], extras: Extras) -> tuple[Linear, ...]:
    d_model, inner, biased = config["hidden_size"], config["intermediate_size"], extras.block_bias(config)
    return (
        *(Linear(f"{module}.{name}", d_model, inner, "feed_forward", bias=biased) for name in ("gate_proj", "up_proj")),
        Linear(f"{module}.{LLAMA_NAMES.closing}", inner, d_model, "feed_forward", bias=biased),
    )


def _norms(layer: str, d_model: int, head: int, extras: Extras) -> list[Norm]:
    of_heads = ("self_attn.q_norm", "self_attn.k_norm") if extras.head_norms else ()
    return [
        *(Norm(f"{layer}.{name}", head, bias=False) for name in of_heads),
        *(Norm(f"{layer}.{name}", d_model, bias=False) for name in extras.norms),
    ]


def any_language(config: TokenizerConfig, vocabulary: Any) -> Names | None:
    """Return that any language will do, since a prompt names it in words."""
    return None


def decoder_only(name: str, title: str, model_type: str, tokenizers: tuple[str, ...], extras: Extras) -> Family:
    """Return a family of decoder-only models."""
    return Family(
        name=name,
        title=title,
        model_type=model_type,
        tokenizers=tokenizers,
        shape=partial(decoder_only_shape, extras=extras),
        names=any_language,
        names_source=False,
        token=None,
        takes_languages=False,
        source_edges=END_ALONE,
        target_edges=END_ALONE,
        begin=no_begin,
        dropout="attention_dropout",
        may_untie_output=True,
        task=CAUSAL,
    )

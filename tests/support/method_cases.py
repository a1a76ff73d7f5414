"""Methods and what each says of itself: where it starts, whether it can be merged, what is an exception and why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from support.method import FAMILIES, LENGTHS, TWO_STACKS

ALL_FAMILIES = tuple(FAMILIES)
CAUSAL = tuple(name for name in FAMILIES if name not in TWO_STACKS)
"""Families without an encoder and without cross-attention."""
NO_BIASES = ("t5", "mt5", "llama", "qwen3", "gemma2", "gemma3")
FEW = ("mbart", "mt5", "gemma3")
"""Three that differ most: one with biases and layer norms, one with neither and gated blocks, and one stack alone."""
SOME = (*FEW, "student")
"""These, and one with a recurrence in its decoder: for variants of a method that is tried on all families."""


@dataclass(frozen=True)
class But:
    """An exception from a property: why, what is said where it is an error, and which families have it."""

    reason: str
    says: str = ""
    families: Collection[str] = ALL_FAMILIES


@dataclass(frozen=True)
class Case:
    """A row of the table.

    Attributes:
        options: of the method.
        folder: `peft_type` of what is stored.
        share: budget of a budgeted method.
        nothing: families in which it has nothing to train, and is refused.
        exceptions: checks that it does not pass, by name.
        families: those that it is tried on.
    """

    options: Mapping[str, Any]
    folder: str
    share: float | None = None
    nothing: Collection[str] = ()
    exceptions: Mapping[str, But] = field(default_factory=dict)
    families: Collection[str] = ALL_FAMILIES


def _not_mergeable(what: str) -> dict[str, But]:
    return {"merging changes nothing": But(f"{what} is no change of a weight", says="can't be merged")}


STARTS_WITH_WORDS = {"it starts as the base": But("a prompt is there to be read, whatever it says")}


NEARLY_BASE = {"it starts as the base": But("a prefix takes attention from the text, however small it is")}
TWO_SETS = {
    "merging changes nothing": But("source and target have sets of their own", says="can't be merged", families=CAUSAL)
}
ADAPTER = {"method": "adapter", "activation": "relu"}
CASES: dict[str, Case] = {
    **{
        name: Case(
            {**ADAPTER, **options},
            "BOTTLENECK",
            share=0.08,
            nothing=CAUSAL if options.get("side") == "encoder" else (),
            exceptions=_not_mergeable("an adapter"),
            families=ALL_FAMILIES if name == "adapter" else SOME,
        )
        for name, options in {
            "adapter": {},
            "houlsby": {"placement": "houlsby"},
            "pfeiffer": {"placement": "pfeiffer", "activation": "gelu"},
            "parallel": {"placement": "parallel", "scaling": 4.0},
            "encoder_adapter": {"side": "encoder"},
            "decoder_adapter": {"side": "decoder", "placement": "parallel"},
        }.items()
    },
    "mam": Case(
        {"method": "mam", "length": 3, "activation": "relu", "scaling": 4.0},
        "MAM",
        share=0.08,
        exceptions={**_not_mergeable("a prefix"), **NEARLY_BASE},
        families=SOME,
    ),
    "lora": Case({"method": "lora", "scaling": 2.0}, "LORA", share=0.05),
    "rslora": Case({"method": "lora", "scaling": 2.0, "rank_stabilised": True}, "LORA", share=0.05, families=FEW),
    "dora": Case({"method": "lora", "scaling": 2.0, "dora": True}, "LORA", share=0.05, families=FEW),
    "lora_plus": Case({"method": "lora", "scaling": 2.0, "b_rate": 16.0}, "LORA", share=0.05, families=FEW),
    "lora_by_rank": Case(
        {"method": "lora", "scaling": 2.0, "rank": 3, "layers": ["query", "value"]}, "LORA", families=SOME
    ),
    "dora_by_rank": Case({"method": "lora", "scaling": 2.0, "rank": 2, "dora": True}, "LORA", families=FEW),
    **{
        name: Case({"method": "lora", "scaling": 2.0, "initialisation": name}, "LORA", share=0.05, families=FEW)
        for name in ("gaussian", "eva")
    },
    **{
        name: Case(
            {"method": "lora", "scaling": 2.0, "initialisation": name},
            "LORA",
            share=0.05,
            exceptions={
                "training can go on from what is stored": But("what it began with is stored as a part of it"),
            },
            families=ALL_FAMILIES if name == "pissa" else SOME,
        )
        for name in ("pissa", "olora", "corda")
    },
    "pissa_by_rank": Case(
        {
            "method": "lora",
            "scaling": 2.0,
            "initialisation": "pissa",
            "rank": 2,
            "rank_stabilised": True,
            "embeddings": True,
        },
        "LORA_EMBEDDINGS",
        families=FEW,
        exceptions={"training can go on from what is stored": But("what it began with is stored as a part of it")},
    ),
    "dsee": Case({"method": "dsee", "sparse": 5, "scaling": 2.0}, "DSEE", share=0.05, families=SOME),
    "prefix": Case(
        {"method": "prefix"}, "PREFIX", share=0.05, exceptions={**_not_mergeable("a prefix"), **NEARLY_BASE}
    ),
    "cross_prefix": Case(
        {"method": "prefix", "attentions": ["cross"]},
        "PREFIX",
        share=0.03,
        nothing=CAUSAL,
        exceptions={**_not_mergeable("a prefix"), **NEARLY_BASE},
        families=SOME,
    ),
    "network_prefix": Case(
        {"method": "prefix", "network": 6},
        "PREFIX",
        share=0.1,
        exceptions={
            **_not_mergeable("a prefix"),
            **NEARLY_BASE,
            "training can go on from what is stored": But("its prefix is stored, and the network thrown away"),
        },
        families=SOME,
    ),
    "sequence_prefix": Case(
        {"method": "sequence_prefix"},
        "SEQUENCE_PREFIX",
        share=0.05,
        exceptions={**_not_mergeable("a prefix"), **NEARLY_BASE},
    ),
    "context_lora": Case({"method": "context_lora", "scaling": 2.0}, "CONTEXT", share=0.05, exceptions=TWO_SETS),
    "context_ia3": Case({"method": "context_ia3"}, "CONTEXT", exceptions=TWO_SETS, families=SOME),
    "context_bitfit": Case(
        {"method": "context_bitfit"}, "CONTEXT", nothing=NO_BIASES, exceptions=TWO_SETS, families=(*SOME, "qwen2")
    ),
    "prefix_then_lora": Case(
        {
            "method": "staged",
            "stages": [{"method": "prefix"}, {"method": "lora", "scaling": 2.0}],
            "sizes": [2],
            "rate_factors": [10.0, 1.0],
        },
        "PREFIX LORA",
        share=0.05,
        exceptions={**_not_mergeable("a prefix"), **NEARLY_BASE},
        families=SOME,
    ),
    "prefix_then_adapter": Case(
        {
            "method": "staged",
            "stages": [{"method": "prefix", "attentions": ["encoder"]}, {**ADAPTER, "placement": "houlsby"}],
            "sizes": [2],
            "rate_factors": [10.0, 1.0],
        },
        "PREFIX BOTTLENECK",
        share=0.08,
        families=tuple(name for name in SOME if name in TWO_STACKS),
        exceptions={**_not_mergeable("a prefix"), **NEARLY_BASE},
    ),
    "prefix_then_full": Case(
        {
            "method": "staged_full",
            "stages": [{"method": "prefix"}, {"method": "full"}],
            "sizes": [2],
            "rate_factors": [10.0, 1.0],
        },
        "PREFIX",
        exceptions={
            **_not_mergeable("a prefix"),
            **NEARLY_BASE,
            "it trains what was counted": But("the base itself is trained, so no frozen one stands beside"),
            "it stores what was counted": But(
                "a bias of logits, which is no parameter, is a part of a whole model",
                families=("mbart", "marian", "student"),
            ),
            "without it the base is there again": But("the base itself is trained"),
        },
    ),
    "prompt": Case(
        {"method": "prompt"}, "PROMPT", share=0.02, exceptions=_not_mergeable("a prompt") | STARTS_WITH_WORDS
    ),
    "p_tuning": Case(
        {"method": "p_tuning", "network": "mlp", "hidden": 7},
        "PROMPT",
        share=0.06,
        exceptions={
            **_not_mergeable("a prompt"),
            **STARTS_WITH_WORDS,
            "training can go on from what is stored": But("its prompt is stored, and the network thrown away"),
        },
        families=SOME,
    ),
    "dept": Case(
        # Positions are those of the longest source here: rows beyond would get no gradient.
        {"method": "dept", "prompt_tokens": 2, "max_length": max(LENGTHS), "low_rank_rate": 0.1},
        "DEPT",
        share=0.012,
        exceptions=_not_mergeable("a prompt") | STARTS_WITH_WORDS,
    ),
    **{
        name: Case(
            {"method": "adalink", **options},
            "ADALINK",
            share=0.05,
            nothing=CAUSAL,
            exceptions=_not_mergeable("a link beside tied embeddings"),
            families=SOME,
        )
        for name, options in {
            "decoder_adalink": {"side": "decoder"},
            "adalink_by_language": {"side": "both", "by_language": True},
        }.items()
    },
    "adalink": Case(
        {"method": "adalink"},
        "ADALINK",
        share=0.02,
        nothing=CAUSAL,
        exceptions=_not_mergeable("a link beside tied embeddings"),
    ),
    "bitfit": Case({"method": "bitfit"}, "BITFIT", nothing=NO_BIASES),
    "layernorm": Case({"method": "layernorm"}, "LN_TUNING"),
    "norm_weights": Case({"method": "layernorm", "train": "weights"}, "COPIES", families=SOME),
    "norm_biases": Case({"method": "layernorm", "train": "biases"}, "COPIES", nothing=("mt5", *CAUSAL), families=FEW),
    "norms_and_biases": Case({"method": "layernorm", "with_biases": True}, "COPIES", families=SOME),
    "ssf": Case({"method": "ssf"}, "SSF"),
    **{
        part: Case(
            {"method": "part", "part": part},
            "COPIES",
            nothing=() if part == "decoder" else CAUSAL,
            families=ALL_FAMILIES if part == "decoder" else SOME,
        )
        for part in ("encoder", "decoder", "cross_attention")
    },
    "embeddings": Case({"method": "embeddings"}, "EMBEDDINGS"),
    "adapter_embeddings": Case(
        {**ADAPTER, "embeddings": True},
        "BOTTLENECK",
        share=0.4,
        exceptions=_not_mergeable("an adapter"),
        families=SOME,
    ),
    "lora_embeddings": Case(
        {"method": "lora", "scaling": 2.0, "embeddings": True}, "LORA_EMBEDDINGS", share=0.4, families=SOME
    ),
}

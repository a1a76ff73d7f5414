"""Methods and what each says of itself: where it starts, whether it can be merged, what is an exception and why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from support.method import FAMILIES, LENGTHS

NO_BIASES = "T5 and mT5 have no biases"
ALL_FAMILIES = tuple(FAMILIES)
FEW = ("mbart", "mt5")
"""Two that differ most: one with biases and layer norms, one with neither and with gated blocks."""


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
        share: budget of a sized method.
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
ADAPTER = {"tuner": "adapter", "activation": "relu"}
CASES: dict[str, Case] = {
    **{
        name: Case({**ADAPTER, **options}, "BOTTLENECK", share=0.08, exceptions=_not_mergeable("an adapter"))
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
        {"tuner": "mam", "length": 3, "activation": "relu", "scaling": 4.0},
        "MAM",
        share=0.08,
        exceptions={**_not_mergeable("a prefix"), **NEARLY_BASE},
    ),
    "lora": Case({"tuner": "lora", "scaling": 2.0}, "LORA", share=0.05),
    "rslora": Case({"tuner": "lora", "scaling": 2.0, "rank_stabilised": True}, "LORA", share=0.05, families=FEW),
    "dora": Case({"tuner": "lora", "scaling": 2.0, "dora": True}, "LORA", share=0.05, families=FEW),
    "dsee": Case({"tuner": "dsee", "sparse": 5, "scaling": 2.0}, "DSEE", share=0.05),
    "prefix": Case({"tuner": "prefix"}, "PREFIX", share=0.05, exceptions={**_not_mergeable("a prefix"), **NEARLY_BASE}),
    "cross_prefix": Case(
        {"tuner": "prefix", "attentions": ["cross"]},
        "PREFIX",
        share=0.03,
        exceptions={**_not_mergeable("a prefix"), **NEARLY_BASE},
    ),
    "network_prefix": Case(
        {"tuner": "prefix", "network": 6},
        "PREFIX",
        share=0.1,
        exceptions={
            **_not_mergeable("a prefix"),
            **NEARLY_BASE,
            "training can go on from what is stored": But("its prefix is stored, and the network thrown away"),
        },
    ),
    "sequence_prefix": Case(
        {"tuner": "sequence_prefix"},
        "SEQUENCE_PREFIX",
        share=0.05,
        exceptions={**_not_mergeable("a prefix"), **NEARLY_BASE},
    ),
    "context_lora": Case({"tuner": "context_lora", "scaling": 2.0}, "CONTEXT", share=0.05),
    "context_ia3": Case({"tuner": "context_ia3"}, "CONTEXT"),
    "context_bitfit": Case({"tuner": "context_bitfit"}, "CONTEXT", nothing=("t5", "mt5")),
    "prefix_then_lora": Case(
        {
            "tuner": "staged",
            "stages": [{"tuner": "prefix"}, {"tuner": "lora", "scaling": 2.0}],
            "sizes": [2],
            "rate_factors": [10.0, 1.0],
        },
        "PREFIX LORA",
        share=0.05,
        exceptions={**_not_mergeable("a prefix"), **NEARLY_BASE},
    ),
    "prefix_then_adapter": Case(
        {
            "tuner": "staged",
            "stages": [{"tuner": "prefix", "attentions": ["encoder"]}, {**ADAPTER, "placement": "houlsby"}],
            "sizes": [2],
            "rate_factors": [10.0, 1.0],
        },
        "PREFIX BOTTLENECK",
        share=0.08,
        exceptions={**_not_mergeable("a prefix"), **NEARLY_BASE},
    ),
    "prefix_then_full": Case(
        {
            "tuner": "staged_full",
            "stages": [{"tuner": "prefix"}, {"tuner": "full"}],
            "sizes": [2],
            "rate_factors": [10.0, 1.0],
        },
        "PREFIX",
        exceptions={
            **_not_mergeable("a prefix"),
            **NEARLY_BASE,
            "it trains what was counted": But("the base itself is trained, so no frozen one stands beside"),
            "it stores what was counted": But(
                "a bias of logits, which is no parameter, is a part of a whole model", families=("mbart", "marian")
            ),
            "without it the base is there again": But("the base itself is trained"),
        },
    ),
    "prompt": Case(
        {"tuner": "prompt"}, "PROMPT", share=0.02, exceptions=_not_mergeable("a prompt") | STARTS_WITH_WORDS
    ),
    "p_tuning": Case(
        {"tuner": "p_tuning", "network": "mlp", "hidden": 8},
        "PROMPT",
        share=0.06,
        exceptions={
            **_not_mergeable("a prompt"),
            **STARTS_WITH_WORDS,
            "training can go on from what is stored": But("its prompt is stored, and the network thrown away"),
        },
    ),
    "dept": Case(
        # Positions are those of the longest source here: rows beyond would get no gradient.
        {"tuner": "dept", "prompt_tokens": 2, "max_length": max(LENGTHS), "low_rank_rate": 0.1},
        "DEPT",
        share=0.012,
        exceptions=_not_mergeable("a prompt") | STARTS_WITH_WORDS,
    ),
    "adalink": Case(
        {"tuner": "adalink"}, "ADALINK", share=0.02, exceptions=_not_mergeable("a link beside tied embeddings")
    ),
    "bitfit": Case({"tuner": "bitfit"}, "BITFIT", nothing=("t5", "mt5")),
    "layernorm": Case({"tuner": "layernorm"}, "LN_TUNING"),
    "norm_weights": Case({"tuner": "layernorm", "train": "weights"}, "COPIES"),
    "norm_biases": Case({"tuner": "layernorm", "train": "biases"}, "COPIES", nothing=("t5", "mt5"), families=FEW),
    "norms_and_biases": Case({"tuner": "layernorm", "with_biases": True}, "COPIES"),
    "ssf": Case({"tuner": "ssf"}, "SSF"),
    **{part: Case({"tuner": "part", "part": part}, "COPIES") for part in ("encoder", "decoder", "cross_attention")},
    "embeddings": Case({"tuner": "embeddings"}, "EMBEDDINGS"),
    "adapter_embeddings": Case(
        {**ADAPTER, "embeddings": True}, "BOTTLENECK", share=0.4, exceptions=_not_mergeable("an adapter")
    ),
    "lora_embeddings": Case({"tuner": "lora", "scaling": 2.0, "embeddings": True}, "LORA_EMBEDDINGS", share=0.4),
}

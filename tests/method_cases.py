"""Methods and what each says of itself: where it starts, whether it can be merged, what is an exception and why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from method_material import FAMILIES, LENGTHS

NO_BIASES = "T5 and mT5 have no biases"
ALL_FAMILIES = tuple(FAMILIES)


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
    """

    options: Mapping[str, Any]
    folder: str
    share: float | None = None
    nothing: Collection[str] = ()
    exceptions: Mapping[str, But] = field(default_factory=dict)


def _not_mergeable(what: str) -> dict[str, But]:
    return {"merging changes nothing": But(f"{what} is no change of a weight", says="can't be merged")}


STARTS_WITH_WORDS = {"it starts as the base": But("a prompt is there to be read, whatever it says")}


CASES: dict[str, Case] = {
    "adapter": Case(
        {"tuner": "adapter", "activation": "relu"}, "BOTTLENECK", share=0.08, exceptions=_not_mergeable("an adapter")
    ),
    "lora": Case({"tuner": "lora", "scaling": 2.0}, "LORA", share=0.05),
    "prefix": Case(
        {"tuner": "prefix"},
        "PREFIX",
        share=0.05,
        exceptions={
            **_not_mergeable("a prefix"),
            "it starts as the base": But("a prefix takes attention from the text, however small it is"),
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
            "it stores what it trains": But("the network is folded into its prompt: training can't go on from there"),
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
    "embeddings": Case({"tuner": "embeddings"}, "EMBEDDINGS"),
    "adapter_embeddings": Case(
        {"tuner": "adapter", "activation": "relu", "embeddings": True},
        "BOTTLENECK",
        share=0.4,
        exceptions=_not_mergeable("an adapter"),
    ),
    "lora_embeddings": Case({"tuner": "lora", "scaling": 2.0, "embeddings": True}, "LORA_EMBEDDINGS", share=0.4),
}

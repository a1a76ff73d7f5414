"""Methods and what each says of itself: where it starts, whether it can be merged, what is an exception and why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from method_material import FAMILIES

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

"""Wrong studies of what tuning costs on other pairs, in the form of the other wrong configurations."""

from typing import Any

from support.config import DEFAULT, STUDY


def forgetting(*pairs: str) -> dict[str, Any]:
    """An overlay with a study of what tuning costs on these pairs, and no other one."""
    gone = dict.fromkeys(DEFAULT["studies"])
    return {"studies": {**gone, "mine": {"figure": "forgetting", **STUDY, "also_score": list(pairs)}}}


WRONG_OTHERS: list[tuple[Any, ...]] = [
    (
        {"studies": {"budgets": {"also_score": ["tr-en"]}}},
        "'studies.budgets.also_score' is for another figure; write a study of its own with figure: forgetting; cells a",
    ),
    (
        forgetting(),
        "'studies.mine.also_score' is missing; write the pairs on which it is seen what tuning on others co",
    ),
    (forgetting("tr-em"), "'studies.mine.also_score' names 'tr-em', which is not in 'pairs'; did you mean 'tr-en'?"),
    (
        forgetting("pt-en"),
        "'studies.mine.also_score' names 'pt-en' alone, which the study tunes on; write another pair",
    ),
    (
        {**forgetting("tr-en"), "methods": {"none": None}},
        "'studies.mine.also_score' compares with the untouched model, which 'methods' lacks; add 'none: {method:",
    ),
    (
        {**forgetting("eu-en"), "pairs": {"eu-en": {"corpus": "interface"}}},
        "'studies.mine.also_score' names 'eu-en', but the vocabulary of 'small' has no token for 'eu'; take one",
    ),
]

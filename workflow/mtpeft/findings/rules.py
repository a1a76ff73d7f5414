"""The rules by which claims are decided: written before any score is read, and printed with every result.

A p-value "for" below alpha shows the claim, one "against" refutes it; both are corrected over the members of the claim.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtpeft.statistics.levels import ALPHA
from mtpeft.statistics.p_values import p_greater, p_less, p_outside, p_within

SUPPORTED, REFUTED, UNDECIDED = "supported", "refuted", "undecided"
DISTANCE_CLAIM = "falls_faster_with_distance"
PValue = Callable[[np.ndarray, float], float]


@dataclass(frozen=True)
class Rule:
    """How the members of a claim are decided.

    Attributes:
        statement: the claim in words, with the labels of its finding in braces.
        effect: what is measured, in chrF.
        decision: when a member is supported and refuted; `{margin}` is put in.
        refuted: what is known of a refuted member, likewise.
        p_for, p_against: p-values from resampled effects and the margin; None where the members are decided otherwise.
        gap: distance from an effect to the bound that would decide it sooner, from the effect and the margin.
        excluded: what is known of a member whose effect is shown to be below the margin, though it is undecided.
        gated: whether a member without transfer, full fine-tuning being no better than `none`, can't support it.
        needs_gain: whether a member that gained nothing (step 0) can't refute it either.
    """

    statement: str
    effect: str
    decision: str
    refuted: str
    p_for: PValue | None = None
    p_against: PValue | None = None
    gap: Callable[[float, float], float] | None = None
    excluded: str = ""
    gated: bool = False
    needs_gain: bool = False


def _better(samples: np.ndarray, margin: float) -> float:
    return p_greater(samples)


def _worse(samples: np.ndarray, margin: float) -> float:
    return p_less(samples)


def _to_margin(effect: float, margin: float) -> float:
    return abs(margin - abs(effect))


def _to_zero(effect: float, margin: float) -> float:
    return abs(effect)


def _advantage(statement: str, effect: str, *, of: str = "an advantage", needs_gain: bool = False) -> Rule:
    """A rule that asks for an effect above 0, with one bound: what is true of it is not refuted, however little."""
    return Rule(
        statement=statement,
        effect=effect,
        decision="Supported if the effect is shown to be above 0, refuted if it is shown to be below 0. Where neither "
        f"is, but it is shown to be below {{margin:g}} chrF, {of} of the margin is excluded.",
        refuted="shown to be below 0",
        p_for=_better,
        p_against=_worse,
        gap=_to_zero,
        excluded=f"{of} of {{margin:g}} chrF is excluded",
        needs_gain=needs_gain,
    )


RULES: Mapping[str, Rule] = {
    "on_par": Rule(
        statement="{method}{budget} is on par with full fine-tuning.",
        effect="chrF of the method minus chrF of full fine-tuning",
        decision="Supported if two one-sided tests (Schuirmann 1987) show the effect within {margin:g} chrF of 0; "
        "refuted if a one-sided test shows it further from 0 than that.",
        refuted="shown to be more than {margin:g} chrF from 0",
        p_for=p_within,
        p_against=p_outside,
        gap=_to_margin,
        gated=True,
    ),
    "falls_with_budget": _advantage(
        "The quality of {methods} falls with the budget.",
        "drop in chrF from the largest to the smallest budget, on the least-squares line of chrF over the logarithm of "
        "the achieved share",
        of="a drop",
        needs_gain=True,
    ),
    DISTANCE_CLAIM: Rule(
        statement="Between {budgets} the quality of {method} falls more for more distant languages.",
        effect="Spearman's correlation over languages of their distance from English and their fall, which is chrF at "
        "the larger budget minus chrF at the smaller one. The gap to full fine-tuning changes by the same amount",
        decision="Supported if a one-sided permutation test over the languages shows a positive correlation, refuted "
        "if one shows a negative one. The claim is supported if one kind of distance supports it, refuted if all "
        "refute it.",
        refuted="a negative correlation is shown",
        needs_gain=True,
    ),
    "larger_beats_smaller": _advantage(
        "{method}{budget} on the model {larger} is better than full fine-tuning of {smaller}.",
        "chrF of the method on the larger model minus chrF of full fine-tuning of the smaller one",
    ),
    "beats_on_small_data": _advantage(
        "With the training data {size}, {methods}{budget} are better than full fine-tuning.",
        "chrF of the method minus chrF of full fine-tuning",
    ),
    "matters_less_where_seen": _advantage(
        "More data ({sizes}) and more trained parameters ({budgets}) bring {method} less for pairs that the base model "
        "was pre-trained to translate than for others.",
        "gain in chrF from the smaller to the larger end for a pair that was less seen, minus the same gain for one "
        "that was seen in parallel",
        of="a difference",
    ),
}
EVERY_MEMBER = "The claim is supported if all members are, refuted if one is, else undecided."
BOUNDS = (
    f"Tests are at {ALPHA:g}, corrected over the members (Holm 1979). A member whose parameter-efficient side, "
    "at its largest budget, has a cell that kept the model as it was before any update (step 0) is never supported."
)
NOTHING_TO_LOSE = "Nor is it refuted: what has gained nothing has nothing to lose."


def statement(finding: Mapping[str, Any]) -> str:
    """A claim in words."""
    quoted = {
        key: [f"`{label}`" for label in value] if isinstance(value, list) else f"`{value}`"
        for key, value in finding.items()
    }
    labels = {key: " and ".join(value) if isinstance(value, list) else value for key, value in quoted.items()}
    labels["budget"] = f" at {labels['budget']}" if "budget" in labels else ""
    words = RULES[finding["claim"]].statement.format(**labels)
    return f"{words} Study: `{finding['study']}`."


def decision(claim: str, margin: float) -> str:
    """The rule of a claim in words."""
    rule = RULES[claim]
    words = [rule.decision.format(margin=margin), *([] if claim == DISTANCE_CLAIM else [EVERY_MEMBER]), BOUNDS]
    return " ".join([*words, *([NOTHING_TO_LOSE] if rule.needs_gain else [])])


def verdict(p_for: float, p_against: float, *, may_support: bool, may_refute: bool) -> str:
    """The verdict on one member, from corrected p-values."""
    if p_for < ALPHA:
        return SUPPORTED if may_support else UNDECIDED
    return REFUTED if p_against < ALPHA and may_refute else UNDECIDED


def verdict_of(claim: str, verdicts: Sequence[str]) -> str:
    """The verdict on a claim from those on its members; without any it is undecided."""
    one, every = (REFUTED, SUPPORTED) if claim != DISTANCE_CLAIM else (SUPPORTED, REFUTED)
    if one in verdicts:
        return one
    return every if verdicts and set(verdicts) == {every} else UNDECIDED

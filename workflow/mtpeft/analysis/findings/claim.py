"""The rules by which claims are decided: written before any score is read, and printed with every result.

A p-value "for" below alpha shows what a member says, one "against" refutes it. A claim that all members hold is an
intersection-union test (Berger 1982): it is shown at alpha if each of them is at alpha, without any correction. What is
said of single members, and so "refuted if one is", is corrected over them (Holm 1979).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtpeft.analysis.findings.records import Outcome
from mtpeft.analysis.p_values import p_greater, p_less, p_outside, p_within
from mtpeft.config.significance import ALPHA
from mtpeft.metrics.names import CHRF, NAMES

SUPPORTED, REFUTED, UNDECIDED = "supported", "refuted", "undecided"
DISTANCE_CLAIM = "falls_faster_with_distance"
PAPER, MODELS = "paper", "models"
EVERY, MEAN = "every", "mean"
NOT_REPRODUCED = "not reproduced at this scale"
PValue = Callable[[np.ndarray, float], float]


@dataclass(frozen=True)
class Rule:
    """How the members of a claim are decided.

    Attributes:
        statement: the claim in words, with the labels of its finding in braces.
        effect: what is measured; `{metric}` is put in.
        decision: when a member is supported and refuted; `{margin}` is put in.
        refuted: what is known of a refuted member, likewise.
        p_for, p_against: p-values from resampled effects and the margin; None where the members are decided otherwise.
        gap: distance from an effect to the bound that would decide it sooner, from the effect and the margin.
        supports: whether that bound is one that would support the claim, likewise.
        sides: sides on which a member may be refuted.
        excluded: what is known of a member whose effect is shown to be below the margin, though it is undecided.
        gated: whether a member without transfer, full fine-tuning being no better than `none`, can't support it.
        needs_gain: whether a member that gained nothing (step 0) can't refute it either.
        of: whose claim it is, where the finding does not say: the paper's, or one on the models at hand.
    """

    statement: str
    effect: str
    decision: str
    refuted: str
    p_for: PValue | None = None
    p_against: PValue | None = None
    gap: Callable[[float, float], float] | None = None
    supports: Callable[[float, float], bool] | None = None
    sides: int = 1
    excluded: str = ""
    gated: bool = False
    needs_gain: bool = False
    of: str = PAPER


def _better(samples: np.ndarray, margin: float) -> float:
    return p_greater(samples)


def _worse(samples: np.ndarray, margin: float) -> float:
    return p_less(samples)


def _to_margin(effect: float, margin: float) -> float:
    return abs(margin - abs(effect))


def _to_zero(effect: float, margin: float) -> float:
    return abs(effect)


def _within(effect: float, margin: float) -> bool:
    return abs(effect) < margin


def _above(effect: float, margin: float) -> bool:
    return effect > 0


def _advantage(
    statement: str, effect: str, *, of: str = "an advantage", needs_gain: bool = False, owner: str = PAPER
) -> Rule:
    """A rule that asks for an effect above 0, with one bound: what is true of it is not refuted, however little."""
    return Rule(
        statement=statement,
        effect=effect,
        decision="Supported if the effect is shown to be above 0, refuted if it is shown to be below 0. Where neither "
        f"is, but it is shown to be below {{margin}}, {of} of the margin is excluded.",
        refuted="shown to be below 0",
        p_for=_better,
        p_against=_worse,
        gap=_to_zero,
        supports=_above,
        excluded=f"{of} of {{margin}} is excluded",
        needs_gain=needs_gain,
        of=owner,
    )


RULES: Mapping[str, Rule] = {
    "on_par": Rule(
        statement="{method}{budget} is on par with full fine-tuning.",
        effect="{metric} of the method minus {metric} of full fine-tuning",
        decision="Supported if two one-sided tests (Schuirmann 1987) show the effect within {margin} of 0; refuted if "
        "it is shown to be further from 0 than that, on either side, so with twice the p-value of one.",
        refuted="shown to be more than {margin} from 0",
        p_for=p_within,
        p_against=p_outside,
        gap=_to_margin,
        supports=_within,
        sides=2,
        gated=True,
    ),
    "falls_with_budget": _advantage(
        "The quality of {methods} falls with the budget.",
        "drop in {metric} from the largest to the smallest budget, on the least-squares line of {metric} over the "
        "logarithm of the achieved share",
        of="a drop",
        needs_gain=True,
    ),
    DISTANCE_CLAIM: Rule(
        statement="Between {budgets} the quality of {method} falls more for more distant languages.",
        effect="Spearman's correlation over languages of their distance from English and their fall, which is {metric} "
        "at the larger budget minus {metric} at the smaller one, in the mean over the pairs of a language. The gap to "
        "full fine-tuning changes by the same amount",
        decision="Supported if a one-sided permutation test over the languages, each of which counts once, shows a "
        "positive correlation, refuted if one shows a negative one. The claim is supported if one of the kinds of "
        f"distance supports it, corrected over them (Holm 1979), and refuted if all refute it, each at {ALPHA:g}.",
        refuted="a negative correlation is shown",
        needs_gain=True,
    ),
    "larger_beats_smaller": _advantage(
        "{method}{budget} on the model {larger} is better than full fine-tuning of {smaller}.",
        "{metric} of the method on the larger model minus {metric} of full fine-tuning of the smaller one",
    ),
    "beats_on_small_data": _advantage(
        "With the training data {size}, {methods}{budget} are better than full fine-tuning.",
        "{metric} of the method minus {metric} of full fine-tuning",
    ),
    "matters_less_where_seen": _advantage(
        "More data ({sizes}) and more trained parameters ({budgets}) bring {method} less for pairs that the base model "
        "was pre-trained to translate than for others.",
        "gain in {metric} from the smaller to the larger end for a pair that was less seen, minus the same gain for "
        "one that was seen in parallel",
        of="a difference",
        owner=MODELS,
    ),
}
ALL_MEMBERS = (
    f"The claim is supported if all members are, each at {ALPHA:g} without a correction (an intersection-union test, "
    "Berger 1982), refuted if one is, corrected over the members (Holm 1979), else undecided. The verdict on a single "
    "member is corrected over them as well."
)
OVER: Mapping[str, str] = {
    EVERY: "It is asked of every pair; what holds in the mean over languages stands beside it.",
    MEAN: "It is asked of the mean over languages, each of which is a draw from all of them and counts once; what "
    "holds for every pair stands beside it.",
}
BOUNDS = (
    "A member whose parameter-efficient side, at its largest budget, has a cell that kept the model as it was before "
    "any update (step 0) is never supported."
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
    metric = finding.get("metric", CHRF)
    return f"{words} Study: `{finding['study']}`." + (f" Metric: {NAMES[metric]}." if metric != CHRF else "")


def margin_in(metric: str, margin: float) -> str:
    """A margin with its metric, such as `1 chrF`."""
    return f"{margin:g} {NAMES[metric]}"


def effect_of(claim: str, metric: str) -> str:
    """What is measured, in words."""
    return RULES[claim].effect.format(metric=NAMES[metric])


def decision(finding: Mapping[str, Any], margin: float) -> str:
    """The rule of a claim in words."""
    claim = finding["claim"]
    rule = RULES[claim]
    words = [rule.decision.format(margin=margin_in(finding.get("metric", CHRF), margin))]
    if claim != DISTANCE_CLAIM:
        words.append(ALL_MEMBERS)
    if can_be_over_mean(claim):
        words.append(OVER[finding.get("over", EVERY)])
    return " ".join([*words, BOUNDS, *([NOTHING_TO_LOSE] if rule.needs_gain else [])])


def can_be_over_mean(claim: str) -> bool:
    """Whether the members of a claim differ in their pairs, so that a mean over languages says something."""
    return claim not in (DISTANCE_CLAIM, "matters_less_where_seen")


def worded(verdict: str, of: str) -> str:
    """A verdict as it is told: what fails of the paper's claims is not reproduced, here and at this scale."""
    return NOT_REPRODUCED if verdict == REFUTED and of == PAPER else verdict


def verdict(p_for: float, p_against: float, *, may_support: bool, may_refute: bool) -> str:
    """The verdict on one member by itself, from corrected p-values."""
    if p_for < ALPHA:
        return SUPPORTED if may_support else UNDECIDED
    return REFUTED if p_against < ALPHA and may_refute else UNDECIDED


def verdict_on_all(outcomes: Sequence[Outcome]) -> str:
    """The verdict on the claim that all members hold; without any it is undecided."""
    if any(outcome.verdict == REFUTED for outcome in outcomes):
        return REFUTED
    shown = [outcome.p_for is not None and outcome.p_for < ALPHA and not outcome.barred for outcome in outcomes]
    return SUPPORTED if shown and all(shown) else UNDECIDED


def verdict_on_one(outcomes: Sequence[Outcome]) -> str:
    """The verdict on the claim that one of several orders holds; refuted if all are, each without a correction."""
    if any(outcome.verdict == SUPPORTED for outcome in outcomes):
        return SUPPORTED
    refuted = [
        outcome.p_against is not None and outcome.p_against < ALPHA and not outcome.barred for outcome in outcomes
    ]
    return REFUTED if refuted and all(refuted) else UNDECIDED

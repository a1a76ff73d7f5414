"""The type of a claim: the test of its contrasts, the verdict on them, and the words for the claim and its rule.

The rules are written before any score is read, and are printed with every result. A contrast is shown if its p-value
"for" is below alpha, and refuted if its p-value "against" is. A claim that all contrasts hold is an intersection-union
test (Berger 1982): it is shown at alpha if each contrast is shown at alpha, without any correction. Verdicts on single
contrasts, and with them refutations of the claim, are corrected over the contrasts (Holm 1979).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtpeft.analysis.p_values import p_greater, p_less, p_outside, p_within
from mtpeft.config.findings import CLAIMS, ConfiguredClaim
from mtpeft.config.significance import ALPHA
from mtpeft.core.registry import bring_in
from mtpeft.metrics.base import DEFAULT_METRIC, METRICS

if TYPE_CHECKING:
    import numpy as np

    from mtpeft.analysis.findings.records import ContrastRecord, FindingRecord, Outcome

SUPPORTED, REFUTED, UNDECIDED = "supported", "refuted", "undecided"
PAPER = "paper"
EVERY, MEAN = "every", "mean"
NOT_REPRODUCED = "not reproduced at this scale"
PValue = Callable[["np.ndarray", float], float]
"""A p-value, from resampled effects and the margin."""
Decide = Callable[..., "list[ContrastRecord]"]
"""Decides a claim from its contrasts, the context and, as `metric`, the metric of the finding."""


@dataclass(frozen=True)
class Test:
    """The test of one contrast.

    Attributes:
        p_for: p-value for an effect that supports the claim.
        p_against: p-value for an effect that refutes it.
        gap: `gap(effect, margin)` is the distance to the nearest decision bound.
        supports: `supports(effect, margin)` is whether crossing that bound supports the claim.
        sides: sides on which a contrast may be refuted.
    """

    p_for: PValue
    p_against: PValue
    gap: Callable[[float, float], float]
    supports: Callable[[float, float], bool]
    sides: int = 1


EQUIVALENCE = Test(
    p_for=p_within,
    p_against=p_outside,
    gap=lambda effect, margin: abs(margin - abs(effect)),
    supports=lambda effect, margin: abs(effect) < margin,
    sides=2,
)
"""Is the effect within the margin of 0? By two one-sided tests (Schuirmann 1987)."""
ADVANTAGE = Test(
    p_for=lambda samples, margin: p_greater(samples),
    p_against=lambda samples, margin: p_less(samples),
    gap=lambda effect, margin: abs(effect),
    supports=lambda effect, margin: effect > 0,
)
"""Is the effect above 0? There is one bound, so a claim that is true is not refuted, however small the effect is."""


@dataclass(frozen=True, kw_only=True)
class Claim(ConfiguredClaim):
    """A claim with its rule.

    Attributes:
        statement: the claim in words, with the keys of its finding in braces.
        effect: the effect in words; `{metric}` is put in.
        decision: when a contrast is supported and when it is refuted; `{margin}` is put in.
        refuted: the reason of a refuted contrast, likewise.
        excluded: the reason of an undecided contrast whose effect is shown to be below the margin, likewise.
        test: how each contrast is tested; None if `decide` does it.
        decide: decides the claim as a whole, where its contrasts are not decided one by one.
        holds_for_one: whether the claim is supported if one of its records is; else all of them must be.
        effect_is_score: whether effects are differences of scores, and so have the digits of the metric.
        needs_transfer: whether a contrast can't support it where full fine-tuning is no better than `none`.
        needs_gain: whether a contrast that gained nothing (step 0) can't refute it either.
        details: tables with more results, for the page.
    """

    statement: str
    effect: str
    decision: str
    refuted: str = ""
    excluded: str = ""
    test: Test | None = None
    decide: Decide | None = None
    holds_for_one: bool = False
    effect_is_score: bool = True
    needs_transfer: bool = False
    needs_gain: bool = False
    details: "Callable[[FindingRecord], Iterator[str]] | None" = None


def advantage(*, noun: str = "an advantage", **more: Any) -> Claim:
    """A claim that asks for an effect above 0; `noun` is what such an effect is called."""
    return Claim(
        decision="Supported if the effect is shown to be above 0, refuted if it is shown to be below 0. Where neither "
        f"is, but it is shown to be below {{margin}}, {noun} of the margin is excluded.",
        refuted="shown to be below 0",
        excluded=f"{noun} of {{margin}} is excluded",
        test=ADVANTAGE,
        **more,
    )


def claim_named(name: str) -> Claim:
    """The claim of this name, with its rule."""
    claim = CLAIMS[name]
    assert isinstance(claim, Claim), f"{name} has no rule"
    return claim


def bring_in_claims(params: Mapping[str, Any]) -> None:
    """Add the claims from outside that the params of the findings name to the registry."""
    for claim in params["claims"].values():
        if "module" in claim:
            bring_in(claim["module"])


ALL_CONTRASTS = (
    f"The claim is supported if all members are, each at {ALPHA:g} without a correction (an intersection-union test, "
    "Berger 1982), refuted if one is, corrected over the members (Holm 1979), else undecided. The verdict on a single "
    "member is corrected over them as well."
)
OVER: Mapping[str, str] = {
    EVERY: "It is asked of every pair; what holds in the mean over languages stands beside it.",
    MEAN: "It is asked of the mean over languages, each of which is a draw from all of them and counts once; what "
    "holds for every pair stands beside it.",
}
STEP_ZERO_SUPPORTS_NOTHING = (
    "A member whose parameter-efficient side, at its largest budget, has a cell that kept the model as it was before "
    "any update (step 0) is never supported."
)
STEP_ZERO_REFUTES_NOTHING = "Nor is it refuted: what has gained nothing has nothing to lose."
SIGN_OF_EFFECT = "Lower {metric} is better, so the sign of the effect is turned: above 0 is better."


def statement(finding: Mapping[str, Any]) -> str:
    """A claim in words."""
    quoted = {
        key: [f"`{label}`" for label in value] if isinstance(value, list) else f"`{value}`"
        for key, value in finding.items()
    }
    labels = {key: " and ".join(value) if isinstance(value, list) else value for key, value in quoted.items()}
    labels["budget"] = f" at {labels['budget']}" if "budget" in labels else ""
    words = claim_named(finding["claim"]).statement.format(**labels)
    metric = finding.get("metric", DEFAULT_METRIC)
    in_metric = f" Metric: {METRICS[metric].title}." if metric != DEFAULT_METRIC else ""
    return f"{words} Study: `{finding['study']}`.{in_metric}"


def margin_in(metric: str, margin: float) -> str:
    """A margin with its metric, such as `1 chrF`."""
    return f"{margin:g} {METRICS[metric].title}"


def effect_of(claim: Claim, metric: str) -> str:
    """The effect of a claim, in words."""
    title = METRICS[metric].title
    words = claim.effect.format(metric=title)
    return words if METRICS[metric].higher_is_better else f"{words}. {SIGN_OF_EFFECT.format(metric=title)[:-1]}"


def decision(finding: Mapping[str, Any], margin: float) -> str:
    """The rule of a claim in words."""
    claim = claim_named(finding["claim"])
    words = [claim.decision.format(margin=margin_in(finding.get("metric", DEFAULT_METRIC), margin))]
    if not claim.holds_for_one:
        words.append(ALL_CONTRASTS)
    if claim.can_be_over_mean:
        words.append(OVER[finding.get("over", EVERY)])
    return " ".join([*words, STEP_ZERO_SUPPORTS_NOTHING, *([STEP_ZERO_REFUTES_NOTHING] if claim.needs_gain else [])])


def worded(verdict: str, of: str) -> str:
    """A verdict in words: a claim of the paper that is refuted is called not reproduced at this scale."""
    return NOT_REPRODUCED if verdict == REFUTED and of == PAPER else verdict


def verdict(p_for: float, p_against: float, *, may_support: bool, may_refute: bool) -> str:
    """The verdict on one contrast by itself, from corrected p-values."""
    if p_for < ALPHA:
        return SUPPORTED if may_support else UNDECIDED
    return REFUTED if p_against < ALPHA and may_refute else UNDECIDED


def verdict_on_all(outcomes: "Sequence[Outcome]") -> str:
    """The verdict on the claim that all contrasts hold; without any it is undecided."""
    if any(outcome.verdict == REFUTED for outcome in outcomes):
        return REFUTED
    shown = [outcome.p_for is not None and outcome.p_for < ALPHA and not outcome.barred for outcome in outcomes]
    return SUPPORTED if shown and all(shown) else UNDECIDED


def verdict_on_one(outcomes: "Sequence[Outcome]") -> str:
    """The verdict on the claim that one of several records holds; refuted if all are, each without a correction."""
    if any(outcome.verdict == SUPPORTED for outcome in outcomes):
        return SUPPORTED
    refuted = [
        outcome.p_against is not None and outcome.p_against < ALPHA and not outcome.barred for outcome in outcomes
    ]
    return REFUTED if refuted and all(refuted) else UNDECIDED

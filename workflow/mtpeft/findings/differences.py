"""Decide claims whose members are differences or drops in chrF, each on a test set of its own."""

from collections.abc import Sequence

from mtpeft.findings.known import Known
from mtpeft.findings.members import Effect, Member, measure
from mtpeft.findings.rules import REFUTED, SUPPORTED, UNDECIDED, Rule, verdict
from mtpeft.record_types import Outcome
from mtpeft.statistics.contrasts import Estimate
from mtpeft.statistics.needs import what_decides
from mtpeft.statistics.levels import ALPHA
from mtpeft.statistics.p_values import holm, interval, p_less

NO_TRANSFER = "full fine-tuning itself is not shown to beat the untouched model (gate)"
STEP_ZERO = "cells on the parameter-efficient side kept the model as it was (step 0)"


def decide_differences(
    members: Sequence[Member], rule: Rule, known: Known, *, part: str, margin: float
) -> list[Outcome]:
    """Outcomes of the members of a claim on a part of their test sets, corrected over all members.

    Members that lack cells count in the correction: the others must be as sure as if they were there.
    """
    effects = [None if member.lacking else measure(member, part, known.similarities) for member in members]
    estimates = [effect.estimate if effect else None for effect in effects]
    p_for = [rule.p_for(found.samples, margin) if found else 1.0 for found in estimates]
    p_against = [rule.p_against(found.samples, margin) if found else 1.0 for found in estimates]
    p_excluded = holm([p_less(found.samples, margin) if found else 1.0 for found in estimates])
    outcomes = []
    for place, (member, effect) in enumerate(zip(members, effects, strict=True)):
        if effect is None:
            outcomes.append(untested(member))
            continue
        found = effect.estimate
        p_values = {
            "p_for": p_for[place],
            "p_for_holm": holm(p_for)[place],
            "p_against": p_against[place],
            "p_against_holm": holm(p_against)[place],
        }
        bar = _bar(member, rule, known)
        may_refute = not (rule.needs_gain and member.step_zero)
        decided = verdict(
            p_values["p_for_holm"], p_values["p_against_holm"], may_support=not bar, may_refute=may_refute
        )
        is_open = decided == UNDECIDED and min(p_values["p_for_holm"], p_values["p_against_holm"]) >= ALPHA
        excluded = rule.excluded.format(margin=margin) if p_excluded[place] < ALPHA else ""
        reasons = {SUPPORTED: "shown", REFUTED: rule.refuted.format(margin=margin)}
        reasons[UNDECIDED] = (excluded or "the interval is too wide") if is_open else bar
        outcomes.append(
            Outcome(
                **_measured(effect),
                **p_values,
                verdict=decided,
                reason=reasons[decided],
                needs=_needs(found, rule.gap(found.effect, margin), ALPHA / len(members)) if is_open else "",
            )
        )
    return outcomes


def untested(member: Member) -> Outcome:
    """The outcome of a member without scores, or without what would tell its sentences apart."""
    pairs = dict.fromkeys(own.pair for own in (member, member.minus) if own)
    needs = member.lacking or " and ".join(f"data/pairs/{pair}/parts.json" for pair in pairs)
    return Outcome(reason=f"needs {needs}", needs=needs)


def _measured(effect: Effect) -> dict[str, object]:
    found = effect.estimate
    return {
        "effect": found.effect,
        "interval": interval(found.samples),
        "bleu_effect": effect.bleu,
        "sentences": found.sentences,
        "seeds": found.seeds,
    }


def _bar(member: Member, rule: Rule, known: Known) -> str:
    """Why a member can't support its claim, whatever is shown; empty if it can."""
    if member.step_zero:
        return STEP_ZERO
    return NO_TRANSFER if rule.gated and member.tuned_in_full in known.without_transfer else ""


def _needs(found: Estimate, gap: float, alpha: float) -> str:
    """What would decide, in words."""
    need = what_decides(found, gap=gap, alpha=alpha)
    if need is None:
        return "more than could be had: the effect lies too near to a bound"
    parts = []
    if need.sentences > found.sentences:
        parts.append(f"about {need.sentences} test sentences")
    if need.seeds > found.seeds:
        parts.append(f"about {need.seeds} seeds")
    words = " and ".join(parts) or "slightly more of either"
    return words if found.seeds > 1 else f"{words}, and more than one seed"

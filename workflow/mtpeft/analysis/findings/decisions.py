"""Decide claims whose members are differences or drops in quality, each on a test set of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtpeft.analysis.estimates import Estimate, mean_over_languages, pooled
from mtpeft.analysis.findings.claim import REFUTED, SUPPORTED, Rule, margin_in, verdict
from mtpeft.analysis.findings.contrasts import Known, Member, measure
from mtpeft.analysis.findings.records import MetricOutcome, Outcome
from mtpeft.analysis.p_values import holm, interval, p_less
from mtpeft.analysis.power import what_decides
from mtpeft.config.significance import ALPHA

NO_TRANSFER = "full fine-tuning itself is not shown to beat the untouched model (gate)"
STEP_ZERO = "cells on the parameter-efficient side kept the model as it was (step 0)"
ALL_STEP_ZERO = "all cells on the parameter-efficient side kept the model as it was (step 0)"
RATE_DOES_NOT_FIT = "so this may be of a learning rate that does not suit the pair"
NOT_BY_ITSELF = "shown where the claim is of all members, not by itself among so many (Holm)"
TOO_WIDE = "the interval is too wide"
SEEDS, LANGUAGES = "seeds", "languages"


@dataclass(frozen=True)
class Comparison:
    """A member of a claim, or the mean of members over languages, with what was measured of it.

    Attributes:
        estimates: its effect in each metric; None where something is missing.
        lacking: what is, as the end of a sentence.
        barred: why it can't support its claim, whatever is shown; empty if it can.
        step_zero: that its cells kept the model as it was, in words; empty if none did.
        draws: what the chance beside that of the sentences is of.
    """

    estimates: Mapping[str, Estimate] | None
    lacking: str
    barred: str
    step_zero: str
    draws: str = SEEDS


def compared(member: Member, rule: Rule, known: Known, *, part: str, metric: str) -> Comparison:
    """A member with its effects on a part of its test set."""
    lacking = member.lacking(metric)
    estimates = None if lacking else measure(member, part, known)
    return Comparison(
        estimates=estimates,
        lacking=lacking or ("" if estimates else similarities_of(member)),
        barred=bar(member, rule, known),
        step_zero=step_zero_of(member),
    )


def decide(comparisons: Sequence[Comparison], rule: Rule, known: Known, *, metric: str) -> list[Outcome]:
    """Outcomes of comparisons, each by itself, corrected over all of them.

    Those that lack cells count in the correction: the others must be as sure as if they were there.
    """
    margin = known.margins[metric]
    found = [one.estimates[metric] if one.estimates else None for one in comparisons]
    p_for = [rule.p_for(own.samples, margin) if own else 1.0 for own in found]
    p_against = [rule.p_against(own.samples, margin) if own else 1.0 for own in found]
    p_excluded = holm([p_less(own.samples, margin) if own else 1.0 for own in found])
    corrected = zip(p_for, holm(p_for), p_against, holm(p_against), strict=True)
    outcomes = []
    for one, own, p_values, excluded in zip(comparisons, found, corrected, p_excluded, strict=True):
        if own is None:
            outcomes.append(untested(one.lacking))
            continue
        p_values = dict(zip(("p_for", "p_for_holm", "p_against", "p_against_holm"), p_values, strict=True))
        may_refute = not (rule.needs_gain and one.step_zero)
        decided = verdict(
            p_values["p_for_holm"], p_values["p_against_holm"], may_support=not one.barred, may_refute=may_refute
        )
        is_open = min(p_values["p_for"], p_values["p_against_holm"]) >= ALPHA
        level = ALPHA if rule.supports(own.effect, margin) else ALPHA / len(comparisons) / rule.sides
        outcomes.append(
            Outcome(
                **_measured(one, rule, known, metric=metric),
                **p_values,
                verdict=decided,
                barred=one.barred,
                reason=_reason(
                    decided, one, rule, margin=margin_in(metric, margin), is_open=is_open, p_excluded=excluded
                ),
                needs=_needs(own, one.draws, gap=rule.gap(own.effect, margin), alpha=level) if is_open else "",
            )
        )
    return outcomes


def untested(needs: str) -> Outcome:
    """The outcome of a member without scores, or without what would tell its sentences apart."""
    return Outcome(reason=f"needs {needs}", needs=needs)


def similarities_of(member: Member) -> str:
    """What would tell the sentences of a member apart."""
    pairs = dict.fromkeys(own.pair for own in (member, member.minus) if own)
    return " and ".join(f"the similarities of {pair}" for pair in pairs)


def bar(member: Member, rule: Rule, known: Known) -> str:
    """Why a member can't support its claim, whatever is shown; empty if it can."""
    if member.step_zero:
        return step_zero_of(member)
    return NO_TRANSFER if rule.gated and member.tuned_in_full in known.without_transfer else ""


def step_zero_of(member: Member) -> str:
    """That cells of a member kept the model as it was, in words."""
    if not member.step_zero:
        return ""
    return ALL_STEP_ZERO if len(member.step_zero) == len(member.tuned_runs) else STEP_ZERO


def _reason(decided: str, one: Comparison, rule: Rule, *, margin: str, is_open: bool, p_excluded: float) -> str:
    if decided == SUPPORTED:
        return "shown"
    if decided == REFUTED:
        shown = rule.refuted.format(margin=margin)
        return f"{shown}; {one.step_zero}, {RATE_DOES_NOT_FIT}" if one.step_zero else shown
    if not is_open:
        return one.barred or NOT_BY_ITSELF
    return rule.excluded.format(margin=margin) if rule.excluded and p_excluded < ALPHA else TOO_WIDE


def _measured(one: Comparison, rule: Rule, known: Known, *, metric: str) -> dict[str, object]:
    found = one.estimates[metric]
    of_languages = one.draws == LANGUAGES
    return {
        "effect": found.effect,
        "interval": interval(found.samples),
        "metrics": {
            name: MetricOutcome(
                effect=own.effect,
                interval=interval(own.samples),
                p_for=rule.p_for(own.samples, known.margins[name]),
                p_against=rule.p_against(own.samples, known.margins[name]),
            )
            for name, own in one.estimates.items()
            if name != metric
        },
        "sentences": found.sentences,
        "seeds": None if of_languages else found.seeds,
        "languages": found.seeds if of_languages else None,
    }


def _needs(found: Estimate, draws: str, *, gap: float, alpha: float) -> str:
    """What would decide, in words."""
    need = what_decides(found, gap=gap, alpha=alpha)
    if need is None:
        return "more than could be had: the effect lies too near to a bound"
    parts = []
    if need.sentences > found.sentences:
        parts.append(f"about {need.sentences} test sentences")
    if need.seeds > found.seeds:
        parts.append(f"about {need.seeds} {draws}")
    words = " and ".join(parts) or "slightly more of either"
    return words if found.seeds > 1 else f"{words}, and more than one seed"


FEWEST = 3
"""Languages below which their differences say too little of how much languages differ."""


def settings_of(members: Sequence[Member]) -> dict[str, list[Member]]:
    """Members that differ in their pair alone, by what is the same for them."""
    found: dict[str, list[Member]] = {}
    for member in members:
        found.setdefault(member.setting, []).append(member)
    return found


def by_language(members: Sequence[Member]) -> dict[tuple[str, ...], list[Member]]:
    """Members by the languages of their pairs: both directions of a language are together."""
    found: dict[tuple[str, ...], list[Member]] = {}
    for member in members:
        found.setdefault(member.languages, []).append(member)
    return found


def name_of(setting: str, members: Sequence[Member]) -> str:
    """What the mean is called."""
    many = len(by_language(members))
    return f"mean over {many} {'language' if many == 1 else 'languages'}" + (f", {setting}" if setting else "")


def averaged(members: Sequence[Member], rule: Rule, known: Known, *, part: str, metric: str) -> Comparison:
    """The mean of the members of one setting over languages, each of which counts once, however many pairs it has."""
    languages = by_language(members)
    lacking = next((needs for member in members if (needs := member.lacking(metric))), "")
    if not lacking and len(languages) < FEWEST:
        lacking = f"at least {FEWEST} languages; there {'is' if len(languages) == 1 else 'are'} {len(languages)}"
    estimates = None if lacking else _mean(languages.values(), known, part=part, setting=members[0].setting)
    bars, kept = (
        [(member, words) for member in members if (words := found(member))]
        for found in (lambda member: bar(member, rule, known), step_zero_of)
    )
    return Comparison(
        estimates=estimates,
        lacking=lacking or ("" if estimates else " and ".join(map(similarities_of, members))),
        barred=_named(bars),
        step_zero=_named(kept),
        draws=LANGUAGES,
    )


def _mean(languages: Sequence[list[Member]], known: Known, *, part: str, setting: str) -> dict[str, Estimate] | None:
    measured = [[measure(member, part, known) for member in members] for members in languages]
    if any(effects is None for own in measured for effects in own):
        return None
    metrics = [name for name in measured[0][0] if all(name in effects for own in measured for effects in own)]
    return {
        name: mean_over_languages(
            [pooled([effects[name] for effects in own]) for own in measured], stream=f"mean {setting} {part}"
        )
        for name in metrics
    }


def _named(said: Sequence[tuple[Member, str]]) -> str:
    """What is said of single members, with their pairs."""
    words = dict.fromkeys(words for _, words in said)
    return "; ".join(f"{', '.join(member.pair for member, own in said if own == text)}: {text}" for text in words)

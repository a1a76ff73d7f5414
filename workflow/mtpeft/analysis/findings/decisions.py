"""Decide claims contrast by contrast, each on its own test set, and in the mean over languages.

The mean takes the languages as draws from all languages, and so says what holds on average.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtpeft.analysis.estimates import Estimate, mean_over_languages, pooled
from mtpeft.analysis.findings.claim import REFUTED, SUPPORTED, Claim, Test, margin_in, verdict
from mtpeft.analysis.findings.contrasts import ALL, LEAST_SIMILAR, PARTS, ClaimContext, Contrast, measure
from mtpeft.analysis.findings.records import ContrastRecord, MetricOutcome, Outcome
from mtpeft.analysis.p_values import holm, interval, p_less
from mtpeft.analysis.power import sizes_that_decide
from mtpeft.config.significance import ALPHA

NO_TRANSFER = "full fine-tuning itself is not shown to beat the untouched model (gate)"
STEP_ZERO = "cells on the parameter-efficient side kept the model as it was (step 0)"
ALL_STEP_ZERO = "all cells on the parameter-efficient side kept the model as it was (step 0)"
RATE_DOES_NOT_FIT = "so the learning rate may not suit this pair"
NOT_BY_ITSELF = "significant alone, but not after Holm's correction over all comparisons"
TOO_WIDE = "the interval is too wide"
SEEDS, LANGUAGES = "seeds", "languages"
FEWEST_LANGUAGES = 3
"""Fewest languages in a mean; the variance between fewer languages can't be estimated well."""


@dataclass(frozen=True)
class MeasuredContrast:
    """A contrast, or the mean of contrasts over languages, with its estimated effects.

    Attributes:
        estimates: its effect in each metric; None where something is missing.
        lacking: the missing cells or tables, as the end of a sentence.
        barred: why it can't support its claim, whatever is shown; empty if it can.
        step_zero: that its cells kept the model as it was, in words; empty if none did.
        draws: the random draws besides test sentences: seeds or languages.
    """

    estimates: Mapping[str, Estimate] | None
    lacking: str
    barred: str
    step_zero: str
    draws: str = SEEDS


def decide_each(
    contrasts: Sequence[Contrast], claim: Claim, context: ClaimContext, *, metric: str
) -> list[ContrastRecord]:
    """One record for each contrast: its outcome on all test sentences, and on the least similar half."""
    outcomes = {
        part: decide(
            [measured_contrast(own, claim, context, part=part, metric=metric) for own in contrasts],
            claim,
            context,
            metric=metric,
        )
        for part in PARTS
    }
    return [
        contrast_record(own.name, [own], outcomes[ALL][place], outcomes[LEAST_SIMILAR][place])
        for place, own in enumerate(contrasts)
    ]


def decide_mean(
    contrasts: Sequence[Contrast], claim: Claim, context: ClaimContext, *, metric: str
) -> list[ContrastRecord]:
    """One record for the mean over languages of the contrasts that differ in their pair alone."""
    settings = by_setting(contrasts)
    outcomes = {
        part: decide(
            [mean_contrast(own, claim, context, part=part, metric=metric) for own in settings.values()],
            claim,
            context,
            metric=metric,
        )
        for part in PARTS
    }
    return [
        contrast_record(name_of_mean(setting, own), own, outcomes[ALL][place], outcomes[LEAST_SIMILAR][place])
        for place, (setting, own) in enumerate(settings.items())
    ]


def contrast_record(name: str, contrasts: Sequence[Contrast], test: Outcome, least_similar: Outcome) -> ContrastRecord:
    """The record of one contrast, or of several together."""
    cells = {run.cell for own in contrasts for system in own.all_systems for run in system.runs}
    return ContrastRecord(
        member=name,
        cells=[cell.path for cell in sorted(cells)],
        step_zero=[cell.path for own in contrasts for cell in own.step_zero],
        test=test,
        least_similar=least_similar,
    )


def measured_contrast(
    own: Contrast, claim: Claim, context: ClaimContext, *, part: str, metric: str
) -> MeasuredContrast:
    """A contrast with its effects on a part of its test set."""
    lacking = own.lacking(metric)
    estimates = None if lacking else measure(own, part, context)
    return MeasuredContrast(
        estimates=estimates,
        lacking=lacking or ("" if estimates else similarities_of(own)),
        barred=why_barred(own, claim, context),
        step_zero=step_zero_of(own),
    )


def decide(contrasts: Sequence[MeasuredContrast], claim: Claim, context: ClaimContext, *, metric: str) -> list[Outcome]:
    """Outcomes of single contrasts, corrected over all of them.

    Contrasts that lack cells count in the correction, which is then as strict as with their cells.
    """
    test, margin = _test_of(claim), context.margins[metric]
    found = [one.estimates[metric] if one.estimates else None for one in contrasts]
    p_for = [test.p_for(own.samples, margin) if own else 1.0 for own in found]
    p_against = [test.p_against(own.samples, margin) if own else 1.0 for own in found]
    p_excluded = holm([p_less(own.samples, margin) if own else 1.0 for own in found])
    corrected = zip(p_for, holm(p_for), p_against, holm(p_against), strict=True)
    outcomes = []
    for one, own, p_values, excluded in zip(contrasts, found, corrected, p_excluded, strict=True):
        if own is None:
            outcomes.append(untested(one.lacking))
            continue
        p_values = dict(zip(("p_for", "p_for_holm", "p_against", "p_against_holm"), p_values, strict=True))
        may_refute = not (claim.needs_gain and one.step_zero)
        decided = verdict(
            p_values["p_for_holm"], p_values["p_against_holm"], may_support=not one.barred, may_refute=may_refute
        )
        is_open = min(p_values["p_for"], p_values["p_against_holm"]) >= ALPHA
        level = ALPHA if test.supports(own.effect, margin) else ALPHA / len(contrasts) / test.sides
        outcomes.append(
            Outcome(
                **_measured(one, test, context, metric=metric),
                **p_values,
                verdict=decided,
                barred=one.barred,
                reason=_reason(
                    decided, one, claim, margin=margin_in(metric, margin), is_open=is_open, p_excluded=excluded
                ),
                needs=_needs(own, one.draws, gap=test.gap(own.effect, margin), alpha=level) if is_open else "",
            )
        )
    return outcomes


def _test_of(claim: Claim) -> Test:
    """The test of each contrast of a claim that is decided contrast by contrast."""
    assert claim.test is not None, f"{claim.name} has neither a test nor a function that decides it"
    return claim.test


def untested(needs: str) -> Outcome:
    """The outcome of a contrast that lacks scores, or similarities by which its sentences could be chosen."""
    return Outcome(reason=f"needs {needs}", needs=needs)


def similarities_of(own: Contrast) -> str:
    """The similarities by which the least similar half of a contrast is chosen, in words."""
    pairs = dict.fromkeys(one.pair for one in (own, own.subtracted) if one)
    return " and ".join(f"the similarities of {pair}" for pair in pairs)


def why_barred(own: Contrast, claim: Claim, context: ClaimContext) -> str:
    """Return why a contrast can't support its claim, whatever is shown; empty if it can."""
    if own.step_zero:
        return step_zero_of(own)
    return NO_TRANSFER if claim.needs_transfer and own.tuned_in_full in context.without_transfer else ""


def step_zero_of(own: Contrast) -> str:
    """Say that cells of a contrast kept the model as it was; empty if none did."""
    if not own.step_zero:
        return ""
    return ALL_STEP_ZERO if len(own.step_zero) == len(own.tuned_runs) else STEP_ZERO


def _reason(decided: str, one: MeasuredContrast, claim: Claim, *, margin: str, is_open: bool, p_excluded: float) -> str:
    if decided == SUPPORTED:
        return "shown"
    if decided == REFUTED:
        shown = claim.refuted.format(margin=margin)
        return f"{shown}; {one.step_zero}, {RATE_DOES_NOT_FIT}" if one.step_zero else shown
    if not is_open:
        return one.barred or NOT_BY_ITSELF
    return claim.excluded.format(margin=margin) if claim.excluded and p_excluded < ALPHA else TOO_WIDE


def _measured(one: MeasuredContrast, test: Test, context: ClaimContext, *, metric: str) -> dict[str, object]:
    found = one.estimates[metric]
    of_languages = one.draws == LANGUAGES
    return {
        "effect": found.effect,
        "interval": interval(found.samples),
        "metrics": {
            name: MetricOutcome(
                effect=own.effect,
                interval=interval(own.samples),
                p_for=test.p_for(own.samples, context.margins[name]),
                p_against=test.p_against(own.samples, context.margins[name]),
            )
            for name, own in one.estimates.items()
            if name != metric
        },
        "sentences": found.sentences,
        "seeds": None if of_languages else found.seeds,
        "languages": found.seeds if of_languages else None,
    }


def _needs(found: Estimate, draws: str, *, gap: float, alpha: float) -> str:
    """Say with how many sentences and seeds a contrast would be decided."""
    sizes = sizes_that_decide(found, gap=gap, alpha=alpha)
    if sizes is None:
        return "more than could be had: the effect lies too near to a bound"
    parts = []
    if sizes.sentences > found.sentences:
        parts.append(f"about {sizes.sentences} test sentences")
    if sizes.seeds > found.seeds:
        parts.append(f"about {sizes.seeds} {draws}")
    words = " and ".join(parts) or "slightly more of either"
    return words if found.seeds > 1 else f"{words}, and more than one seed"


def by_setting(contrasts: Sequence[Contrast]) -> dict[str, list[Contrast]]:
    """Contrasts that differ in their pair alone, by what is the same for them."""
    found: dict[str, list[Contrast]] = {}
    for own in contrasts:
        found.setdefault(own.setting, []).append(own)
    return found


def by_language(contrasts: Sequence[Contrast]) -> dict[tuple[str, ...], list[Contrast]]:
    """Contrasts by the languages of their pairs: both directions of a language are together."""
    found: dict[tuple[str, ...], list[Contrast]] = {}
    for own in contrasts:
        found.setdefault(own.languages, []).append(own)
    return found


def name_of_mean(setting: str, contrasts: Sequence[Contrast]) -> str:
    """Name of the mean over languages in the record and on the page."""
    many = len(by_language(contrasts))
    return f"mean over {many} {'language' if many == 1 else 'languages'}" + (f", {setting}" if setting else "")


def mean_contrast(
    contrasts: Sequence[Contrast], claim: Claim, context: ClaimContext, *, part: str, metric: str
) -> MeasuredContrast:
    """The mean of the contrasts of one setting over languages, each of which counts once, however many pairs it has."""
    languages = by_language(contrasts)
    lacking = next((needs for own in contrasts if (needs := own.lacking(metric))), "")
    if not lacking and len(languages) < FEWEST_LANGUAGES:
        are = "is" if len(languages) == 1 else "are"
        lacking = f"at least {FEWEST_LANGUAGES} languages; there {are} {len(languages)}"
    estimates = None if lacking else _mean(languages.values(), context, part=part, setting=contrasts[0].setting)
    barred = [(own, words) for own in contrasts if (words := why_barred(own, claim, context))]
    step_zero = [(own, words) for own in contrasts if (words := step_zero_of(own))]
    return MeasuredContrast(
        estimates=estimates,
        lacking=lacking or ("" if estimates else " and ".join(map(similarities_of, contrasts))),
        barred=_named(barred),
        step_zero=_named(step_zero),
        draws=LANGUAGES,
    )


def _mean(
    languages: Sequence[list[Contrast]], context: ClaimContext, *, part: str, setting: str
) -> dict[str, Estimate] | None:
    measured = [[measure(own, part, context) for own in contrasts] for contrasts in languages]
    if any(effects is None for own in measured for effects in own):
        return None
    metrics = [name for name in measured[0][0] if all(name in effects for own in measured for effects in own)]
    return {
        name: mean_over_languages(
            [pooled([effects[name] for effects in own]) for own in measured], stream=f"mean {setting} {part}"
        )
        for name in metrics
    }


def _named(said: Sequence[tuple[Contrast, str]]) -> str:
    """Join words on single contrasts, with their pairs."""
    words = dict.fromkeys(words for _, words in said)
    return "; ".join(f"{', '.join(one.pair for one, own in said if own == text)}: {text}" for text in words)

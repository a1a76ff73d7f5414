"""Test whether the quality lost at a smaller budget grows with a language's distance from English.

The tests permute languages, and both directions of a language are one observation, their mean. The extra fall and its
interval are about these languages only: test sentences and seeds are resampled for it, languages are not.

A fall can't exceed the gain, and full fine-tuning gains less for distant languages, so falls would be smaller there
even if distance did not matter. So the share of full fine-tuning's gain that a budget keeps is reported too:
`(x - none) / (full - none)`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtpeft.analysis.estimates import Estimate, pooled
from mtpeft.analysis.findings.claim import REFUTED, SUPPORTED, verdict
from mtpeft.analysis.findings.contrasts import (
    ALL,
    LEAST_SIMILAR,
    PARTS,
    ClaimContext,
    Contrast,
    estimate,
    measure,
    sample_of,
)
from mtpeft.analysis.findings.decisions import ALL_STEP_ZERO, STEP_ZERO, contrast_record, similarities_of, untested
from mtpeft.analysis.findings.records import ContrastRecord, MetricOutcome, Outcome
from mtpeft.analysis.p_values import holm, interval, p_greater
from mtpeft.analysis.rank_correlation import interval_of, p_rising, partial_spearman, spearman, values_needed
from mtpeft.analysis.read_tables import Distance
from mtpeft.config.significance import ALPHA

KINDS = ("syntactic", "genealogical")
FEWEST = 3
"""Fewest languages for a rank correlation."""
NEGATIVE = "a negative correlation is shown"


@dataclass(frozen=True)
class Kept:
    """Shares of the gain kept at the larger and smaller budget, and their difference with its interval."""

    larger: float
    smaller: float
    lost: float
    lost_interval: tuple[float, float]


@dataclass(frozen=True)
class NotShown:
    """The reason why a share is not known."""

    why: str


@dataclass(frozen=True)
class Fall:
    """The loss of one language from the larger to the smaller budget, in the mean over its pairs.

    Attributes:
        language: its code.
        contrasts: those of its pairs.
        estimates: the fall in each metric.
        kept: shares of full fine-tuning's gain that are kept, or why they are not known.
        untouched: score of the untouched model; None where the sweep has none.
    """

    language: str
    contrasts: tuple[Contrast, ...]
    estimates: Mapping[str, Estimate]
    kept: Kept | NotShown
    untouched: float | None

    @property
    def step_zero(self) -> int:
        """Cells at the larger budget that kept the model as it was."""
        return sum(len(one.step_zero) for one in self.contrasts)

    @property
    def tuned(self) -> int:
        """Cells at the larger budget."""
        return sum(len(one.tuned_runs) for one in self.contrasts)


def distance_records(contrasts: Sequence[Contrast], context: ClaimContext, *, metric: str) -> list[ContrastRecord]:
    """One record for each kind of distance: its outcome on all test sentences, and on the least similar half."""
    if not contrasts:
        return []
    outcomes = {part: decide_distance(contrasts, context, part=part, metric=metric) for part in PARTS}
    own = with_distance(contrasts, context.distances)
    return [
        contrast_record(f"{kind} distance", own, outcomes[ALL][kind], outcomes[LEAST_SIMILAR][kind]) for kind in KINDS
    ]


def with_distance(contrasts: Sequence[Contrast], distances: Mapping[str, Distance]) -> list[Contrast]:
    """Contrasts whose language has a known distance."""
    return [one for one in contrasts if one.language in distances]


def decide_distance(
    contrasts: Sequence[Contrast], context: ClaimContext, *, part: str, metric: str
) -> dict[str, Outcome]:
    """The outcome for each kind of distance, corrected over the two kinds."""
    falls = measure_falls(with_distance(contrasts, context.distances), context, part=part, metric=metric)
    if isinstance(falls, Outcome):
        return dict.fromkeys(KINDS, falls)
    effects = np.array([fall.estimates[metric].effect for fall in falls])
    places = {kind: np.array([getattr(context.distances[fall.language], kind) for fall in falls]) for kind in KINDS}
    tests = {kind: [p_rising(places[kind], sign * effects) for sign in (1, -1)] for kind in KINDS}
    corrected = [holm([tests[kind][side] for kind in KINDS]) for side in (0, 1)]
    return {
        kind: _outcome(
            places[kind],
            falls,
            metric=metric,
            p_for=(tests[kind][0], corrected[0][place]),
            p_against=(tests[kind][1], corrected[1][place]),
        )
        for place, kind in enumerate(KINDS)
    }


def measure_falls(
    contrasts: Sequence[Contrast], context: ClaimContext, *, part: str, metric: str
) -> list[Fall] | Outcome:
    """Falls of all languages, or an untested outcome that names the missing cells or languages."""
    languages: dict[str, list[Contrast]] = {}
    for one in contrasts:
        languages.setdefault(one.language, []).append(one)
    if len(languages) < FEWEST:
        return untested(f"at least {FEWEST} languages with a distance; there are {len(languages)}")
    falls = []
    for language, own in languages.items():
        measured = []
        for one in own:
            effects = None if (lacking := one.lacking(metric)) else measure(one, part, context)
            if effects is None:
                return untested(lacking or similarities_of(one))
            measured.append(effects)
        names = [name for name in measured[0] if all(name in effects for effects in measured)]
        falls.append(
            Fall(
                language=language,
                contrasts=tuple(own),
                estimates={name: pooled([effects[name] for effects in measured]) for name in names},
                kept=kept_of(own, context, part=part, metric=metric),
                untouched=score_of_untouched(own, context, part=part, metric=metric),
            )
        )
    return falls


def extra_fall(places: np.ndarray, falls: np.ndarray) -> np.ndarray:
    """Fall at the largest distance minus fall at the smallest one, on the least-squares line.

    Args:
        places: distances: shape [languages].
        falls: shape [..., languages].

    Returns:
        Extra falls: shape [...]; 0 where all languages are equally distant.
    """
    centred = places - places.mean()
    squares = float(centred @ centred)
    return falls @ centred / squares * np.ptp(places) if squares else np.zeros(falls.shape[:-1])


def _outcome(
    places: np.ndarray,
    falls: Sequence[Fall],
    *,
    metric: str,
    p_for: tuple[float, float],
    p_against: tuple[float, float],
) -> Outcome:
    found = [fall.estimates[metric] for fall in falls]
    effects = np.array([own.effect for own in found])
    rho = float(spearman(effects, places))
    extra = extra_fall(places, np.stack([own.samples for own in found], axis=-1))
    barred = _step_zero(falls)
    decided = verdict(p_for[1], p_against[1], may_support=not barred, may_refute=not barred)
    is_shown = min(p_for[1], p_against[1]) < ALPHA
    return Outcome(
        effect=rho,
        interval=interval_of(rho, len(places)),
        metrics=_in_other_metrics(places, falls, metric),
        p_for=p_for[0],
        p_for_holm=p_for[1],
        p_against=p_against[0],
        p_against_holm=p_against[1],
        sentences=min(own.sentences for own in found),
        seeds=min(own.seeds for own in found),
        languages=len(falls),
        verdict=decided,
        barred=barred,
        reason=_reason(decided, barred, is_shown=is_shown),
        needs="" if decided in (SUPPORTED, REFUTED) or is_shown else _needs(rho),
        details={
            "extra_fall": float(extra_fall(places, effects)),
            "extra_fall_interval": list(interval(extra)),
            "falls": {
                " and ".join(one.name for one in fall.contrasts): _details(fall, float(place), own)
                for fall, place, own in zip(falls, places, found, strict=True)
            },
            "share_of_gain": _of_shares(places, falls),
            "given_untouched": _given_untouched(places, falls, effects),
        },
    )


def _details(fall: Fall, place: float, found: Estimate) -> dict[str, object]:
    kept = fall.kept
    return {
        "distance": place,
        "fall": found.effect,
        "interval": list(interval(found.samples)),
        "step_zero": fall.step_zero,
        "tuned": fall.tuned,
        "kept": {"larger": kept.larger, "smaller": kept.smaller} if isinstance(kept, Kept) else None,
        "lost_share": kept.lost if isinstance(kept, Kept) else None,
        "lost_share_interval": list(kept.lost_interval) if isinstance(kept, Kept) else None,
        "not_shared": kept.why if isinstance(kept, NotShown) else "",
    }


def _of_shares(places: np.ndarray, falls: Sequence[Fall]) -> dict[str, object]:
    """The same correlation for falls as shares of what full fine-tuning gains, over languages where it gains."""
    shared = [(place, fall.kept.lost) for place, fall in zip(places, falls, strict=True) if isinstance(fall.kept, Kept)]
    if len(shared) < FEWEST:
        return {"languages": len(shared)}
    own, lost = np.array(shared).T
    rho = float(spearman(lost, own))
    ends = interval_of(rho, len(shared))
    p_values = {"p_for": p_rising(own, lost), "p_against": p_rising(own, -lost)}
    return {"languages": len(shared), "effect": rho, "interval": list(ends) if ends else None, **p_values}


def _given_untouched(places: np.ndarray, falls: Sequence[Fall], effects: np.ndarray) -> dict[str, object]:
    """The correlation of distance and fall where the score of the untouched model is held fixed."""
    scores = [fall.untouched for fall in falls]
    if None in scores or len(falls) < FEWEST + 1:
        return {"languages": sum(score is not None for score in scores)}
    rho, p_for, p_against = partial_spearman(places, effects, np.array(scores))
    ends = interval_of(rho, len(falls) - 1)
    return {
        "languages": len(falls),
        "effect": rho,
        "interval": list(ends) if ends else None,
        "p_for": p_for,
        "p_against": p_against,
    }


def _in_other_metrics(places: np.ndarray, falls: Sequence[Fall], metric: str) -> dict[str, MetricOutcome]:
    names = [name for name in falls[0].estimates if name != metric and all(name in fall.estimates for fall in falls)]
    found = {}
    for name in names:
        effects = np.array([fall.estimates[name].effect for fall in falls])
        rho = float(spearman(effects, places))
        found[name] = MetricOutcome(
            effect=rho,
            interval=interval_of(rho, len(places)),
            p_for=p_rising(places, effects),
            p_against=p_rising(places, -effects),
        )
    return found


def _step_zero(falls: Sequence[Fall]) -> str:
    """Say that cells kept the model as it was, and name the languages of which all cells did."""
    if not any(fall.step_zero for fall in falls):
        return ""
    whole = [fall.language for fall in falls if fall.step_zero == fall.tuned]
    if len(whole) == len(falls):
        return ALL_STEP_ZERO
    return f"{STEP_ZERO}, all of them for {', '.join(whole)}" if whole else STEP_ZERO


def _reason(decided: str, barred: str, *, is_shown: bool) -> str:
    if decided == SUPPORTED:
        return "shown"
    if decided == REFUTED:
        return NEGATIVE
    return barred if is_shown and barred else "the order of the languages could be chance"


def _needs(rho: float) -> str:
    languages = values_needed(rho, ALPHA / len(KINDS))
    if languages is None:
        return "no number of languages with this correlation, which is not positive"
    return f"about {languages} languages, for a power of 80 % at this correlation"


def kept_of(contrasts: Sequence[Contrast], context: ClaimContext, *, part: str, metric: str) -> Kept | NotShown:
    """Shares of the gain that the pairs of a language keep, their mean, where a gain is shown on each of them."""
    found = [_kept(one, context, part=part, metric=metric) for one in contrasts]
    if without := next((own for own in found if isinstance(own, NotShown)), None):
        return without
    larger, smaller = (float(np.mean([getattr(own, name) for own, _ in found])) for name in ("larger", "smaller"))
    lost = np.mean([samples for _, samples in found], axis=0)
    return Kept(larger, smaller, larger - smaller, interval(lost))


def score_of_untouched(contrasts: Sequence[Contrast], context: ClaimContext, *, part: str, metric: str) -> float | None:
    """Score of the untouched model, the mean over the pairs of a language, with the sign turned if lower is better."""
    if any(_lacks(one, metric) for one in contrasts):
        return None
    scores = []
    for one in contrasts:
        sample = sample_of(part, one.pair, one.all_systems, context)
        scores.append(estimate(one.gain[1:], [1.0], context, sample=sample, metric=metric).effect)
    return float(np.mean(scores))


def _lacks(one: Contrast, metric: str) -> bool:
    return not one.gain or any(system.lacking or system.lacking_in(metric) for system in one.gain)


def _kept(one: Contrast, context: ClaimContext, *, part: str, metric: str) -> tuple[Kept, np.ndarray] | NotShown:
    """Shares of one pair, with resampled values of their difference: the linear part of the ratio (delta method)."""
    if _lacks(one, metric):
        return NotShown("full fine-tuning or the untouched model has no score")
    sample = sample_of(part, one.pair, one.all_systems, context)
    full, none = one.gain
    gain = estimate([full, none], [1.0, -1.0], context, sample=sample, metric=metric)
    if p_greater(gain.samples) >= ALPHA:
        return NotShown("full fine-tuning is not shown to gain")
    larger, smaller = one.peft
    above = [estimate([own, none], [1.0, -1.0], context, sample=sample, metric=metric).effect for own in one.peft]
    shares = [effect / gain.effect for effect in above]
    lost = shares[0] - shares[1]
    rest = estimate([larger, smaller, full, none], [1.0, -1.0, -lost, lost], context, sample=sample, metric=metric)
    samples = lost + rest.samples / gain.effect
    return Kept(*shares, lost, interval(samples)), samples

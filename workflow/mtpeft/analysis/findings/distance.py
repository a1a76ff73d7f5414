"""Decide whether what a smaller budget costs grows with the distance of a language from English.

Languages are what is tested, so both tests are permutations of them, and what happens in both directions of a language
is one observation, their mean. The extra fall and its interval are of these languages: test sentences and seeds alone
are drawn again for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtpeft.analysis.estimates import Estimate, pooled
from mtpeft.analysis.findings.claim import DISTANCE_CLAIM, REFUTED, RULES, SUPPORTED, verdict
from mtpeft.analysis.findings.contrasts import Known, Member, estimate, measure, sample_of
from mtpeft.analysis.findings.decisions import ALL_STEP_ZERO, STEP_ZERO, similarities_of, untested
from mtpeft.analysis.findings.records import MetricOutcome, Outcome
from mtpeft.analysis.p_values import holm, interval, p_greater
from mtpeft.analysis.rank_correlation import interval_of, p_rising, partial_spearman, spearman, values_needed
from mtpeft.analysis.tables import Distance
from mtpeft.config.significance import ALPHA

KINDS = ("syntactic", "genealogical")
FEWEST = 3
"""Languages below which an order says nothing."""


@dataclass(frozen=True)
class Fall:
    """What one language loses from the larger to the smaller budget, in the mean over its pairs.

    Attributes:
        language: its code.
        members: its pairs.
        estimates: the fall in each metric.
        kept: shares of full fine-tuning's gain that are kept, or why they are not known.
        untouched: score of the untouched model; None where the sweep has none.
    """

    language: str
    members: tuple[Member, ...]
    estimates: Mapping[str, Estimate]
    kept: Kept | NotShown
    untouched: float | None

    @property
    def step_zero(self) -> int:
        """Cells at the larger budget that kept the model as it was."""
        return sum(len(member.step_zero) for member in self.members)

    @property
    def tuned(self) -> int:
        """Cells at the larger budget."""
        return sum(len(member.tuned_runs) for member in self.members)


def placed_members(members: Sequence[Member], distances: Mapping[str, Distance]) -> list[Member]:
    """Members whose language has a known distance."""
    return [member for member in members if member.language in distances]


def decide_distance(members: Sequence[Member], known: Known, *, part: str, metric: str) -> dict[str, Outcome]:
    """Outcome for each kind of distance, by itself corrected over the two."""
    falls = measure_falls(placed_members(members, known.distances), known, part=part, metric=metric)
    if isinstance(falls, Outcome):
        return dict.fromkeys(KINDS, falls)
    effects = np.array([fall.estimates[metric].effect for fall in falls])
    places = {kind: np.array([getattr(known.distances[fall.language], kind) for fall in falls]) for kind in KINDS}
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


def measure_falls(members: Sequence[Member], known: Known, *, part: str, metric: str) -> list[Fall] | Outcome:
    """Falls of all languages, or the outcome that says what is missing for that."""
    languages: dict[str, list[Member]] = {}
    for member in members:
        languages.setdefault(member.language, []).append(member)
    if len(languages) < FEWEST:
        return untested(f"at least {FEWEST} languages with a distance; there are {len(languages)}")
    falls = []
    for language, own in languages.items():
        measured = []
        for member in own:
            effects = None if (lacking := member.lacking(metric)) else measure(member, part, known)
            if effects is None:
                return untested(lacking or similarities_of(member))
            measured.append(effects)
        names = [name for name in measured[0] if all(name in effects for effects in measured)]
        falls.append(
            Fall(
                language=language,
                members=tuple(own),
                estimates={name: pooled([effects[name] for effects in measured]) for name in names},
                kept=kept_of(own, known, part=part, metric=metric),
                untouched=score_of_untouched(own, known, part=part, metric=metric),
            )
        )
    return falls


def extra_fall(places: np.ndarray, falls: np.ndarray) -> np.ndarray:
    """Fall at the largest less that at the smallest distance, on the least-squares line.

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
                " and ".join(member.name for member in fall.members): _told(fall, float(place), own)
                for fall, place, own in zip(falls, places, found, strict=True)
            },
            "share_of_gain": _of_shares(places, falls),
            "given_untouched": _given_untouched(places, falls, effects),
        },
    )


def _told(fall: Fall, place: float, found: Estimate) -> dict[str, object]:
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
    """That cells kept the model as it was, with the languages of which all did."""
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
        return RULES[DISTANCE_CLAIM].refuted
    return barred if is_shown and barred else "the order of the languages could be chance"


def _needs(rho: float) -> str:
    languages = values_needed(rho, ALPHA / len(KINDS))
    if languages is None:
        return "no number of languages with this correlation, which is not positive"
    return f"about {languages} languages, for a power of 80 % at this correlation"


@dataclass(frozen=True)
class Kept:
    """Shares of the gain kept at the larger and smaller budget, and what is lost between them, with its interval."""

    larger: float
    smaller: float
    lost: float
    lost_interval: tuple[float, float]


@dataclass(frozen=True)
class NotShown:
    """Why a share can't be told."""

    why: str


def kept_of(members: Sequence[Member], known: Known, *, part: str, metric: str) -> Kept | NotShown:
    """Shares of the gain that the pairs of a language keep, their mean; told where a gain is shown on each of them."""
    found = [_kept(member, known, part=part, metric=metric) for member in members]
    if unknown := next((own for own in found if isinstance(own, NotShown)), None):
        return unknown
    larger, smaller = (float(np.mean([getattr(own, name) for own, _ in found])) for name in ("larger", "smaller"))
    lost = np.mean([samples for _, samples in found], axis=0)
    return Kept(larger, smaller, larger - smaller, interval(lost))


def score_of_untouched(members: Sequence[Member], known: Known, *, part: str, metric: str) -> float | None:
    """Score of the untouched model, the mean over the pairs of a language."""
    if any(_lacks(member, metric) for member in members):
        return None
    scores = []
    for member in members:
        sample = sample_of(part, member.pair, member.all_systems, known)
        scores.append(estimate(member.gain[1:], [1.0], known, sample=sample, metric=metric).effect)
    return float(np.mean(scores))


def _lacks(member: Member, metric: str) -> bool:
    return not member.gain or any(system.lacking or system.lacking_in(metric) for system in member.gain)


def _kept(member: Member, known: Known, *, part: str, metric: str) -> tuple[Kept, np.ndarray] | NotShown:
    """Shares of one pair with resampled values of what is lost: the ratio's linear part, as the delta method has it."""
    if _lacks(member, metric):
        return NotShown("full fine-tuning or the untouched model has no score")
    sample = sample_of(part, member.pair, member.all_systems, known)
    full, none = member.gain
    gain = estimate([full, none], [1.0, -1.0], known, sample=sample, metric=metric)
    if p_greater(gain.samples) >= ALPHA:
        return NotShown("full fine-tuning is not shown to gain")
    larger, smaller = member.peft
    above = [estimate([own, none], [1.0, -1.0], known, sample=sample, metric=metric).effect for own in member.peft]
    shares = [effect / gain.effect for effect in above]
    lost = shares[0] - shares[1]
    rest = estimate([larger, smaller, full, none], [1.0, -1.0, -lost, lost], known, sample=sample, metric=metric)
    samples = lost + rest.samples / gain.effect
    return Kept(*shares, lost, interval(samples)), samples

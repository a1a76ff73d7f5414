"""Decide whether what a smaller budget costs grows with the distance of a language from English.

Languages are what is tested, so both tests are permutations of them. The extra fall and its interval are of these
languages: test sentences and seeds alone are drawn again for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtpeft.figures.tables import Distance
from mtpeft.findings.differences import STEP_ZERO, untested
from mtpeft.findings.known import Known
from mtpeft.findings.members import Member, measure
from mtpeft.findings.rules import DISTANCE_CLAIM, REFUTED, RULES, SUPPORTED, verdict
from mtpeft.record_types import Outcome
from mtpeft.statistics.contrasts import Estimate
from mtpeft.statistics.levels import ALPHA
from mtpeft.statistics.p_values import holm, interval
from mtpeft.statistics.rank_correlation import interval_of, p_rising, spearman, values_needed

KINDS = ("syntactic", "genealogical")
FEWEST = 3
"""Languages below which an order says nothing."""


@dataclass(frozen=True)
class Falls:
    """Fall of each language from the larger to the smaller budget: effects [languages], [resamples, languages]."""

    members: tuple[Member, ...]
    estimates: tuple[Estimate, ...]
    bleu: tuple[float, ...]

    @property
    def effects(self) -> np.ndarray:
        """Falls in chrF: shape [languages]."""
        return np.array([found.effect for found in self.estimates])

    @property
    def samples(self) -> np.ndarray:
        """Resampled falls: shape [resamples, languages]."""
        return np.stack([found.samples for found in self.estimates], axis=-1)


def placed_members(members: Sequence[Member], distances: Mapping[str, Distance]) -> list[Member]:
    """Members whose language has a known distance."""
    return [member for member in members if member.language in distances]


def decide_distance(members: Sequence[Member], known: Known, *, part: str) -> dict[str, Outcome]:
    """Outcome for each kind of distance, corrected over the two."""
    placed = placed_members(members, known.distances)
    falls = measure_falls(placed, part, known.similarities)
    if isinstance(falls, Outcome):
        return dict.fromkeys(KINDS, falls)
    places = {kind: np.array([getattr(known.distances[member.language], kind) for member in placed]) for kind in KINDS}
    tests = {kind: [p_rising(places[kind], sign * falls.effects) for sign in (1, -1)] for kind in KINDS}
    corrected = [holm([tests[kind][side] for kind in KINDS]) for side in (0, 1)]
    return {
        kind: _outcome(
            places[kind],
            falls,
            p_for=(tests[kind][0], corrected[0][place]),
            p_against=(tests[kind][1], corrected[1][place]),
        )
        for place, kind in enumerate(KINDS)
    }


def measure_falls(members: Sequence[Member], part: str, similarities: Mapping[str, np.ndarray]) -> Falls | Outcome:
    """Falls of all languages, or the outcome that says what is missing for that."""
    if len(members) < FEWEST:
        needs = f"at least {FEWEST} languages with a distance; there are {len(members)}"
        return Outcome(reason=f"needs {needs}", needs=needs)
    for member in members:
        if member.lacking:
            return untested(member)
    effects = [measure(member, part, similarities) for member in members]
    if None in effects:
        return untested(members[effects.index(None)])
    return Falls(
        members=tuple(members),
        estimates=tuple(effect.estimate for effect in effects),
        bleu=tuple(effect.bleu for effect in effects),
    )


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
    falls: Falls,
    *,
    p_for: tuple[float, float],
    p_against: tuple[float, float],
) -> Outcome:
    rho = float(spearman(falls.effects, places))
    extra = extra_fall(places, falls.samples)
    step_zero = [cell for member in falls.members for cell in member.step_zero]
    decided = verdict(p_for[1], p_against[1], may_support=not step_zero, may_refute=not step_zero)
    is_shown = min(p_for[1], p_against[1]) < ALPHA
    return Outcome(
        effect=rho,
        interval=interval_of(rho, len(places)),
        bleu_effect=float(spearman(np.array(falls.bleu), places)),
        p_for=p_for[0],
        p_for_holm=p_for[1],
        p_against=p_against[0],
        p_against_holm=p_against[1],
        sentences=min(found.sentences for found in falls.estimates),
        seeds=min(found.seeds for found in falls.estimates),
        verdict=decided,
        reason=_reason(decided, is_shown=is_shown),
        needs="" if decided in (SUPPORTED, REFUTED) or is_shown else _needs(rho),
        details={
            "extra_fall": float(extra_fall(places, falls.effects)),
            "extra_fall_interval": list(interval(extra)),
            "falls": {
                member.name: {
                    "distance": float(place),
                    "fall": found.effect,
                    "interval": list(interval(found.samples)),
                }
                for member, place, found in zip(falls.members, places, falls.estimates, strict=True)
            },
        },
    )


def _reason(decided: str, *, is_shown: bool) -> str:
    if decided == SUPPORTED:
        return "shown"
    if decided == REFUTED:
        return RULES[DISTANCE_CLAIM].refuted
    return STEP_ZERO if is_shown else "the order of the languages could be chance"


def _needs(rho: float) -> str:
    languages = values_needed(rho, ALPHA / len(KINDS))
    if languages is None:
        return "no number of languages with this correlation, which is not positive"
    return f"about {languages} languages, for a power of 80 % at this correlation"

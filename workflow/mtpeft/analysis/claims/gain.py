"""The share of full fine-tuning's gain that a smaller budget keeps: `(x - none) / (full - none)`.

A fall can't exceed what was gained, and full fine-tuning gains less for distant languages, so falls alone would be
smaller there for that reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtpeft.analysis.claims.known import Known
from mtpeft.analysis.claims.members import Member, estimate
from mtpeft.analysis.claims.samples import sample_of
from mtpeft.analysis.p_values import interval, p_greater
from mtpeft.config.significance import ALPHA


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

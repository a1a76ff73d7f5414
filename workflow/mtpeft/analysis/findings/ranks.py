"""Decide whether tuned models keep the effective rank of their last layers, from the records of representations.

The logarithms of ranks are compared, so that the effect is a share. A resampled set has fewer different sentences than
the set itself and so a lower rank; resampled values are moved to the mean that was measured, and only their spread
counts.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mtpeft.analysis.estimates import Estimate, contrast
from mtpeft.analysis.findings.claim import REFUTED, SUPPORTED, verdict
from mtpeft.analysis.findings.contrasts import ClaimContext, Contrast, lacking_cells
from mtpeft.analysis.findings.decisions import contrast_record, step_zero_of, untested
from mtpeft.analysis.findings.records import ContrastRecord, Outcome
from mtpeft.analysis.p_values import holm, interval, p_greater, p_less
from mtpeft.analysis.representations import RECORD, SIDES
from mtpeft.analysis.resampling import Scored
from mtpeft.analysis.systems import ScoredRun, SystemRuns
from mtpeft.core.files import read_if_whole

OTHER_SENTENCES = "dev sentences by their similarity to the training text, which is known of test sentences alone"


def rank_records(contrasts: Sequence[Contrast], context: ClaimContext) -> list[ContrastRecord]:
    """One record for each contrast and side of the model."""
    members = [(own, side) for own in contrasts for side in _sides(own)]
    bound = math.log1p(-context.finding["margin"])
    estimates = [_estimate(own, side) for own, side in members]
    p_for = [p_greater(own.samples, bound) if isinstance(own, Estimate) else 1.0 for own in estimates]
    p_against = [p_less(own.samples, bound) if isinstance(own, Estimate) else 1.0 for own in estimates]
    p_values = zip(p_for, holm(p_for), p_against, holm(p_against), strict=True)
    return [
        contrast_record(f"{own.name}, {side}", [own], _outcome(own, estimate, found), untested(OTHER_SENTENCES))
        for (own, side), estimate, found in zip(members, estimates, p_values, strict=True)
    ]


def _sides(own: Contrast) -> list[str]:
    """The sides that some measured run has, of which a decoder-only model has one; both before anything is measured."""
    records = (read_if_whole(run.folder / RECORD) for system in own.all_systems for run in system.measured)
    found = {side for read in records if read for side in read[0].get("effective_rank", {})}
    return [side for side in SIDES if side in found or not found]


def _estimate(own: Contrast, side: str) -> Estimate | str:
    """The difference of logarithms of ranks, or what is missing to measure it."""
    if lacking := lacking_cells([run for system in own.all_systems for run in system.lacking]):
        return lacking
    found = [_scored(system, side) for system in own.all_systems]
    if lost := [one for one in found if isinstance(one, str)]:
        return lost[0]
    terms = list(zip((1.0, -1.0), found, strict=True))
    return contrast(terms, sentences=found[0].resampled.shape[0], stream=f"{own.pair} {side} rank")


def _scored(system: SystemRuns, side: str) -> Scored | str:
    """Logarithms of the ranks of a system's runs, or the first record that lacks them."""
    ranks = list(_ranks(system.measured, side))
    lost = [run for run, found in ranks if found is None]
    if lost:
        return f"resampled ranks in {lost[0].folder}/{RECORD}"
    observed = np.log([found["rank"] for _, found in ranks])
    resampled = np.log(np.stack([found["resampled"] for _, found in ranks], axis=-1))
    return Scored(system.seeds, observed, resampled - resampled.mean(0) + observed)


def _ranks(runs: Sequence[ScoredRun], side: str) -> Iterator[tuple[ScoredRun, Mapping[str, Any] | None]]:
    for run in runs:
        read = read_if_whole(run.folder / RECORD)
        found = read[0].get("resampled_rank", {}).get(side) if read else None
        yield run, {"rank": read[0]["effective_rank"][side][-1], "resampled": found} if found else None


def _outcome(own: Contrast, estimate: Estimate | str, p_values: Sequence[float]) -> Outcome:
    if isinstance(estimate, str):
        return untested(estimate)
    named = dict(zip(("p_for", "p_for_holm", "p_against", "p_against_holm"), p_values, strict=True))
    barred = step_zero_of(own)
    decided = verdict(named["p_for_holm"], named["p_against_holm"], may_support=not barred, may_refute=True)
    reasons = {SUPPORTED: "shown", REFUTED: "shown to be lower by more than the margin"}
    return Outcome(
        effect=math.expm1(estimate.effect),
        interval=tuple(math.expm1(end) for end in interval(estimate.samples)),
        **named,
        seeds=estimate.seeds,
        verdict=decided,
        barred=barred,
        reason=reasons.get(decided, barred or "the interval is too wide"),
    )

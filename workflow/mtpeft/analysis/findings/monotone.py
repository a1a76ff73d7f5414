"""Decide whether scores are in the order of the levels of training size and budget, for each model and pair."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mtpeft.analysis.findings.claim import REFUTED, SUPPORTED, margin_in, verdict
from mtpeft.analysis.findings.contrasts import ALL, LEAST_SIMILAR, PARTS, ClaimContext, Contrast, estimate, sample_of
from mtpeft.analysis.findings.decisions import contrast_record, similarities_of, step_zero_of, untested
from mtpeft.analysis.findings.records import ContrastRecord, Outcome
from mtpeft.analysis.monotone import largest_fall, p_ordered
from mtpeft.analysis.p_values import holm, interval, p_less


class Grid(NamedTuple):
    """Scores of systems by training size and budget, the smaller levels first, on a part of a test set.

    Attributes:
        observed: shape [sizes, budgets].
        resampled: the same with resampled sentences and seeds: shape [resamples, sizes, budgets].
        sentences: number of test sentences.
        seeds: number of seeds that every system has.
    """

    observed: np.ndarray
    resampled: np.ndarray
    sentences: int
    seeds: int


def monotone_records(contrasts: Sequence[Contrast], context: ClaimContext, *, metric: str) -> list[ContrastRecord]:
    """One record for each contrast, whose systems are all levels of a grid, the larger ones first."""
    outcomes = {part: _outcomes(contrasts, context, part=part, metric=metric) for part in PARTS}
    return [
        contrast_record(own.name, [own], outcomes[ALL][place], outcomes[LEAST_SIMILAR][place])
        for place, own in enumerate(contrasts)
    ]


def _outcomes(contrasts: Sequence[Contrast], context: ClaimContext, *, part: str, metric: str) -> list[Outcome]:
    margin = context.margins[metric]
    grids = [None if own.lacking(metric) else _grid(own, context, part=part, metric=metric) for own in contrasts]
    falls = [largest_fall(grid.resampled) if grid else None for grid in grids]
    p_for = [1.0 if fall is None else p_less(fall, margin) for fall in falls]
    p_against = [p_ordered(grid.observed, grid.resampled) if grid else 1.0 for grid in grids]
    p_values = zip(p_for, holm(p_for), p_against, holm(p_against), strict=True)
    outcomes = []
    for own, grid, fall, found in zip(contrasts, grids, falls, p_values, strict=True):
        if grid is None:
            outcomes.append(untested(own.lacking(metric) or similarities_of(own)))
            continue
        named = dict(zip(("p_for", "p_for_holm", "p_against", "p_against_holm"), found, strict=True))
        barred = step_zero_of(own)
        decided = verdict(named["p_for_holm"], named["p_against_holm"], may_support=not barred, may_refute=True)
        reasons = {
            SUPPORTED: f"a fall of {margin_in(metric, margin)} is excluded",
            REFUTED: "shown not to be in the order of the levels",
        }
        outcomes.append(
            Outcome(
                effect=float(largest_fall(grid.observed)),
                interval=interval(fall),
                **named,
                sentences=grid.sentences,
                seeds=grid.seeds,
                verdict=decided,
                barred=barred,
                reason=reasons.get(decided, barred or "neither is shown"),
                details={"scores": grid.observed.tolist()},
            )
        )
    return outcomes


def _grid(own: Contrast, context: ClaimContext, *, part: str, metric: str) -> Grid | None:
    """The scores of all levels; None where the part of the test set can't be chosen.

    Sentences are resampled, the same for all systems. Seeds of different levels have nothing in common, since each
    level draws its own training text or trains other parameters, so each has a term of its own for them.
    """
    sample = sample_of(part, own.pair, own.all_systems, context)
    if sample is None:
        return None
    cells = [system.runs[0].cell for system in own.peft]
    shape = (len({cell.size for cell in cells}), len({cell.budget for cell in cells}))
    found = [
        estimate(
            [system],
            [1.0],
            context,
            sample=replace(sample, stream=f"{sample.stream} {cell.size} {cell.budget}"),
            metric=metric,
        )
        for system, cell in zip(own.peft, cells, strict=True)
    ]
    observed = np.array([one.effect for one in found]).reshape(shape)
    resampled = np.stack([one.samples for one in found], axis=-1).reshape(-1, *shape)
    return Grid(
        observed=observed[::-1, ::-1],
        resampled=resampled[:, ::-1, ::-1],
        sentences=len(sample.rows),
        seeds=min(one.seeds for one in found),
    )

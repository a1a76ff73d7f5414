"""Sanity checks before all claims, of full fine-tuning and of the untouched models.

Is full fine-tuning better than no training, and than training from scratch? Where it is not, a comparison with full
fine-tuning says nothing of transfer. Is the untouched model better than reference rows that know nothing of its
pre-training? Where it is not, it may have been read wrongly.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mtpeft.analysis.estimates import Estimate
from mtpeft.analysis.findings.contrasts import ALL, ClaimContext, FullFineTuning, estimate, lacking_cells, sample_of
from mtpeft.analysis.findings.records import SanityCheckRecord
from mtpeft.analysis.p_values import holm, interval, p_greater
from mtpeft.analysis.systems import ScoredRun, system_of
from mtpeft.cells import Cell, unfold
from mtpeft.config.significance import ALPHA
from mtpeft.metrics.base import DEFAULT_METRIC

NONE = "none"
READ_WRONGLY = "it may have been read wrongly: look at its first tokens, and at what its decoding begins with"
WARNINGS = {
    "parallel": f"it was pre-trained to translate this pair, so {READ_WRONGLY}",
    "unknown": f"if it can translate this pair, {READ_WRONGLY}",
}
"""Possible reasons why an untouched model is not better, by the model's exposure to the pair."""


def check_full_fine_tuning(
    rows: Sequence[Mapping[str, Any]], runs: Mapping[Cell, ScoredRun], context: ClaimContext
) -> list[SanityCheckRecord]:
    """One record per row: full minus reference, and whether it is shown to exceed the margin, corrected over pairs."""
    margin = context.margins[DEFAULT_METRIC]
    found = [_row_estimate(row, runs, context, sides=("full", "other")) for row in rows]
    p_values = [p_greater(item.samples, margin) if isinstance(item, Estimate) else 1.0 for item in found]
    corrected = _corrected(rows, p_values)
    return [
        _record(row, item, p=p, p_holm=holm_p, exceeds=holm_p < ALPHA)
        for row, item, p, holm_p in zip(rows, found, p_values, corrected, strict=True)
    ]


def check_untouched(
    rows: Sequence[Mapping[str, Any]], runs: Mapping[Cell, ScoredRun], context: ClaimContext
) -> list[SanityCheckRecord]:
    """One record per row: is the untouched model shown to be better than rows that know nothing of its pre-training?

    A model that can translate a pair is. Each row is a warning of its own, so none is corrected.
    """
    records = []
    for row in rows:
        found = _row_estimate(row, runs, context, sides=("untouched", "other"))
        p = p_greater(found.samples) if isinstance(found, Estimate) else 1.0
        exceeds = p < ALPHA
        warning = "" if exceeds or isinstance(found, str) else WARNINGS[row["seen"]]
        records.append(_record(row, found, p=p, p_holm=p, exceeds=exceeds, warning=warning))
    return records


def _record(
    row: Mapping[str, Any], found: Estimate | str, *, p: float, p_holm: float, **more: Any
) -> SanityCheckRecord:
    labels = {key: row[key] for key in ("model", "pair", "size", "reference")}
    if isinstance(found, str):
        return SanityCheckRecord(**labels, needs=found)
    measured = {"effect": found.effect, "interval": interval(found.samples), "seeds": found.seeds}
    return SanityCheckRecord(**labels, **measured, p=p, p_holm=p_holm, **more)


def _corrected(rows: Sequence[Mapping[str, Any]], p_values: Sequence[float]) -> list[float]:
    """P-values corrected over the pairs that are compared with one reference at one model and size."""
    places: dict[tuple[str, ...], list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault((row["model"], row["size"], row["reference"]), []).append(place)
    corrected = [1.0] * len(rows)
    for own in places.values():
        for place, p in zip(own, holm([p_values[place] for place in own]), strict=True):
            corrected[place] = p
    return corrected


def without_transfer(rows: Sequence[SanityCheckRecord]) -> frozenset[FullFineTuning]:
    """Full fine-tunings that are not shown to be better than the untouched model by more than the margin."""
    return frozenset((row.model, row.pair, row.size) for row in rows if row.reference == NONE and not row.exceeds)


def _row_estimate(
    row: Mapping[str, Any], runs: Mapping[Cell, ScoredRun], context: ClaimContext, *, sides: tuple[str, str]
) -> Estimate | str:
    """One side of a row minus the other in the default metric, or the missing cells in words."""
    systems = [system_of(runs, unfold([row[side]])) for side in sides]
    if needs := lacking_cells([run for system in systems for run in system.lacking]):
        return needs
    sample = sample_of(ALL, row["pair"], systems, context)
    return estimate(systems, [1.0, -1.0], context, sample=sample, metric=DEFAULT_METRIC)

"""Before all claims: is full fine-tuning better than no training, and than training from scratch?

Where it is not, a comparison with full fine-tuning says nothing of transfer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mtpeft.cells import Cell
from mtpeft.findings.known import Tuned
from mtpeft.findings.members import estimate, lacking_cells
from mtpeft.findings.samples import ALL, sample_of
from mtpeft.record_types import GateRecord
from mtpeft.results.blocks import unfold
from mtpeft.results.systems import Run, system_of
from mtpeft.statistics.contrasts import Estimate
from mtpeft.statistics.levels import ALPHA
from mtpeft.statistics.p_values import holm, interval, p_greater

NONE = "none"


def pass_gate(rows: Sequence[Mapping[str, Any]], runs: Mapping[Cell, Run], margin: float) -> list[GateRecord]:
    """One record per row: full minus reference, and whether it is shown to exceed the margin, corrected over pairs."""
    found = [_row_estimate(row, runs) for row in rows]
    p_values = [p_greater(item.samples, margin) if isinstance(item, Estimate) else 1.0 for item in found]
    records = []
    for row, item, p, corrected in zip(rows, found, p_values, _corrected(rows, p_values), strict=True):
        labels = {key: row[key] for key in ("model", "pair", "size", "reference")}
        if isinstance(item, str):
            records.append(GateRecord(**labels, needs=item))
            continue
        records.append(
            GateRecord(
                **labels,
                effect=item.effect,
                interval=interval(item.samples),
                p=p,
                seeds=item.seeds,
                p_holm=corrected,
                exceeds=corrected < ALPHA,
            )
        )
    return records


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


def without_transfer(rows: Sequence[GateRecord]) -> frozenset[Tuned]:
    """Full fine-tunings that are not shown to be better than the untouched model."""
    return frozenset((row.model, row.pair, row.size) for row in rows if row.reference == NONE and not row.exceeds)


def _row_estimate(row: Mapping[str, Any], runs: Mapping[Cell, Run]) -> Estimate | str:
    """Full fine-tuning minus the reference row, or what is missing for that."""
    systems = [system_of(runs, unfold([row[side]])) for side in ("full", "other")]
    if needs := lacking_cells([run for system in systems for run in system.lacking]):
        return needs
    sample = sample_of(ALL, row["pair"], systems[0], {})
    return estimate(systems, [1.0, -1.0], sample)

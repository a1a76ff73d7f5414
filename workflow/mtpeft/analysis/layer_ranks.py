"""Read the representations of cells, and put the seeds of a system together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtpeft.analysis.collect import DIVERGED, MISSING
from mtpeft.analysis.tables import Interval, Setting, rows_of
from mtpeft.cells import DIMENSIONS

SIDES = ("encoder", "decoder")


@dataclass(frozen=True)
class CellRanks:
    """A cell with the effective rank of each layer by side, from the first layer to the last; none without `ok`."""

    setting: Setting
    method: str
    budget: str
    seed: str
    status: str
    step_zero: bool
    ranks: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class LayerLine:
    """The seeds of a system: by side the mean rank of each layer, with the lowest and the highest seed."""

    method: str
    budget: str
    step_zero: int
    diverged: int
    missing: int
    ranks: Mapping[str, Sequence[Interval]]


def read_ranks(path: Path) -> tuple[CellRanks, ...]:
    """Cells of a `representations.csv`, sorted by their labels.

    Raises:
        UserError: a column is missing, or a field holds no number where there should be one.
    """
    ranks: dict[tuple[str, ...], dict[str, dict[int, float]]] = {}
    told: dict[tuple[str, ...], tuple[str, bool]] = {}
    for row in rows_of(path, (*DIMENSIONS, "status", "side", "layer", "effective_rank")):
        labels = tuple(row.text(name) for name in DIMENSIONS)
        told[labels] = (row.text("status"), bool(row.optional("step_zero", int)))
        own = ranks.setdefault(labels, {})
        if side := row.text("side"):
            own.setdefault(side, {})[row.number("layer", int)] = row.number("effective_rank")
    return tuple(
        CellRanks(
            Setting(model, pair, size, ""),
            method,
            budget,
            seed,
            *told[model, pair, size, method, budget, seed],
            ranks={side: [layers[number] for number in sorted(layers)] for side, layers in own.items()},
        )
        for (model, pair, size, method, budget, seed), own in sorted(ranks.items())
    )


def layer_lines(cells: Iterable[CellRanks]) -> list[LayerLine]:
    """One line per method and budget, in the order of their labels."""
    systems: dict[tuple[str, str], list[CellRanks]] = {}
    for cell in cells:
        systems.setdefault((cell.method, cell.budget), []).append(cell)
    return [_line(own) for _, own in sorted(systems.items())]


def _line(cells: Sequence[CellRanks]) -> LayerLine:
    measured = [cell.ranks for cell in cells if cell.ranks]
    return LayerLine(
        method=cells[0].method,
        budget=cells[0].budget,
        step_zero=sum(cell.step_zero for cell in cells),
        diverged=sum(cell.status == DIVERGED for cell in cells),
        missing=sum(cell.status == MISSING for cell in cells),
        ranks={
            side: [_spread(layer) for layer in zip(*(ranks[side] for ranks in measured), strict=True)]
            for side in SIDES
            if measured
        },
    )


def _spread(seeds: Sequence[float]) -> Interval:
    return Interval(sum(seeds) / len(seeds), min(seeds), max(seeds))

"""Draw figures from the cells that are finished now, marked "n of N cells"; missing ones stay gaps."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mtpeft.cells import Cell
from mtpeft.config.schema import Configuration
from mtpeft.config.settings import figure_settings
from mtpeft.config.studies import EFFICIENCY, all_cells, study_cells
from mtpeft.figures.draw import draw_figure
from mtpeft.front.status import is_finished, state_of
from mtpeft.records import read_lines, write_lines
from mtpeft.results.collect import write_tables

PREVIEW = Path("results/preview")
FIGURES = Path("results/figures")
UNFINISHED = FIGURES / ".unfinished"
"""Names the figures that were drawn without all of their cells, in the place of those that Snakemake draws."""


def draw_finished(configuration: Configuration, labels: Sequence[str], *, folder: Path) -> Iterator[str]:
    """Write the figures of studies, or `efficiency`, into a folder; yields a line on each."""
    for label in labels:
        cells = _cells(configuration, label)
        finished = [cell for cell in cells if is_finished(configuration, cell)]
        tables = PREVIEW / "tables" / label
        scores, costs = tables / "scores.csv", tables / "costs.csv"
        write_tables(finished, scores=scores, costs=costs, missing=set(cells) - set(finished))
        draw_figure(figure_settings(configuration, label), scores=scores, costs=costs, stem=folder / label)
        scored = sum(state_of(configuration, cell) == "done" for cell in finished)
        yield f"{folder / label}.pdf: {scored} of {len(cells)} cells"


def draw_unfinished(configuration: Configuration) -> None:
    """Draw what Snakemake could not: the figures of studies whose cells are not all finished, and that of costs."""
    labels = [
        label
        for label in (*configuration.studies, EFFICIENCY)
        if not all(is_finished(configuration, cell) for cell in _cells(configuration, label))
    ]
    write_lines(UNFINISHED, labels)
    for _ in draw_finished(configuration, labels, folder=FIGURES):
        pass


def remove_unfinished() -> None:
    """Remove figures that were drawn without all of their cells, so that Snakemake makes them anew."""
    if UNFINISHED.exists():
        for label in read_lines(UNFINISHED):
            for file in FIGURES.glob(f"{label}.*"):
                file.unlink()
        UNFINISHED.unlink()


def _cells(configuration: Configuration, label: str) -> list[Cell]:
    if label == EFFICIENCY:
        return all_cells(configuration)
    return study_cells(configuration, configuration.studies[label])

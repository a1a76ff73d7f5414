"""Draw figures from the cells that are finished now, marked "n of N cells"; missing ones stay gaps."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mtpeft.config.schema import Configuration
from mtpeft.config.settings import figure_settings
from mtpeft.config.studies import EFFICIENCY, all_cells, study_cells
from mtpeft.figures.draw import draw_figure
from mtpeft.front.status import state_of
from mtpeft.results.collect import write_tables

PREVIEW_FOLDER = Path("results/preview")


def draw_finished(configuration: Configuration, studies: Sequence[str], *, folder: Path) -> Iterator[str]:
    """Write the figures of studies, and that of costs, into a folder; yields a line on each."""
    for study in (*studies, EFFICIENCY):
        cells = all_cells(configuration)
        if study != EFFICIENCY:
            cells = study_cells(configuration, configuration.studies[study])
        tables = PREVIEW_FOLDER / "tables" / study
        write_tables(cells, scores=tables / "scores.csv", costs=tables / "costs.csv")
        draw_figure(
            figure_settings(configuration, study),
            scores=tables / "scores.csv",
            costs=tables / "costs.csv",
            stem=folder / study,
        )
        finished = sum(state_of(cell) == "done" for cell in cells)
        yield f"{folder / study}.pdf: {finished} of {len(cells)} cells"

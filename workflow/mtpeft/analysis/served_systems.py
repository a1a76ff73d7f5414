"""Read the table of systems that were decoded with some of their experts, `serving.csv`."""

from dataclasses import dataclass
from pathlib import Path

from mtpeft.analysis.csv_files import Interval, rows_of
from mtpeft.analysis.read_tables import COUNTS, Setting
from mtpeft.cells import DIMENSIONS
from mtpeft.metrics.base import DEFAULT_METRIC, METRICS


@dataclass(frozen=True)
class ServedSystem:
    """One row of the table: the seeds of a system with one number of active experts, with the scores of one metric."""

    setting: Setting
    method: str
    budget: str
    share: float
    seeds: int
    step_zero: int
    diverged: int
    missing: int
    score: Interval | None


def read_served(path: Path, metric: str = DEFAULT_METRIC) -> tuple[ServedSystem, ...]:
    """Rows of a `serving.csv` in one metric, in their order.

    Raises:
        UserError: a column is missing, or a field is not of the type of its column.
    """
    return tuple(
        ServedSystem(
            setting=Setting(row.text("model"), row.text("pair"), row.text("size"), row.text("test_set")),
            method=row.text("method"),
            budget=row.text("budget"),
            share=row.number("share"),
            **{name: row.number(name, int) for name in COUNTS},
            score=row.interval(metric, METRICS[metric].digits_of_scores),
        )
        for row in rows_of(path, (*DIMENSIONS[:5], "test_set", "share", *COUNTS, metric))
    )

"""Finished cells as the tables have them: what each system gained over the untouched model, and what it cost."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtpeft.analysis.csv_files import Interval
from mtpeft.analysis.read_tables import System, read_systems
from mtpeft.analysis.score_tables import TEST_SET
from mtpeft.core.errors import UserError
from mtpeft.core.files import PROJECT
from mtpeft.figures.plotting.selection import is_reference
from mtpeft.metrics.base import METRICS

EXAMPLES = PROJECT / "workflow" / "report" / "example"
"""The results that come with the project, as they came out."""
SUMMARY, PREVIEW = "summary.csv", "preview"
NONE = "none"


@dataclass(frozen=True)
class Finished:
    """A system with finished seeds: a method and a budget on a model, a pair and a size.

    Attributes:
        model, pair, size, method, budget: its labels.
        pairs: sentence pairs that it was trained on.
        seeds: number of seeds with a score.
        share: of the parameters of the base model that it trained.
        trained: the number of these.
        gain: how much better its score is than that of the untouched model, with the 95 % interval.
        untouched: score of the untouched model.
        costs: what it cost, by the columns of the table.
    """

    model: str
    pair: str
    size: str
    method: str
    budget: str
    pairs: int
    seeds: int
    share: float
    trained: int
    gain: Interval
    untouched: float
    costs: Mapping[str, float]

    @property
    def total(self) -> int:
        """Number of parameters of the base model."""
        return round(self.trained / self.share)

    @property
    def name(self) -> str:
        """Its labels, joined with slashes."""
        return "/".join((self.model, self.pair, self.size, self.method, self.budget))


@dataclass(frozen=True)
class Experience:
    """What is known by finished cells.

    Attributes:
        systems: each once, with the most seeds that a table has of it.
        untouched: score of the untouched model, by model and pair.
        tables: files that were read.
    """

    systems: tuple[Finished, ...]
    untouched: Mapping[tuple[str, str], float]
    tables: tuple[Path, ...]


def shipped_tables() -> list[Path]:
    """List the summaries of the examples whose cells the regression can tell apart by what it knows of them.

    Those of `systems/` are left out: that a base is pruned, or that a cell starts from another one, is no feature.
    """
    return [EXAMPLES / SUMMARY, EXAMPLES / "methods" / SUMMARY]


def tables_in(folder: Path) -> list[Path]:
    """List the summaries of a folder of results and of those inside of it, such as `results/`.

    Previews are left out. They are read where such a folder is named itself.

    Raises:
        UserError: there is none.
    """
    inside = (file for file in sorted(folder.glob(f"*/{SUMMARY}")) if file.parent.name != PREVIEW)
    found = [file for file in (folder / SUMMARY, *inside) if file.is_file()]
    if not found:
        raise UserError(
            f"'--results' names {folder}, which has no {SUMMARY}, nor has a folder in it; name one that `make figures` "
            "or `make preview` has written, such as results/config."
        )
    return found


def has_column(table: Path, column: str) -> bool:
    """Return whether a table has a column, which one of a metric need not be that was not computed."""
    with table.open(encoding="utf-8", newline="") as file:
        return column in next(csv.reader(file), ())


def read_experience(tables: Sequence[Path], metric: str) -> Experience:
    """Read the finished systems of tables, those of one pair alone.

    Raises:
        UserError: a table lacks the columns of the metric, or a field is not of the type of its column.
    """
    systems: dict[tuple[object, ...], Finished] = {}
    untouched: dict[tuple[str, str], float] = {}
    for system in _measured(tables, metric):
        where = (system.setting.model, system.setting.pair)
        if system.method == NONE and system.score:
            untouched[where] = system.score.mean
    for system in _measured(tables, metric):
        found = _finished(system, untouched, metric)
        if found is None:
            continue
        key = (found.name, found.pairs, found.trained)
        if key not in systems or systems[key].seeds < found.seeds:
            systems[key] = found
    return Experience(tuple(systems.values()), untouched, tuple(tables))


def _measured(tables: Iterable[Path], metric: str) -> Iterable[System]:
    for table in tables:
        for system in read_systems(table, metric):
            if system.seeds and system.setting.test_set == TEST_SET and system.tuned_on == system.scored_pair:
                yield system


def _finished(system: System, untouched: Mapping[tuple[str, str], float], metric: str) -> Finished | None:
    """Return a row as a finished system; None for a reference row, and where the untouched model has no score."""
    own, before = system.setting, untouched.get((system.setting.model, system.setting.pair))
    trained = system.costs.get("trained_parameters")
    if is_reference(system) or not (system.minus_none and system.share and trained and system.training_pairs):
        return None
    if before is None:
        return None
    return Finished(
        **{name: getattr(own, name) for name in ("model", "pair", "size")},
        method=system.method,
        budget=system.budget,
        pairs=system.training_pairs,
        seeds=system.seeds,
        share=system.share,
        trained=int(trained),
        gain=system.minus_none if METRICS[metric].higher_is_better else -system.minus_none,
        untouched=before,
        costs=system.costs,
    )

"""Systems, that is the cells that differ in their seed alone, read with the statistics of their sentences."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.analysis.resampling import Scored, score_runs, sentence_weights
from mtpeft.analysis.score_tables import MISSING, TEST_SET, CellMetrics
from mtpeft.cells import Cell, OnPair, Served
from mtpeft.config.significance import RESAMPLES
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record
from mtpeft.metrics.base import METRICS

OK = "ok"


@dataclass(frozen=True)
class ScoredRun:
    """One cell on the test sets of a pair: its status, its `train.json`, and where its scores lie.

    The statistics are by test set and metric, each of shape [sentences, statistics].
    """

    cell: Cell
    status: str
    train: Mapping[str, Any]
    statistics: Mapping[str, Mapping[str, np.ndarray]]
    folder: Path


@dataclass(frozen=True)
class SystemRuns:
    """Runs that differ in their seed alone, in the order of their seeds."""

    runs: tuple[ScoredRun, ...]

    @property
    def measured(self) -> tuple[ScoredRun, ...]:
        """Runs that have scores."""
        return tuple(run for run in self.runs if run.status == OK)

    @property
    def lacking(self) -> list[ScoredRun]:
        """Runs that diverged or have not been made."""
        return [run for run in self.runs if run.status != OK]

    @property
    def step_zero(self) -> list[ScoredRun]:
        """Runs whose best checkpoint on dev was the model before any update."""
        return [run for run in self.measured if run.train["best_step"] == 0]

    @property
    def metrics(self) -> set[str]:
        """Metrics that all runs with a score have on the test set."""
        scored = [set(run.statistics[TEST_SET]) for run in self.measured]
        return set.intersection(*scored) if scored else set()

    def lacking_in(self, metric: str) -> list[ScoredRun]:
        """Runs with a score that have none in this metric."""
        return [run for run in self.measured if metric not in run.statistics[TEST_SET]]

    @property
    def share(self) -> float | None:
        """Trained share of the base model, achieved, mean over the runs that trained."""
        shares = [run.train["budget_achieved"] for run in self.measured if run.train["budget_achieved"] is not None]
        return float(np.mean(shares)) if shares else None

    @property
    def seeds(self) -> tuple[str, ...]:
        """Labels of the seeds that have scores."""
        return tuple(run.cell.seed for run in self.measured)

    def statistics(self, test_set: str, metric: str) -> np.ndarray:
        """Statistics of the measured runs: shape [runs, sentences, statistics].

        Raises:
            UserError: the runs were measured on different test sets.
        """
        tables = [run.statistics[test_set][metric] for run in self.measured]
        if len({len(table) for table in tables}) > 1:
            raise UserError(
                f"{self.runs[0].folder}/score.json and its other seeds have different numbers of sentences; "
                "run the sweep again."
            )
        return np.stack(tables)


@dataclass(frozen=True)
class Sample:
    """Rows of a test set of so many sentences that are resampled together; `stream` names the draws for the seeds."""

    test_set: str
    sentences: int
    rows: np.ndarray
    stream: str
    resamples: int = RESAMPLES

    def statistics(self, system: SystemRuns, metric: str) -> np.ndarray:
        """Statistics of a system on these rows: shape [runs, rows, statistics].

        Raises:
            UserError: the system was measured on another test set.
        """
        statistics = system.statistics(self.test_set, metric)
        if statistics.shape[1] != self.sentences:
            raise UserError(
                f"{system.runs[0].folder}/score.json has {statistics.shape[1]} sentences, but other cells of its pair "
                f"have {self.sentences}; run the sweep again."
            )
        return statistics[:, self.rows]

    def score(self, system: SystemRuns, metric: str) -> Scored:
        """Scores of a system on these rows, resampled."""
        weights = sentence_weights(len(self.rows), self.resamples)
        return score_runs(self.statistics(system, metric), system.seeds, weights, METRICS[metric].corpus_score)


def read_runs(
    cells: Iterable[Cell], missing: Collection[Cell] = (), metrics: CellMetrics | None = None
) -> dict[Cell, ScoredRun]:
    """Runs of cells; those said to be missing are runs without anything.

    Raises:
        FileNotFoundError: a cell that is not said to be missing has no records.
    """
    return {cell: read_run(cell.on_own, is_missing=cell in missing, metrics=metrics) for cell in cells}


def read_run(measured: OnPair | Served, *, is_missing: bool, metrics: CellMetrics | None = None) -> ScoredRun:
    """The run of a cell on the test sets of a pair, or as it is served; only the first has metrics of their own step.

    Raises:
        FileNotFoundError: it is not said to be missing and has no records.
    """
    metrics = metrics or CellMetrics()
    cell, folder = measured.cell, measured.folder
    if is_missing:
        return ScoredRun(cell, MISSING, {}, {}, folder)
    train, score = read_record(cell.folder / "train.json"), read_record(folder / "score.json")
    statistics = {
        name: {metric: np.array(scored[metric]["statistics"]) for metric in metrics.computed}
        for name, scored in score["test_sets"].items()
    }
    for metric, scored in metrics.scored.items():
        if cell in scored and isinstance(measured, OnPair):
            for name, own in _sentence_scores(measured.metric_record(metric)).items():
                statistics[name][metric] = own
    return ScoredRun(cell, score["status"], train, statistics, folder)


def _sentence_scores(record: Path) -> dict[str, np.ndarray]:
    """Statistics of a metric with a step of its own, by test set: score of each sentence, and one sentence."""
    segments = {name: np.array(measured["segments"]) for name, measured in read_record(record)["test_sets"].items()}
    return {name: np.stack([own, np.ones_like(own)], axis=-1) for name, own in segments.items()}


def system_of(runs: Mapping[Cell, ScoredRun], cells: Sequence[Cell]) -> SystemRuns:
    """The system of cells that differ in their seed alone."""
    return SystemRuns(tuple(runs[cell] for cell in sorted(cells)))

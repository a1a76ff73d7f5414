"""Differences between any two systems of a setting, at one budget after the other, for the page's table and matrix."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from mtpeft.analysis.pairwise import Difference, differences
from mtpeft.analysis.resampling import Scored, score_runs, sentence_weights
from mtpeft.cells import ALL, ANY, NATIVE
from mtpeft.config.significance import FEWEST_FOR_TESTS
from mtpeft.figures.plotting.selection import REFERENCE_ROWS
from mtpeft.front.page.measured import MeasuredCell, SettingKey
from mtpeft.metrics.base import DEFAULT_METRIC, METRICS

SystemKey = tuple[str, str]
"""Method and budget."""
MOST_TOGETHER = 16
"""Systems of all budgets that are compared in one matrix; of more, nobody could read it."""


@dataclass(frozen=True)
class Matrix:
    """The differences between the systems of a setting that are compared at one budget.

    Systems of one size, such as full fine-tuning and the untouched model, are in the matrix of every budget.

    Attributes:
        setting: model, pair, size and test set.
        budget: its label; empty for all budgets together, and where no system has one.
        systems: the best first.
        scores: of each system, mean over seeds.
        differences: by places of two systems, the first minus the second.
    """

    setting: SettingKey
    budget: str
    systems: Sequence[SystemKey]
    scores: Sequence[float]
    differences: dict[tuple[int, int], Difference]


@dataclass(frozen=True)
class Compared:
    """The comparisons of a setting.

    Attributes:
        matrices: one for each budget.
        best: the fine-tuned system with the best score, if there are any.
        behind: the difference of the best to each other fine-tuned system, whatever its budget.
    """

    matrices: Sequence[Matrix]
    best: SystemKey | None
    behind: Mapping[SystemKey, Difference]


def compare(setting: SettingKey, cells: Sequence[MeasuredCell]) -> Compared:
    """Compare the systems of a setting in the default metric: any two at each budget, and all with the best."""
    scored = _scored(cells)
    if len(scored) < 2:
        return Compared([], None, {})
    stream = f"{setting[1]} {setting[3]}"
    resampled = {"sentences": _sentences(cells), "stream": stream}
    tuned = {key: own for key, own in scored.items() if key[0] not in REFERENCE_ROWS and key[1] != ANY}
    best = max(tuned, key=lambda key: _goodness(tuned[key]), default=None)
    pairs = [(best, key) for key in tuned if best and key != best]
    behind = {key: found for (_, key), found in differences(tuned, pairs, **resampled).items()}
    return Compared(list(_matrices(setting, scored, resampled)), best, behind)


def _goodness(scored: Scored) -> float:
    return METRICS[DEFAULT_METRIC].sign * float(scored.observed.mean())


def _matrices(
    setting: SettingKey, scored: Mapping[SystemKey, Scored], resampled: Mapping[str, Any]
) -> Iterator[Matrix]:
    budgets = list(dict.fromkeys(budget for _, budget in scored if budget not in (ALL, ANY, NATIVE)))
    every = [""] if len(budgets) > 1 and len(scored) <= MOST_TOGETHER else []
    for budget in [*budgets, *every] or [""]:
        own = [key for key in scored if not budget or key[1] in (budget, ALL, ANY, NATIVE)]
        own.sort(key=lambda key: -_goodness(scored[key]))
        places = {key: place for place, key in enumerate(own)}
        found = differences(scored, combinations(own, 2), **resampled)
        if found:
            between = {(places[one], places[other]): difference for (one, other), difference in found.items()}
            yield Matrix(setting, budget, own, [float(scored[key].observed.mean()) for key in own], between)


def _sentences(cells: Sequence[MeasuredCell]) -> int:
    """The number of test sentences that most cells were scored on."""
    numbers = [len(cell.statistics[DEFAULT_METRIC]) for cell in cells if DEFAULT_METRIC in cell.statistics]
    return max(set(numbers), key=numbers.count, default=0)


def _scored(cells: Sequence[MeasuredCell]) -> dict[SystemKey, Scored]:
    """Scores of the systems, resampled; cells that were scored on another number of sentences are left out.

    All cells are scored together, since to unpack the draws takes longer than to use them.
    """
    sentences = _sentences(cells)
    runs = {
        (cell.cell.method, cell.cell.on.cell.budget, cell.cell.on.cell.seed): cell.statistics[DEFAULT_METRIC]
        for cell in cells
        if len(cell.statistics.get(DEFAULT_METRIC, ())) == sentences > 0
    }
    systems: dict[SystemKey, list[int]] = {}
    ordered = sorted(runs)
    for place, (method, budget, _) in enumerate(ordered):
        systems.setdefault((method, budget), []).append(place)
    if len(systems) < 2:
        return {}
    seeds = [seed for *_, seed in ordered]
    weights = sentence_weights(sentences, FEWEST_FOR_TESTS)
    statistics = np.stack([runs[key] for key in ordered])
    every = score_runs(statistics, seeds, weights, METRICS[DEFAULT_METRIC].corpus_score)
    return {
        key: Scored(tuple(seeds[place] for place in places), every.observed[places], every.resampled[:, places])
        for key, places in systems.items()
    }

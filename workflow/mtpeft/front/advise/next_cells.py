"""The cells that would teach most: how much better a choice is expected to be once they are run, for each hour.

This is the knowledge gradient of correlated beliefs (Frazier et al. 2009), divided by the time that a cell takes.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import yaml

from mtpeft.cells import Cell
from mtpeft.config.load import merge, validate
from mtpeft.front.advise.pareto import best_within
from mtpeft.front.advise.regression import Prediction
from mtpeft.front.advise.request import CATALOGUES, Asked

MOST, NODES = 3, 31
"""Cells that are proposed, and points at which an expectation over what they may score is computed."""
LEAST = 0.001
"""Share of the largest gain by which a cell must be expected to make the choice better."""
STUDY, FIGURE, REFERENCES = "next_cells", "methods", ("none",)


@dataclass(frozen=True)
class NextCell:
    """A cell that is proposed.

    Attributes:
        cell: its labels.
        hours: that it takes.
        change: by which the choice is expected to become better, in units of the metric.
    """

    cell: Cell
    hours: float
    change: float


def next_cells(
    options: Sequence[Cell], hours: Sequence[float], prediction: Prediction, *, costs: np.ndarray, most: int = MOST
) -> list[NextCell]:
    """Choose cells one by one, each with what those before it will have taught.

    Args:
        options: cells that could be run.
        hours: that each takes.
        prediction: of the choices first, then of the options.
        costs: of the choices, shape (choices, kinds of cost).
        most: number of cells at the most; fewer where others would change next to nothing.
    """
    covariance, choices = prediction.covariance.copy(), len(costs)
    least = LEAST * float(np.abs(prediction.mean[:choices]).max())
    found: list[NextCell] = []
    while len(found) < min(most, len(options)):
        changes = expected_changes(prediction.mean[:choices], covariance, prediction.noise, costs=costs)
        taken = {own.cell for own in found}
        rates = [
            change / hour if change >= least and cell not in taken else 0.0
            for cell, change, hour in zip(options, changes, hours, strict=True)
        ]
        best = int(np.argmax(rates))
        if not rates[best]:
            break
        found.append(NextCell(options[best], hours[best], float(changes[best])))
        learnt = covariance[:, choices + best]
        covariance = covariance - np.outer(learnt, learnt) / (learnt[choices + best] + prediction.noise)
    return found


def expected_changes(means: np.ndarray, covariance: np.ndarray, noise: float, *, costs: np.ndarray) -> np.ndarray:
    """Return how much the best choice is expected to gain by measuring each option.

    Args:
        means: of the choices, shape (choices,).
        covariance: of the choices and then of the options.
        noise: variance of a measurement.
        costs: of the choices, shape (choices, kinds of cost).
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    choices, (now,) = len(means), best_within(means[None, :], costs)
    changes = []
    for option in range(choices, len(covariance)):
        spread = np.sqrt(max(covariance[option, option], 0.0) + noise)
        moves = covariance[:choices, option] / spread if spread else np.zeros(choices)
        possible = means[None, :] + nodes[:, None] * moves[None, :]
        changes.append(float(best_within(possible, costs) @ weights / weights.sum() - now))
    return np.maximum(np.array(changes), 0.0)


def overlay_for(asked: Asked, cells: Sequence[Cell]) -> dict[str, Any]:
    """Return an overlay over the user's configuration that runs these cells, and is valid.

    It runs the untouched model as well, against which gains are measured, and nothing else.
    """
    used = {
        "models": {asked.request.model},
        "sizes": {cell.size for cell in cells},
        "methods": {cell.method for cell in cells},
        "budgets": {cell.budget for cell in cells},
    }
    added = {
        name: {label: own for label, own in asked.added[name].items() if label in used[name]} for name in CATALOGUES
    }
    blocks = list(_blocks(cells, asked.configuration.budgets))
    study = {
        "figure": FIGURE,
        "models": [asked.request.model],
        "pairs": [asked.request.pair],
        **blocks[0],
        "seeds": [int(cells[0].seed)],
        **({"also": blocks[1:]} if blocks[1:] else {}),
    }
    study["methods"] = [*study["methods"], *(own for own in REFERENCES if own in asked.configuration.methods)]
    taken_out = {section: dict.fromkeys(asked.written.get(section) or {}) for section in ("studies", "findings")}
    overlay = {name: entries for name, entries in added.items() if entries} | {
        "studies": {**taken_out["studies"], STUDY: study},
        **({"findings": taken_out["findings"]} if taken_out["findings"] else {}),
    }
    validate(merge(asked.written, overlay))
    return overlay


def _blocks(cells: Sequence[Cell], budgets: Collection[str]) -> Iterator[Mapping[str, Any]]:
    """Yield lists of a study whose products are these cells: one block for each size and method.

    A method of one size has no budget in a study.
    """
    by_method = groupby(sorted(cells), key=lambda cell: (cell.size, cell.method))
    for (size, method), own in by_method:
        yield {"sizes": [size], "methods": [method], "budgets": [cell.budget for cell in own if cell.budget in budgets]}


def overlay_text(overlay: Mapping[str, Any]) -> str:
    """Write an overlay as YAML."""
    text = yaml.safe_dump(dict(overlay), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)
    return text.replace("null", "~")

"""The answer to a request: choices with what they gain and cost, what that rests on, and what to run next."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtpeft.analysis.csv_files import Interval
from mtpeft.cells import Cell
from mtpeft.front.advise.costs import Cost, Scales, cost_of, scales_of, seconds_to_run
from mtpeft.front.advise.finished import Experience, Finished
from mtpeft.front.advise.held_out import FEWEST, HeldOut, all_left_out, best_of, gains_of
from mtpeft.front.advise.near import Nearness, nearness_of
from mtpeft.front.advise.next_cells import MOST, NextCell, next_cells
from mtpeft.front.advise.pareto import front
from mtpeft.front.advise.points import Point, distance_of, features_of, point_of
from mtpeft.front.advise.regression import REGRESSIONS, Prediction
from mtpeft.front.advise.request import Asked, cells_of, share_of
from mtpeft.front.prices.work import shape_of

GIGABYTE, SECONDS_PER_HOUR = 1e9, 3600
RESTING_ON = 3
"""Finished cells that are named for each choice."""


@dataclass(frozen=True)
class Choice:
    """A method at a budget.

    Attributes:
        cell: its labels.
        share: of the base model that it trains.
        cost: what it costs.
        gain: expected gain over the untouched model; None where nothing near was run.
        rests_on: the finished systems that are most like it, with their likeness.
    """

    cell: Cell
    share: float
    cost: Cost
    gain: Interval | None
    rests_on: Sequence[tuple[Finished, float]]


@dataclass(frozen=True)
class Advice:
    """The answer to a request.

    Attributes:
        asked: the request in its configuration.
        experience: what it was answered by.
        nearness: how near finished cells are to what is asked.
        front: choices that no other one dominates, the best first; all where nothing near was run.
        choices: number of choices within the limit of memory.
        too_large: labels of the methods and budgets that need more memory than there is.
        never_run: methods of the configuration of which no cell is finished.
        regression: its name; empty where there are too few cells for one.
        held_out: how far it is off, by what is left out.
        scales: by which costs were scaled.
        next: cells to run next.
    """

    asked: Asked
    experience: Experience
    nearness: Nearness
    front: Sequence[Choice]
    choices: int
    too_large: Sequence[str]
    never_run: Sequence[str]
    regression: str
    held_out: dict[str, HeldOut]
    scales: Scales
    next: Sequence[NextCell]


def advise(asked: Asked, experience: Experience) -> Advice:
    """Answer a request by finished cells."""
    scales = scales_of(asked.configuration, experience.systems)
    languages, limit = asked.request.languages, asked.request.memory
    cells = list(cells_of(asked, asked.size))
    costs = {cell: cost_of(scales, cell, languages) for cell in cells}
    fits = [cell for cell in cells if limit is None or costs[cell].memory <= limit * GIGABYTE]
    run = {own.method for own in experience.systems}
    choices = [cell for cell in fits if cell.method in run] if len(experience.systems) >= FEWEST else fits
    nearness = nearness_of(asked, experience)
    options = [
        cell for cell in _unfinished(asked, experience) if limit is None or _memory(scales, cell) <= limit * GIGABYTE
    ]
    name, held, prediction = _predict(asked, experience, [*choices, *options], nearness)
    limits = np.array([[costs[cell].memory, costs[cell].seconds, costs[cell].deployed] for cell in choices])
    shown = [
        Choice(cell, share_of(asked.configuration, cell) or 0.0, costs[cell], gain=None, rests_on=())
        for cell in choices
    ]
    if prediction and choices and nearness.is_near:
        gains = _intervals(prediction, [held[scheme] for scheme in nearness.schemes if scheme in held])
        shown = [
            replace(shown[number], gain=gains[number], rests_on=_resting_on(prediction, number, experience))
            for number in front(prediction.mean[: len(choices)], limits)
        ]
    hours = [seconds_to_run(scales, cell) / SECONDS_PER_HOUR for cell in options]
    proposed = next_cells(options, hours, prediction, costs=limits) if prediction and choices else []
    first = sorted(shown, key=lambda own: (-own.gain.mean if own.gain else 0.0, own.cost.seconds))
    return Advice(
        asked=asked,
        experience=experience,
        nearness=nearness,
        front=first,
        choices=len(choices),
        too_large=[f"{cell.method} {cell.budget}" for cell in cells if cell not in fits],
        never_run=sorted({cell.method for cell in cells} - run),
        regression=name,
        held_out=held,
        scales=scales,
        next=proposed or [NextCell(cell, hour, 0.0) for cell, hour in _to_check(first, options, hours)],
    )


def _to_check(choices: Sequence[Choice], options: Sequence[Cell], hours: Sequence[float]) -> list[tuple[Cell, float]]:
    """Return the first choices that are not finished, of different methods, with the hours that they take."""
    first = {own.cell.method: own.cell for own in reversed(choices) if own.cell in options}
    cells = [own.cell for own in choices if own.cell in first.values()][:MOST]
    return [(cell, hours[options.index(cell)]) for cell in cells]


def _memory(scales: Scales, cell: Cell) -> float:
    return cost_of(scales, cell, languages=1).memory


def _unfinished(asked: Asked, experience: Experience) -> list[Cell]:
    """Return the cells of the model and the pair that are not finished, up to the size that is asked for."""
    finished = {own.name for own in experience.systems}
    sizes = [label for label, size in asked.configuration.sizes.items() if size.pairs <= asked.request.pairs]
    cells = [cell for size in sizes for cell in cells_of(asked, size)]
    return [cell for cell in cells if "/".join(cell.labels[:-1]) not in finished]


def _predict(
    asked: Asked, experience: Experience, cells: Sequence[Cell], nearness: Nearness
) -> tuple[str, dict[str, HeldOut], Prediction | None]:
    """Return the regression that held-out cells choose, its errors, and what it says of some cells."""
    systems = experience.systems
    if len(systems) < FEWEST or not cells:
        return "", {}, None
    finished = [point_of(asked.configuration, own) for own in systems]
    points = [*finished, *(_point(asked, experience, cell) for cell in cells)]
    with_untouched = nearness.untouched is not None
    held = all_left_out(features_of(finished, with_untouched=with_untouched), systems)
    best = best_of(held)
    features = features_of(points, with_untouched=with_untouched)
    known, others = range(len(systems)), range(len(systems), len(points))
    padded = np.concatenate([gains_of(systems), np.zeros(len(others))])
    return best, held[best], REGRESSIONS[best](features, padded, known, others)


def _point(asked: Asked, experience: Experience, cell: Cell) -> Point:
    configuration = asked.configuration
    shape = shape_of(configuration, cell.model)
    assert shape is not None
    return Point(
        model=cell.model,
        pair=cell.pair,
        method=cell.method,
        pairs=configuration.sizes[cell.size].pairs,
        share=share_of(configuration, cell) or 0.0,
        total=shape.total,
        untouched=experience.untouched.get((cell.model, cell.pair)),
        distance=distance_of(configuration, cell.model, cell.pair),
    )


def _intervals(prediction: Prediction, held: Sequence[HeldOut]) -> list[Interval]:
    """Return what is predicted with the widest of the intervals that held-out cells ask for."""
    half = np.max([own.half_widths(prediction.deviation) for own in held], axis=0)
    return [
        Interval(float(mean), float(mean - width), float(mean + width))
        for mean, width in zip(prediction.mean, half, strict=True)
    ]


def _resting_on(prediction: Prediction, number: int, experience: Experience) -> list[tuple[Finished, float]]:
    order = np.argsort(-prediction.likeness[number], kind="stable")[:RESTING_ON]
    return [(experience.systems[place], float(prediction.likeness[number][place])) for place in order]

"""The generated parts of the page on advice: an example, and how far its predictions and its costs are off."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from mtpeft.config.schema import Configuration
from mtpeft.core.text_tables import table
from mtpeft.front.advise.answer import answer
from mtpeft.front.advise.costs import MEGABYTE, Cost, cell_of, cost_of, is_known, scales_of
from mtpeft.front.advise.finished import Experience, Finished, read_experience, shipped_tables
from mtpeft.front.advise.held_out import LEVEL, SCHEMES, HeldOut, all_left_out, left_out
from mtpeft.front.advise.points import Features, features_of, point_of
from mtpeft.front.advise.regression import REGRESSIONS, YARDSTICK, gaussian_process, require_sklearn
from mtpeft.front.advise.request import Asked, Request, asked_in

EXAMPLE = Request("student", "hu-en", 3000, 16, 20)
COSTS: dict[str, tuple[str, Callable[[Cost], float]]] = {
    "memory": ("peak_memory_mb", lambda cost: cost.memory / MEGABYTE),
    "time": ("train_seconds", lambda cost: cost.seconds),
    "stored bytes": ("stored_bytes", lambda cost: cost.stored),
}
"""Kinds of costs with their columns in the tables, and their parts of a cost."""


def command_of(request: Request) -> str:
    """Write the command of a request."""
    return (
        f".venv/bin/python -m mtpeft advise --model {request.model} --pair {request.pair} --pairs-of-text "
        f"{request.pairs} --memory {request.memory:g} --languages {request.languages}"
    )


def example_part() -> str:
    """The command of an example, and what it prints where nothing but the shipped results is there."""
    with _nothing_here():
        printed = "\n".join(answer(EXAMPLE, ()))
    return f"```bash\n{command_of(EXAMPLE)}\n```\n\n```\n{printed.rstrip()}\n```"


def errors_part() -> str:
    """How far each regression is off on the shipped results, by what is left out."""
    metric = "chrF"
    header = ("regression", *(f"{scheme} left out" for scheme in SCHEMES))
    rows = [
        (name, *(f"{own.mean_error:.2f} ({own.coverage:.0%})".replace("%", " %") for own in by.values()))
        for name, by in errors_of_examples().items()
    ]
    unknown = errors_of_examples(with_untouched=False)["Gaussian process"]
    rows.append(
        (
            "Gaussian process, untouched model not scored",
            *(f"{own.mean_error:.2f} ({own.coverage:.0%})".replace("%", " %") for own in unknown.values()),
        )
    )
    counts = (len({*groups}) for groups in (scheme(_experience().systems) for scheme in SCHEMES.values()))
    parts = ("parts left out in turn", *map(str, counts))
    return (
        f"Mean error in {metric}, and in brackets the share of the {len(_experience().systems)} systems in intervals "
        f"of {LEVEL * 100:.0f} %:\n\n{table(header, [*rows, parts])}"
    )


def costs_part() -> str:
    """How far costs are off on the shipped results: those in closed form, scaled, and those of a regression."""
    found = cost_errors_of_examples()
    header = ("median error", *(f"{scheme} left out" for scheme in SCHEMES))
    rows = [
        (f"{name}, {way}", *(f"{error * 100:.0f} %" for error in errors))
        for name, ways in found.items()
        for way, errors in ways.items()
    ]
    return table(header, rows)


@lru_cache(maxsize=1)
def _experience() -> Experience:
    return read_experience(shipped_tables(), EXAMPLE.metric)


@lru_cache(maxsize=1)
def _asked() -> Asked:
    return asked_in(EXAMPLE)


@lru_cache(maxsize=2)
def errors_of_examples(*, with_untouched: bool = True) -> dict[str, dict[str, HeldOut]]:
    """Return what was left out of the shipped results, by regression and by scheme."""
    require_sklearn()
    with _nothing_here():
        points = [point_of(_asked().configuration, own) for own in _experience().systems]
        features = features_of(points, with_untouched=with_untouched)
        return all_left_out(features, _experience().systems, {**REGRESSIONS, **YARDSTICK})


@lru_cache(maxsize=1)
def cost_errors_of_examples() -> dict[str, dict[str, list[float]]]:
    """Return the median relative errors of costs by their kind, by how they are told, and by what is left out.

    They are told in closed form, scaled by the systems that are not left out, and by a regression of logarithms.
    """
    require_sklearn()
    with _nothing_here():
        configuration = _asked().configuration
        systems = [own for own in _experience().systems if is_known(configuration, own)]
        computed = [_computed(configuration, systems, scheme(systems)) for scheme in SCHEMES.values()]
        features = features_of([point_of(configuration, own) for own in systems])
        found = {}
        for name, (column, part) in COSTS.items():
            measured = np.array([own.costs[column] for own in systems])
            found[name] = {
                "closed form": [_median_error([part(own) for own in costs], measured) for costs in computed],
                "regression": [_regression_error(measured, features, scheme(systems)) for scheme in SCHEMES.values()],
            }
        return found


def _computed(configuration: Configuration, systems: Sequence[Finished], groups: Sequence[str]) -> list[Cost]:
    """Return the costs of systems, scaled by those of other groups."""
    scales = {
        group: scales_of(configuration, [own for own, other in zip(systems, groups, strict=True) if other != group])
        for group in set(groups)
    }
    return [cost_of(scales[group], cell_of(own), 1) for own, group in zip(systems, groups, strict=True)]


def _median_error(predicted: Sequence[float] | np.ndarray, measured: np.ndarray) -> float:
    return float(np.median(np.abs(np.array(predicted) / measured - 1)))


def _regression_error(measured: np.ndarray, features: Features, groups: Sequence[str]) -> float:
    held = left_out(gaussian_process, features, np.log(measured), groups)
    assert held is not None
    return _median_error(np.exp(np.log(measured) + held.errors), measured)


@contextlib.contextmanager
def _nothing_here() -> Iterator[None]:
    """Work in an empty folder, so that nothing that was measured here counts."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        yield

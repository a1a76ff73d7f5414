"""`track`: hand the finished cells of a study file to trackers; the results stay what they are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mtpeft.core.errors import UserError
from mtpeft.front.trackers import mlflow, tensorboard, wandb
from mtpeft.front.trackers.runs import TrackedRun, finished_runs

FOLDER = "trackers"
PINS = "pip install --requirement envs/trackers.txt"


@dataclass(frozen=True)
class Tracker:
    """A tracker of experiments.

    Attributes:
        package: that must be installed.
        how: to install it, in the words of a shell.
        write: writes runs into a folder; returns how many are new.
    """

    package: str
    how: str
    write: Callable[[Sequence[TrackedRun], Path], int]


TRACKERS = {
    "tensorboard": Tracker("tensorboard", PINS, tensorboard.write),
    "mlflow": Tracker("mlflow", PINS, mlflow.write),
    "wandb": Tracker("wandb", "pip install wandb", wandb.write),
}


def track(results: Path, names: Sequence[str]) -> Iterator[str]:
    """Write the finished cells of a study file for trackers, into a folder beside its tables; yields a line on each.

    Raises:
        UserError: a tracker is not installed, or the study file was never run.
    """
    for name in names:
        if find_spec(TRACKERS[name].package) is None:
            raise UserError(f"The tracker '{name}' is not installed; call `.venv/bin/{TRACKERS[name].how}` first.")
    runs = list(finished_runs(results))
    if not runs:
        raise UserError(f"{results} has no finished cell; run `make figures` first.")
    for name in names:
        place = results / FOLDER / name
        new = TRACKERS[name].write(runs, place)
        yield f"{place}: {new} of {len(runs)} finished cells are new."

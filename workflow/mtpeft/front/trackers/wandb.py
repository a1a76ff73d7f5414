"""Weights & Biases, where it is installed: a project for each study file; `WANDB_MODE=offline` sends nothing."""

from collections.abc import Iterable
from pathlib import Path

from mtpeft.front.trackers.runs import TrackedRun

ID_DIGITS = 16


def write(runs: Iterable[TrackedRun], folder: Path) -> int:
    """Write all runs; the hash of its record is the id of a run, so what was sent before is sent to the same place."""
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for run in runs:
        project, number = folder.parent.parent.name, run.sha256[:ID_DIGITS]
        with wandb.init(
            project=project, name=run.name, id=number, config=dict(run.params), dir=str(folder), resume="allow"
        ) as own:
            for name, curve in run.curves.items():
                own.define_metric(name, step_metric=f"{name}_step")
                for step, value in curve:
                    own.log({name: value, f"{name}_step": step})
            own.summary.update(dict(run.metrics))
        count += 1
    return count

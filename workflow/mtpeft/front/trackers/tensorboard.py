"""TensorBoard: a folder of events for each cell, written by torch; `tensorboard --logdir` shows them."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from mtpeft.front.trackers.runs import TrackedRun

SEEN = "tracked.sha256"
"""File beside the events with the hash of the record that they are made from."""


def write(runs: Iterable[TrackedRun], folder: Path) -> int:
    """Write what is new into a folder; returns the number of cells that are new."""
    from torch.utils.tensorboard import SummaryWriter

    new = 0
    for run in runs:
        place = folder / run.name.replace(" ", "-")
        seen = place / SEEN
        if seen.is_file() and seen.read_text(encoding="utf-8") == run.sha256:
            continue
        shutil.rmtree(place, ignore_errors=True)
        with SummaryWriter(str(place)) as writer:
            for name, curve in run.curves.items():
                for step, value in curve:
                    writer.add_scalar(name, value, step)
            for name, value in run.metrics.items():
                writer.add_scalar(name, value)
            rows = (f"| {name} | {value} |" for name, value in run.params.items())
            writer.add_text("params", "\n".join(["| key | value |", "|---|---|", *rows]))
        seen.write_text(run.sha256, encoding="utf-8")
        new += 1
    return new

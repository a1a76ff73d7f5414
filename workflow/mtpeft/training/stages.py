"""Runs of the stages of a method, told as one."""

from collections.abc import Sequence
from dataclasses import replace

from mtpeft.training.loop import Run


def joined(runs: Sequence[Run]) -> Run:
    """One run after another.

    A later one whose best weights are those of its start has kept the best of before, if its start scored the same;
    else it has changed the model by being there, after the last update of before.
    """
    whole = runs[0]
    for run in runs[1:]:
        kept = run.best_step == 0 and run.best_score == whole.best_score
        whole = replace(
            run,
            step=whole.step + run.step,
            best_step=whole.best_step if kept else whole.step + run.best_step,
            tokens=whole.tokens + run.tokens,
            seconds=whole.seconds + run.seconds,
            history=[*whole.history, *({**mark, "step": whole.step + mark["step"]} for mark in run.history)],
            starts=max(whole.starts, run.starts),
        )
    return whole

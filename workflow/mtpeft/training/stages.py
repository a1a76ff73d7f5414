"""Runs of the stages of a method, told as one."""

from collections.abc import Sequence
from dataclasses import replace

from mtpeft.training.loop import Run


def joined(runs: Sequence[Run]) -> Run:
    """One run after another; what a later one kept of its own start is the best that there was before."""
    whole = runs[0]
    for run in runs[1:]:
        whole = replace(
            run,
            step=whole.step + run.step,
            best_step=whole.step + run.best_step if run.best_step else whole.best_step,
            tokens=whole.tokens + run.tokens,
            seconds=whole.seconds + run.seconds,
            history=[*whole.history, *({**mark, "step": whole.step + mark["step"]} for mark in run.history)],
            starts=max(whole.starts, run.starts),
        )
    return whole

"""Search for a learning rate: the same candidates for every method, judged by the dev score, widened where need be.

One process runs all trials of a class, one after another, so that its libraries are loaded once. The test set is no
input, and nothing but dev scores is kept.
"""

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpeft.execution import PLAIN, Execution, describe, versions
from mtpeft.record_types import RateRecord, Trial
from mtpeft.records import canonical, read_record, write_record
from mtpeft.training.attempts import FINISHED, Entry, attempting, search_state_of
from mtpeft.training.interrupt import Clock
from mtpeft.training.job import Inputs, Job, open_job, train_job
from mtpeft.training.loop import Run
from mtpeft.training.ranks import is_first

DIGITS = 4
"""Significant digits of a rate that is added to the candidates."""


def tune(
    settings: Mapping[str, Any],
    *,
    labels: Mapping[str, str],
    inputs: Inputs,
    record: Path,
    execution: Execution = PLAIN,
) -> None:
    """Try rates until the best one has a worse one on either side, or no more may be added; write all trials.

    Raises:
        TryAgainError: stopped early, with finished trials and the state of the current one saved.
    """
    state = search_state_of(record)
    with attempting(state) as attempt:
        job = open_job(settings["trial"], inputs, execution)
        trials: dict[float, Trial] = {}
        while (rate := next_rate(_scores(trials), settings["candidates"], settings["widenings"])) is not None:
            trials[rate] = _trial(_with_rate(job, rate), state / f"{rate:g}", attempt.clock)
        if is_first():
            made = _record(settings, labels, job, trials=trials, attempts=attempt.end(FINISHED))
            write_record(record, made.model_dump())
            shutil.rmtree(state, ignore_errors=True)  # on NFS the open lock can't be removed


def next_rate(scores: Mapping[float, float], candidates: list[float], widenings: int) -> float | None:
    """The next rate to try given the scores of those tried, or None when the search is over.

    Beyond an end of the list, rates go on in the ratio of the last two.
    """
    untried = [rate for rate in candidates if rate not in scores]
    if untried:
        return untried[0]
    tried = sorted(scores)
    if len(tried) - len(candidates) >= widenings:
        return None
    best = best_rate(scores)
    if best == tried[-1] and math.isfinite(scores[best]):
        return _rounded(best * tried[-1] / tried[-2])
    return _rounded(best * tried[0] / tried[1]) if best == tried[0] else None


def best_rate(scores: Mapping[float, float]) -> float:
    """The rate with the highest score, the lower one of two that are alike."""
    return max(sorted(scores), key=lambda rate: scores[rate])


def score_of(trial: Trial) -> float:
    """The best dev score after step 0, which all rates share; a trial that diverged is worse than any other."""
    reached = [entry["score"] for entry in trial.dev_history if entry["step"] > 0]
    return max(reached) if trial.status == "ok" and reached else -math.inf


def _scores(trials: Mapping[float, Trial]) -> dict[float, float]:
    return {rate: score_of(trial) for rate, trial in trials.items()}


def _rounded(rate: float) -> float:
    return float(f"{rate:.{DIGITS}g}")


def _with_rate(job: Job, rate: float) -> Job:
    optimisation = {**job.settings["optimisation"], "learning_rate": rate}
    return replace(job, settings={**job.settings, "optimisation": optimisation})


def _trial(job: Job, folder: Path, clock: Clock) -> Trial:
    """One trial, or what an earlier attempt has kept of the same one."""
    folder.mkdir(parents=True, exist_ok=True)
    kept, identity = folder / "trial.json", canonical({"settings": job.settings, "inputs": job.hashes})
    if kept.exists() and (found := json.loads(kept.read_text(encoding="utf-8")))["identity"] == identity:
        trial = Trial(**found["trial"])
        clock.resumed(int(trial.dev_history[-1]["step"]) if trial.dev_history else 0)
        return trial
    _, run = train_job(job, state_folder=folder, clock=clock)
    trial = _trial_of(job, run)
    if is_first():
        write_record(kept, {"identity": identity, "trial": trial.model_dump()})
    return trial


def _trial_of(job: Job, run: Run) -> Trial:
    return Trial(
        learning_rate=job.settings["optimisation"]["learning_rate"],
        status=run.status,
        best_step=run.best_step,
        dev_history=run.history,
        seconds=round(run.seconds, 2),
    )


def _record(
    settings: Mapping[str, Any],
    labels: Mapping[str, str],
    job: Job,
    *,
    trials: Mapping[float, Trial],
    attempts: list[Entry],
) -> RateRecord:
    scores = _scores(trials)
    chosen = best_rate(scores)
    return RateRecord(
        labels=dict(labels),
        settings=dict(settings),
        execution=describe(str(job.device), job.settings["threads"]) | {"attempts": attempts},
        versions=versions(more=job.frozen.packages),
        inputs={"base": str(job.inputs.base), **job.hashes},
        trials=[trials[rate] for rate in sorted(trials)],
        learning_rate=chosen,
        at_edge=chosen in (min(scores), max(scores)),
    )


def chosen_rate(record: Path) -> float:
    """The learning rate that a search has chosen."""
    return float(read_record(record)["learning_rate"])

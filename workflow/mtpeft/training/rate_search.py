"""Search for a learning rate: the same candidates for every method, judged by the dev score, widened where need be.

One process runs all trials of a class, one after another, so that its libraries are loaded once. A rate may be tried on
several pairs and with several seeds; then the mean of its dev scores counts. The test set is no input, and nothing but
dev scores is kept.
"""

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from mtpeft.cluster.preemption import Clock
from mtpeft.core.files import canonical, read_record, write_record
from mtpeft.core.provenance import PLAIN, Execution, describe, versions
from mtpeft.core.records import RateRecord, RateScore, Trial
from mtpeft.training.attempt_log import FINISHED, Entry, attempting, search_state_of
from mtpeft.training.distributed import is_first
from mtpeft.training.job import Inputs, Job, open_job, train_job
from mtpeft.training.loop import Run

DIGITS = 4
"""Significant digits of a rate that is added to the candidates."""


@dataclass(frozen=True)
class Place:
    """On what a rate is tried: a pair with a seed, and how both are told in names of files and of inputs."""

    job: Job
    pair: str
    seed: int
    label: str


def tune(
    settings: Mapping[str, Any],
    *,
    labels: Mapping[str, str],
    inputs: Sequence[Inputs],
    record: Path,
    execution: Execution = PLAIN,
) -> None:
    """Try rates until the best one has a worse one on either side, or no more may be added; write all trials.

    Args:
        settings: with those of its `trial`, or of all `trials` by `pair/seed`.
        labels: of the class of cells.
        inputs: of each trial of a rate, in the order of the settings.
        record: to be written.
        execution: how the trials are run.

    Raises:
        TryAgainError: stopped early, with finished trials and the state of the current one saved.
    """
    state = search_state_of(record)
    with attempting(state) as attempt:
        places = _places(settings, inputs, execution)
        trials: dict[float, list[Trial]] = {}
        while (rate := next_rate(means(trials), settings["candidates"], settings["widenings"])) is not None:
            trials[rate] = [_trial(place, rate, state / f"{rate:g}" / place.label, attempt.clock) for place in places]
        if is_first():
            made = _record(settings, labels, places, trials=trials, attempts=attempt.end(FINISHED))
            write_record(record, made.model_dump())
            shutil.rmtree(state, ignore_errors=True)  # on NFS the open lock can't be removed


def _places(settings: Mapping[str, Any], inputs: Sequence[Inputs], execution: Execution) -> list[Place]:
    if "trial" in settings:
        (own,), trial = inputs, settings["trial"]
        return [Place(open_job(trial, own, execution), settings["pair"], trial["seed"], label="")]
    return [
        Place(open_job(trial, own, execution), label.rpartition("/")[0], trial["seed"], label)
        for (label, trial), own in zip(settings["trials"].items(), inputs, strict=True)
    ]


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


def means(trials: Mapping[float, Sequence[Trial]]) -> dict[float, float]:
    """Mean score of each rate over pairs and seeds: one trial that diverged is enough to rule a rate out."""
    return {rate: fmean(map(score_of, own)) for rate, own in trials.items()}


def _score_of_rate(rate: float, trials: Sequence[Trial]) -> RateScore:
    scores = [score_of(trial) for trial in trials]
    finite = all(map(math.isfinite, scores))
    spread = stdev(scores) if finite and len(scores) > 1 else None
    return RateScore(learning_rate=rate, mean=fmean(scores) if finite else None, spread=spread)


def _rounded(rate: float) -> float:
    return float(f"{rate:.{DIGITS}g}")


def _with_rate(job: Job, rate: float) -> Job:
    optimisation = {**job.settings["optimisation"], "learning_rate": rate}
    return replace(job, settings={**job.settings, "optimisation": optimisation})


def _trial(place: Place, rate: float, folder: Path, clock: Clock) -> Trial:
    """One trial, or what an earlier attempt has kept of the same one."""
    folder.mkdir(parents=True, exist_ok=True)
    job = _with_rate(place.job, rate)
    kept, identity = folder / "trial.json", canonical({"settings": job.settings, "inputs": job.hashes})
    if kept.exists() and (found := json.loads(kept.read_text(encoding="utf-8")))["identity"] == identity:
        trial = Trial(**found["trial"])
        clock.resumed(int(trial.dev_history[-1]["step"]) if trial.dev_history else 0)
        return trial
    _, run = train_job(job, state_folder=folder, clock=clock)
    trial = _trial_of(replace(place, job=job), run)
    if is_first():
        write_record(kept, {"identity": identity, "trial": trial.model_dump()})
    return trial


def _trial_of(place: Place, run: Run) -> Trial:
    return Trial(
        learning_rate=place.job.settings["optimisation"]["learning_rate"],
        pair=place.pair,
        seed=place.seed,
        status=run.status,
        best_step=run.best_step,
        dev_history=run.history,
        seconds=round(run.seconds, 2),
    )


def _record(
    settings: Mapping[str, Any],
    labels: Mapping[str, str],
    places: Sequence[Place],
    *,
    trials: Mapping[float, Sequence[Trial]],
    attempts: list[Entry],
) -> RateRecord:
    chosen = best_rate(means(trials))
    job = places[0].job
    hashes = {
        f"{place.label}/{name}" if place.label else name: digest
        for place in places
        for name, digest in place.job.hashes.items()
    }
    return RateRecord(
        labels=dict(labels),
        settings=dict(settings),
        execution=describe(str(job.device), job.settings["threads"]) | {"attempts": attempts},
        versions=versions(more=job.frozen.packages),
        inputs={"base": str(job.inputs.base), **hashes},
        trials=[trial for rate in sorted(trials) for trial in trials[rate]],
        scores=[_score_of_rate(rate, trials[rate]) for rate in sorted(trials)],
        learning_rate=chosen,
        at_edge=chosen in (min(trials), max(trials)),
    )


def chosen_rate(record: Path) -> float:
    """The learning rate that a search has chosen."""
    return float(read_record(record)["learning_rate"])

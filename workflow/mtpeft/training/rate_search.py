"""Search for a learning rate: the same candidates for every method, compared by dev score, extended where need be.

One process runs all trials of a search, one after another, so that its libraries are loaded once. A rate may be tried
on several language pairs and with several seeds; then the mean of its dev scores counts. The test set is no input, and
nothing but dev scores is kept.
"""

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from mtpeft.cluster.preemption import PreemptionHandler
from mtpeft.core.files import canonical, write_record
from mtpeft.core.progress_file import TRIAL_FILE
from mtpeft.core.provenance import PLAIN, Execution, describe, versions
from mtpeft.core.records import RateRecord, RateScore, Trial
from mtpeft.training.attempt_log import FINISHED, Entry, attempting, search_state_of
from mtpeft.training.distributed import is_first
from mtpeft.training.finetune import CellInputs, PreparedTraining, prepare_training, run_training

DIGITS = 4
"""Significant digits of a rate that is added to the candidates."""


@dataclass(frozen=True)
class PairAndSeed:
    """A language pair and a seed on which rates are tried.

    Attributes:
        prepared: training of this pair and seed.
        pair: label of the language pair.
        seed: of the training.
        label: `pair/seed`, in the names of files and inputs; empty where there is one pair and one seed.
    """

    prepared: PreparedTraining
    pair: str
    seed: int
    label: str


def search_rate(
    params: Mapping[str, Any],
    *,
    labels: Mapping[str, str],
    inputs: Sequence[CellInputs],
    record: Path,
    execution: Execution = PLAIN,
) -> None:
    """Try rates until the best one has a worse one on either side, or no more may be added; write all trials.

    Args:
        params: candidates, and the params of the `trial`, or of all `trials` by `pair/seed`.
        labels: labels that the cells which use the rate have in common.
        inputs: files of each pair and seed, in the order of the params.
        record: where the record goes.
        execution: how the trials run.

    Raises:
        TryAgainError: the search was stopped early, with finished trials and the state of the current one saved.
    """
    state = search_state_of(record)
    with attempting(state) as attempt:
        pairs_and_seeds = _pairs_and_seeds(params, inputs, execution)
        trials: dict[float, list[Trial]] = {}
        while (rate := next_rate(means(trials), params["candidates"], params["extensions"])) is not None:
            folder = state / f"{rate:g}"
            trials[rate] = [_trial(place, rate, folder / place.label, attempt.preemption) for place in pairs_and_seeds]
        if is_first():
            content = _record(params, labels, pairs_and_seeds, trials=trials, attempts=attempt.end(FINISHED))
            write_record(record, content.model_dump())
            shutil.rmtree(state, ignore_errors=True)  # on NFS the open lock can't be removed


def _pairs_and_seeds(
    params: Mapping[str, Any], inputs: Sequence[CellInputs], execution: Execution
) -> list[PairAndSeed]:
    if "trial" in params:
        (own,), trial = inputs, params["trial"]
        return [PairAndSeed(prepare_training(trial, own, execution), params["pair"], trial["seed"], label="")]
    return [
        PairAndSeed(prepare_training(trial, own, execution), label.rpartition("/")[0], trial["seed"], label)
        for (label, trial), own in zip(params["trials"].items(), inputs, strict=True)
    ]


def next_rate(scores: Mapping[float, float], candidates: list[float], extensions: int) -> float | None:
    """Return the next rate to try given the mean dev scores of those tried, or None when the search is over.

    Beyond an end of the list, at most `extensions` rates are added in the ratio of the last two.
    """
    untried = [rate for rate in candidates if rate not in scores]
    if untried:
        return untried[0]
    tried = sorted(scores)
    if len(tried) - len(candidates) >= extensions:
        return None
    best = best_rate(scores)
    if best == tried[-1] and math.isfinite(scores[best]):
        return _rounded(best * tried[-1] / tried[-2])
    return _rounded(best * tried[0] / tried[1]) if best == tried[0] else None


def best_rate(scores: Mapping[float, float]) -> float:
    """Return the rate with the highest score, the lower one of two with the same score."""
    return max(sorted(scores), key=lambda rate: scores[rate])


def score_of(trial: Trial) -> float:
    """Return the best dev score after step 0, which all rates share; minus infinity for a trial that diverged."""
    reached = [entry["score"] for entry in trial.dev_history if entry["step"] > 0]
    return max(reached) if trial.status == "ok" and reached else -math.inf


def means(trials: Mapping[float, Sequence[Trial]]) -> dict[float, float]:
    """Return the mean score of each rate over pairs and seeds; one trial that diverged rules a rate out."""
    return {rate: fmean(map(score_of, own)) for rate, own in trials.items()}


def _score_of_rate(rate: float, trials: Sequence[Trial]) -> RateScore:
    scores = [score_of(trial) for trial in trials]
    finite = all(map(math.isfinite, scores))
    spread = stdev(scores) if finite and len(scores) > 1 else None
    return RateScore(learning_rate=rate, mean=fmean(scores) if finite else None, spread=spread)


def _rounded(rate: float) -> float:
    return float(f"{rate:.{DIGITS}g}")


def _trial(place: PairAndSeed, rate: float, folder: Path, preemption: PreemptionHandler) -> Trial:
    """Run one trial, or read the one that an earlier attempt has finished."""
    folder.mkdir(parents=True, exist_ok=True)
    prepared = replace(place.prepared, learning_rate=rate)
    identity = canonical({"params": prepared.params.plain, "inputs": prepared.hashes, "learning_rate": rate})
    finished = folder / TRIAL_FILE
    if finished.exists() and (found := json.loads(finished.read_text(encoding="utf-8")))["identity"] == identity:
        trial = Trial(**found["trial"])
        preemption.resumed(int(trial.dev_history[-1]["step"]) if trial.dev_history else 0)
        return trial
    _, run = run_training(prepared, state_folder=folder, preemption=preemption)
    trial = Trial(
        learning_rate=rate,
        pair=place.pair,
        seed=place.seed,
        status=run.status,
        best_step=run.best_step,
        dev_history=run.history,
        seconds=round(run.seconds, 2),
        processor_seconds=round(run.processor_seconds, 2),
    )
    if is_first():
        write_record(finished, {"identity": identity, "trial": trial.model_dump()})
    return trial


def _record(
    params: Mapping[str, Any],
    labels: Mapping[str, str],
    pairs_and_seeds: Sequence[PairAndSeed],
    *,
    trials: Mapping[float, Sequence[Trial]],
    attempts: list[Entry],
) -> RateRecord:
    chosen = best_rate(means(trials))
    first = pairs_and_seeds[0].prepared
    hashes = {
        f"{place.label}/{name}" if place.label else name: digest
        for place in pairs_and_seeds
        for name, digest in place.prepared.hashes.items()
    }
    return RateRecord(
        labels=dict(labels),
        params=dict(params),
        execution=describe(str(first.device), first.params.threads) | {"attempts": attempts},
        versions=versions(more=first.precision.packages),
        inputs={"base": str(first.inputs.base), **hashes},
        trials=[trial for rate in sorted(trials) for trial in trials[rate]],
        scores=[_score_of_rate(rate, trials[rate]) for rate in sorted(trials)],
        learning_rate=chosen,
        at_edge=chosen in (min(trials), max(trials)),
    )

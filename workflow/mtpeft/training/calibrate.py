"""Calibrate the plan of a study: time some updates and one batch of decoding of a model with a method."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mtpeft.cluster.preemption import PreemptionHandler
from mtpeft.core.files import read_lines, write_record
from mtpeft.core.provenance import PLAIN, Execution, describe, peak_memory_mb, versions
from mtpeft.core.records import CalibrationRecord
from mtpeft.data.token_arrays import IGNORED, TokenPairs, read_arrays
from mtpeft.decoding.search import BATCH_TOKENS, translate
from mtpeft.methods.staged import stages_of
from mtpeft.methods.task_ids import set_task_ids
from mtpeft.models.tokenizer import open_tokenizer, special_tokens_of
from mtpeft.training.batches import Batch
from mtpeft.training.distributed import is_first, ranks
from mtpeft.training.evaluate import Poll
from mtpeft.training.finetune import (
    CellInputs,
    PreparedTraining,
    plan_of,
    prepare_training,
    stage_models,
    training_task,
)
from mtpeft.training.loop import TrainingTask, train

WARM_UP = 2
"""Updates before those that are timed: the first ones allocate memory and the optimizer's state."""


def calibrate(
    params: Mapping[str, Any],
    *,
    labels: Mapping[str, str],
    inputs: CellInputs,
    record: Path,
    execution: Execution = PLAIN,
) -> None:
    """Time the updates of the params after some that are not timed, then a batch of dev sentences; write the record.

    The learning rate is zero, so that hypotheses are as long as those of the model before training. A method with
    stages is timed in its last one, which trains the most.

    Args:
        params: of the training of a cell, with the updates that are timed and no learning rate.
        labels: of the model and the method.
        inputs: files that the cell is trained from.
        record: where the record goes.
        execution: how it runs.
    """
    prepared = prepare_training(params, inputs, execution)
    *_, model = stage_models(prepared)
    task = training_task(prepared, model, start=0.0, first_update=0)
    watch = _Watch(prepared, model, task)
    updates = params["optimisation"]["updates"]
    plan = plan_of(prepared.params, 0.0, stage=len(stages_of(prepared.params.method)) - 1)
    plan = replace(plan, updates=WARM_UP + updates, evaluations=1)
    with tempfile.TemporaryDirectory(prefix="mtpeft-") as folder:
        timed = replace(task, batch=watch.batch, evaluate=watch.decode)
        train(timed, plan, state_folder=Path(folder), preemption=PreemptionHandler(save_interval=inf))
    if is_first():
        write_record(record, _record(prepared, watch, labels=labels, updates=updates).model_dump())


@dataclass(frozen=True)
class _Time:
    """Seconds that have passed, and seconds of a processor that the process has used, of all its threads together."""

    passed: float = 0.0
    used: float = 0.0

    def since(self, begun: "_Time") -> "_Time":
        """Return the time between the two."""
        return _Time(self.passed - begun.passed, self.used - begun.used)


NO_TIME = _Time()


@dataclass
class _Watch:
    """Times a training from the end of its warm-up to its evaluation, which decodes one batch.

    Attributes:
        prepared: the training.
        model: that is trained.
        task: whose batches are counted.
        sizes: rows, source tokens and target tokens of each update that is timed.
        begun: when the warm-up has ended.
        updated: time of all updates that are timed.
        decoded: sentences, source tokens and tokens of the hypotheses of the batch.
        translated: time of the batch.
    """

    prepared: PreparedTraining
    model: nn.Module
    task: TrainingTask
    sizes: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    begun: _Time = NO_TIME
    updated: _Time = NO_TIME
    decoded: tuple[int, int, int] = (0, 0, 0)
    translated: _Time = NO_TIME

    def batch(self, update: int) -> Batch:
        """Return the batch of an update."""
        if update == WARM_UP:
            self.begun = self._now()
        batch = self.task.batch(update)
        if update >= WARM_UP:
            sources, labels = batch["attention_mask"], batch["labels"]
            self.sizes[update] = len(sources), int(sources.sum()), int((labels != IGNORED).sum())
        return batch

    def decode(self, poll: Poll) -> float:
        """Decode a batch of dev sentences, evenly spread over the dev set; the score that is returned means nothing."""
        self.updated = self._now().since(self.begun)
        params, dev = self.prepared.params, read_arrays(self.prepared.inputs.dev).source
        tokenizer = open_tokenizer(
            self.prepared.folder, params.languages[0], vocabulary=self.prepared.folder.name, **self.prepared.prompt
        )
        special_tokens = special_tokens_of(tokenizer, self.model.config)
        most = max(1, BATCH_TOKENS[self.prepared.device.type] // params.search.beam_size // int(dev.lengths.max()))
        rows = np.unique(np.linspace(0, len(dev) - 1, min(most, len(dev))).round().astype(int))
        sources = [dev[row] for row in rows]
        set_task_ids(self.model, 0)
        begun = self._now()
        hypotheses = translate(self.model, sources, params.search, special_tokens=special_tokens, poll=poll)
        self.translated = self._now().since(begun)
        self.decoded = len(sources), sum(map(len, sources)), sum(map(len, hypotheses))
        return 0.0

    def _now(self) -> _Time:
        """Return the time at which all that was begun has ended."""
        if self.prepared.device.type == "cuda":
            torch.cuda.synchronize()
        return _Time(time.monotonic(), time.process_time())


def _record(prepared: PreparedTraining, watch: _Watch, *, labels: Mapping[str, str], updates: int) -> CalibrationRecord:
    arrays = read_arrays(prepared.inputs.train)
    rows, source, target = (sum(own) for own in zip(*watch.sizes.values(), strict=True))
    sentences, read, written = watch.decoded
    return CalibrationRecord(
        labels=dict(labels),
        params=dict(prepared.params.plain),
        execution=describe(str(prepared.device), prepared.params.threads) | {"processes": ranks().count},
        versions=versions(more=prepared.precision.packages),
        inputs={"base": str(prepared.inputs.base), **prepared.hashes},
        updates=updates,
        update_seconds=round(watch.updated.passed, 3),
        update_processor_seconds=round(watch.updated.used, 3),
        pairs=sum(len(read_lines(own.subset)) for own in prepared.inputs.pairs),
        trained_text=_counts(arrays, rows, source, target),
        decoded_text=_counts(arrays, sentences, read, written + sentences * arrays.target.special_token_count),
        decode_seconds=round(watch.translated.passed, 3),
        decode_processor_seconds=round(watch.translated.used, 3),
        peak_memory_mb=peak_memory_mb(),
    )


def _counts(arrays: TokenPairs, sentences: int, source: int, target: int) -> dict[str, dict[str, int]]:
    """Return counts of tokens by side, without special tokens, given those with them."""
    sides = (("source", arrays.source, source), ("target", arrays.target, target))
    return {
        side: {"sentences": sentences, "tokens": tokens - sentences * own.special_token_count}
        for side, own, tokens in sides
    }

"""Our side: trainings and decodings as cells have them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.cases import Case
from benchmarks.measure import Lap, LapHandler, Measurement, timed
from mtpeft.data.token_arrays import IGNORED
from mtpeft.decoding.search import translate
from mtpeft.models.load import prepare_torch
from mtpeft.training.batches import Batch, TrainingText, cell_batches
from mtpeft.training.finetune import save_tuned
from mtpeft.training.params import CellParams

FIRST = 8
"""Sentences that are translated before those that are timed, for what libraries do once."""


def train(case: Case, lap: Lap, keep: Path | None = None) -> Measurement:
    """Train a case and time a lap of it; the dev score is taken after that.

    Args:
        case: what is trained.
        lap: which updates are timed, the last of the training among them.
        keep: folder for the tuned weights, where they are wanted.
    """
    params = case.params(lap.last)
    prepare_torch(params.threads)
    model, run = case.train(lap.last, LapHandler(lap))
    if keep:
        save_tuned(model, keep, diverged=False)
    batch = batches(case.text(case.special_tokens(model)), params)
    timed_batches = [batch(update) for update in range(*lap.updates)]
    return lap.measured(
        sum(map(tokens_in, timed_batches)),
        padding=padding_in(timed_batches),
        dev_score=run.history[-1]["score"] if run.history else None,
    )


def decode(case: Case, tuned: Path, sentences: int, *, merged: bool = False) -> Measurement:
    """Translate the first sentences of the test set; `merged` as in the section `decoding`."""
    params = case.params(1)
    prepare_torch(params.threads)
    model = case.tuned(tuned)
    model = model.merge_and_unload() if merged else model
    sources, special = case.sources()[:sentences], case.special_tokens(model)

    def work(wanted: Sequence[torch.Tensor]) -> tuple[int, dict[str, Sequence[Sequence[int]]]]:
        hypotheses = translate(model, wanted, params.search, special_tokens=special)
        return len(wanted), {"hypotheses": hypotheses}

    work(sources[:FIRST])
    return timed(lambda: work(sources))


def batches(text: TrainingText, params: CellParams):
    """Return the function that gives the batch of an update of ours."""
    optimisation = params.optimisation
    return cell_batches(
        [text], batch_tokens=optimisation.batch_tokens, temperature=optimisation.temperature, seed=params.seed
    )


def tokens_in(batch: Batch) -> int:
    """Count the source and target tokens of a batch, padding left out."""
    return int(batch["attention_mask"].sum() + (batch["labels"] != IGNORED).sum())


def padding_in(chosen: Iterable[Batch]) -> float:
    """Return the share of padding in batches."""
    whole = [(tokens_in(batch), batch["input_ids"].numel() + batch["labels"].numel()) for batch in chosen]
    real, padded = np.sum(whole, axis=0)
    return 1 - float(real / padded)


def sentences_per_update(text: TrainingText, params: CellParams) -> int:
    """Return the mean number of sentence pairs in an update of ours, over an epoch.

    So many sentence pairs an update have the same tokens an update in the mean.
    """
    batch, rows, updates = batches(text, params), 0, 0
    while rows < len(text.rows):
        rows += len(batch(updates)["labels"])
        updates += 1
    return max(1, round(rows / updates))

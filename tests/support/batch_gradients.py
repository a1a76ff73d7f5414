"""Gradients of a batch of two pairs, and objectives that run out of memory."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mtpeft.methods.task_ids import task_modules
from mtpeft.models.load import prepare_torch
from mtpeft.training.contrastive import objective
from mtpeft.training.micro_batches import Gradient, TrainedModel, accumulate_gradients
from mtpeft.training.objective import LossOptions, Objective
from support.method import Subject, batch, write_base

BOTH = ["unlikelihood", "length_normalised"]
WIDTH = 8
"""Tokens of the longer side of the batch below, which has three rows."""
LANGUAGES = {"source": ["es", "pt"], "target": ["en", "en"]}


def of_two_languages(folder: Path) -> Subject:
    """A method with parameters for each language, of which a row trains its own."""
    prepare_torch(1)
    return Subject(write_base("mbart", folder), {"method": "context_ia3", "languages": LANGUAGES}, share=None)


def rows_of(subject: Subject) -> dict[str, torch.Tensor]:
    """A batch of two pairs, of which two rows share a target."""
    rows = batch(subject.special_tokens())
    for name in ("labels", "decoder_input_ids"):
        rows[name][1] = rows[name][2]
    return rows | {"task_ids": torch.tensor([0, 1, 0])}


def differentiated(model: nn.Module, losses: Any) -> TrainedModel:
    chosen = losses if isinstance(losses, Objective) else objective(losses)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    return TrainedModel(model.train(), trained, chosen, LossOptions(0.1), task_modules(model))


def gradient_of(
    subject: Subject, losses: Any, micro_batch_tokens: int | None = None
) -> tuple[Gradient, list[torch.Tensor]]:
    of = differentiated(subject.stirred(), losses)
    found = accumulate_gradients(of, rows_of(subject), seed=1, micro_batch_tokens=micro_batch_tokens)
    return found, [weight.grad for weight in of.trained]


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:128] . DefaultCPUAllocator: can't allocate memory: you tried to"),
    MemoryError(),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
]


def fits(chosen: Objective, rows: int, error: Exception) -> Objective:
    """An objective that has memory for so many rows, and finds out half way, after it has added to the gradients."""

    def backward(model: nn.Module, given: Any, *more: Any) -> torch.Tensor:
        loss = chosen.backward(model, given, *more)
        if len(given["labels"]) > rows:
            raise error
        return loss

    return replace(chosen, backward=backward)

"""Knowledge inheritance: a model in pre-training also learns what a trained model thinks of every target token.

The loss is the cross-entropy plus the Kullback-Leibler divergence from the teacher's distribution to the student's, at
temperature 1, times a weight. Qin et al. 2021 (arXiv 2105.13880) pre-train larger models so with a smaller one as their
teacher, and call it knowledge inheritance.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from mtpeft.core.errors import UserError
from mtpeft.models.computation import autocast
from mtpeft.models.load import load_base
from mtpeft.training.objective import (
    TARGET_POSITIONS,
    TOKENS,
    Denominators,
    LossOptions,
    ModelInputs,
    Objective,
    only_logits_of,
    target_tokens,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def open_teacher(
    folder: Path, tokenizer: "PreTrainedTokenizerBase", *, max_positions: int, device: torch.device, key: str
) -> nn.Module:
    """Open the model in a folder as a teacher, which is never trained and drops nothing out.

    Args:
        folder: of the teacher.
        tokenizer: of the student.
        max_positions: longest sequence of the student.
        device: where the student is trained.
        key: of the configuration, for messages.

    Raises:
        UserError: the teacher has another vocabulary, or reads shorter sequences.
    """
    from mtpeft.models.tokenizer import load_tokenizer

    if load_tokenizer(folder).get_vocab() != tokenizer.get_vocab():
        raise UserError(
            f"'{key}' names the model in {folder}, whose vocabulary is not that of its student; name one with the same "
            "'vocabulary', 'pairs' and 'vocabulary_pairs'."
        )
    teacher = load_base(folder)
    if (own := teacher.config.max_position_embeddings) < max_positions:
        raise UserError(
            f"'{key}' names the model in {folder}, which reads {own} tokens, where its student reads {max_positions}; "
            "write at most as many in 'max_positions'."
        )
    return teacher.to(device).eval().requires_grad_(False)


def inheriting(teacher: nn.Module, weight: float) -> Objective:
    """Return the objective of a student of this teacher.

    Args:
        teacher: in evaluation mode, with the vocabulary of the student.
        weight: of the divergence, beside a cross-entropy of weight 1.
    """

    def backward(model: nn.Module, inputs: ModelInputs, options: LossOptions, whole: Denominators) -> torch.Tensor:
        given = {name: tensor for name, tensor in inputs.items() if name not in ("labels", TARGET_POSITIONS)}
        positions = inputs[TARGET_POSITIONS]
        labels = inputs["labels"].flatten()[positions]
        with torch.no_grad():
            wanted = _log_probabilities(teacher, given, positions, options)
        found = _log_probabilities(model, given, positions, options)
        likelihood = functional.nll_loss(found, labels, reduction="sum") * (1 - options.label_smoothing)
        uniform = -found.mean(dim=-1).sum() * options.label_smoothing
        divergence = functional.kl_div(found, wanted, reduction="sum", log_target=True)
        loss = (likelihood + uniform + weight * divergence) / whole[TOKENS]
        loss.backward()
        return loss.detach()

    return Objective(backward, target_tokens)


def _log_probabilities(
    model: nn.Module, given: ModelInputs, positions: torch.Tensor, options: LossOptions
) -> torch.Tensor:
    """Return the log-probabilities of all words at some target positions, shape (positions, vocabulary)."""
    with only_logits_of(model, positions), autocast(options.precision, model.device):
        logits = model(**given, use_cache=False).logits
    return functional.log_softmax(logits.float(), dim=-1)

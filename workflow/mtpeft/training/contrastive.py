"""The contrastive losses of T-Few (Liu et al. 2022, arXiv 2205.05638), which make wrong targets less likely.

In the paper a source comes with several answers, of which all but one are wrong. Translation has no such answers. Our
adaptation takes the target of the row before as the wrong target, and leaves out rows for which the two are equal.
Tokens up to the one by which the wrong target first differs from the right one, such as the language token at its
beginning, are right where they stand. The unlikelihood loss leaves them out, since it would undo the likelihood's work.
"""

from collections.abc import Collection
from functools import partial

import torch
from torch import nn
from torch.nn import functional

from mtpeft.data.token_arrays import IGNORED
from mtpeft.models.computation import autocast
from mtpeft.training.objective import (
    TARGET_POSITIONS,
    TOKENS,
    Denominators,
    LossOptions,
    ModelInputs,
    Objective,
    likelihood,
    only_logits_of,
    target_positions,
    target_tokens,
)

WRONG, WRONG_READ = "wrong_labels", "wrong_decoder_input_ids"
"""Keys of a batch: the wrong target of each row, all `IGNORED` where it has none, and what the decoder reads for it."""
NOT_OF_THE_MODEL = ("labels", TARGET_POSITIONS, WRONG, WRONG_READ)
"""Inputs that the loss alone reads."""
DIFFERENT, ROWS = "different_tokens", "rows_with_wrong_targets"


def objective(losses: Collection[str]) -> Objective:
    """Return the objective with the losses of these names beside the likelihood."""
    if not losses:
        return likelihood
    return Objective(partial(_backward, losses=losses), _sizes, _with_wrong_targets)


def _with_wrong_targets(batch: ModelInputs) -> ModelInputs:
    """Add to each row of a batch the target of the row before as its wrong target."""
    right = batch["labels"]
    wrong = right.roll(1, dims=0)
    rows = (wrong != right).any(dim=1)
    return {
        **batch,
        WRONG: wrong.masked_fill(~rows[:, None], IGNORED),
        WRONG_READ: batch["decoder_input_ids"].roll(1, dims=0),
    }


def _sizes(inputs: ModelInputs) -> Denominators:
    wrong = inputs[WRONG]
    different = _from_first_difference(wrong, inputs["labels"]).sum()
    rows = (wrong != IGNORED).any(dim=1).sum()
    return {**target_tokens(inputs), DIFFERENT: int(different), ROWS: int(rows)}


def _backward(
    model: nn.Module, inputs: ModelInputs, options: LossOptions, whole: Denominators, *, losses: Collection[str]
) -> torch.Tensor:
    """Add the gradient of the sum of the losses, each with weight one as in the paper; the encoder runs once."""
    given = {name: tensor for name, tensor in inputs.items() if name not in NOT_OF_THE_MODEL}
    right, wrong = inputs["labels"], inputs[WRONG]
    share = {name: size / max(1, whole[name]) for name, size in _sizes(inputs).items()}
    precision = autocast(options.precision, model.device)
    with only_logits_of(model, inputs[TARGET_POSITIONS]), precision:
        output = model(**given, use_cache=False)
    logits = output.logits.float()
    labels = right[right != IGNORED]
    loss = share[TOKENS] * functional.cross_entropy(logits, labels, label_smoothing=options.label_smoothing)
    if share[ROWS]:
        # Rows without a wrong target are read with the others, since some modules hold the task id of each row.
        with only_logits_of(model, target_positions(wrong)), precision:
            wrong_logits = model(
                encoder_outputs=(output.encoder_last_hidden_state,),
                attention_mask=given["attention_mask"],
                decoder_input_ids=inputs[WRONG_READ],
                use_cache=False,
            ).logits.float()
        if "unlikelihood" in losses and share[DIFFERENT]:
            loss = loss + share[DIFFERENT] * unlikelihood(wrong_logits, wrong, right)
        if "length_normalised" in losses:
            rows = (wrong != IGNORED).any(dim=1)
            betas = (mean_log_probability(*own)[rows] for own in ((logits, right), (wrong_logits, wrong)))
            loss = loss + share[ROWS] * length_normalised(*betas)
    loss.backward()
    return loss.detach()


def _from_first_difference(wrong: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Mark the tokens of each wrong target from the first one on that differs from the right target."""
    return ((wrong != right).cumsum(dim=1) > 0) & (wrong != IGNORED)


def unlikelihood(logits: torch.Tensor, wrong: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Return the mean of -log(1 - p) over the tokens of the wrong targets from their first difference on.

    Args:
        logits: of the tokens of the wrong targets, shape (tokens, vocabulary).
        wrong: wrong targets, `IGNORED` behind their ends, shape (rows, length).
        right: right targets of the same sources, shape (rows, length).
    """
    differs = _from_first_difference(wrong, right)[wrong != IGNORED]
    tokens = wrong[wrong != IGNORED][differs]
    chosen = logits[differs]
    # 1 - p is computed as the sum over all other words, since in floats the difference becomes zero too early.
    others = chosen.clone()
    others[torch.arange(len(tokens), device=tokens.device), tokens] = -torch.inf
    return (chosen.logsumexp(dim=1) - others.logsumexp(dim=1)).mean()


def length_normalised(right: torch.Tensor, wrong: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of choosing the right target of two by their mean log-probabilities, shape (rows)."""
    return functional.softplus(wrong - right).mean()


def mean_log_probability(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean log-probability of the tokens of each target, zero for an empty one, shape (rows).

    Args:
        logits: of the tokens of all targets, one after another, shape (tokens, vocabulary).
        targets: `IGNORED` behind their ends, shape (rows, length).
    """
    predicted = targets != IGNORED
    losses = functional.cross_entropy(logits, targets[predicted], reduction="none")
    by_row = torch.zeros(targets.shape, device=logits.device)
    by_row[predicted] = losses
    return -by_row.sum(dim=1) / predicted.sum(dim=1).clamp(min=1)

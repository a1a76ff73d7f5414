"""The losses that T-Few adds to that of the target (Liu et al. 2022, arXiv 2205.05638): wrong targets made less likely.

In the paper a source comes with answers to choose from, of which all but one are wrong. Translation has no such
choices. Our adaptation takes the target of another source of the batch as the wrong one, the one before it, and leaves
out rows for which that is the same. Tokens up to the one by which the wrong target first differs from the right one
are right where they stand, such as the language at its beginning, so the unlikelihood loss leaves them out: it would
undo what the likelihood does.
"""

from collections.abc import Collection
from functools import partial

import torch
from torch import nn
from torch.nn import functional

from mtpeft.data.token_arrays import IGNORED
from mtpeft.training.objective import TOKENS, Inputs, Objective, Sizes, likelihood, only_logits_of, target_tokens

WRONG, WRONG_READ = "wrong_labels", "wrong_decoder_input_ids"
"""Of each row its wrong target, all `IGNORED` where it has none, and what the decoder reads for it."""
DIFFERENT, ROWS = "different_tokens", "rows_with_wrong_targets"


def objective(losses: Collection[str]) -> Objective:
    """The objective with the losses of these names beside the likelihood."""
    if not losses:
        return likelihood
    return Objective(partial(_backward, losses=losses), _sizes, _with_wrong_targets)


def _with_wrong_targets(batch: Inputs) -> Inputs:
    """The batch with the target of the row before each as its wrong one."""
    right = batch["labels"]
    wrong = right.roll(1, dims=0)
    rows = (wrong != right).any(dim=1)
    return {
        **batch,
        WRONG: wrong.masked_fill(~rows[:, None], IGNORED),
        WRONG_READ: batch["decoder_input_ids"].roll(1, dims=0),
    }


def _sizes(inputs: Inputs) -> Sizes:
    wrong = inputs[WRONG]
    different = _from_first_difference(wrong, inputs["labels"]).sum()
    rows = (wrong != IGNORED).any(dim=1).sum()
    return {**target_tokens(inputs), DIFFERENT: int(different), ROWS: int(rows)}


def _backward(
    model: nn.Module, inputs: Inputs, label_smoothing: float, whole: Sizes, *, losses: Collection[str]
) -> torch.Tensor:
    """The sum of the losses, each with a weight of one as in the paper; wrong targets meet the same encoder states."""
    given = {name: tensor for name, tensor in inputs.items() if name not in ("labels", WRONG, WRONG_READ)}
    right, wrong = inputs["labels"], inputs[WRONG]
    share = {name: size / max(1, whole[name]) for name, size in _sizes(inputs).items()}
    with only_logits_of(model, right != IGNORED):
        output = model(**given, use_cache=False)
    logits = output.logits.float()
    loss = share[TOKENS] * functional.cross_entropy(logits, right[right != IGNORED], label_smoothing=label_smoothing)
    if share[ROWS]:
        # Rows without a wrong target are read with the others, since some modules were told what each row is.
        with only_logits_of(model, wrong != IGNORED):
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
    """True for the tokens of each wrong target from the first on that is another than the right one."""
    return ((wrong != right).cumsum(dim=1) > 0) & (wrong != IGNORED)


def unlikelihood(logits: torch.Tensor, wrong: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Mean of -log(1 - p) over the tokens of the wrong targets, from the first on that is another than the right one.

    Args:
        logits: of the tokens of the wrong targets: shape (tokens, vocabulary).
        wrong: tokens, `IGNORED` where a target is shorter: shape (rows, length).
        right: those of the same sources, likewise.
    """
    differs = _from_first_difference(wrong, right)[wrong != IGNORED]
    tokens = wrong[wrong != IGNORED][differs]
    chosen = logits[differs]
    # The sum over all other words, since 1 - p is nought for floats long before it is for the model.
    others = chosen.clone()
    others[torch.arange(len(tokens), device=tokens.device), tokens] = -torch.inf
    return (chosen.logsumexp(dim=1) - others.logsumexp(dim=1)).mean()


def length_normalised(right: torch.Tensor, wrong: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of choosing the right target of two by their mean log-probabilities: each of shape (rows)."""
    return functional.softplus(wrong - right).mean()


def mean_log_probability(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean log-probability of the tokens of each target, nought where there are none: shape (rows).

    Args:
        logits: of the tokens of all targets, one after another: shape (tokens, vocabulary).
        targets: `IGNORED` where one is shorter: shape (rows, length).
    """
    judged = targets != IGNORED
    losses = functional.cross_entropy(logits, targets[judged], reduction="none")
    by_row = torch.zeros(targets.shape, device=logits.device)
    by_row[judged] = losses
    return -by_row.sum(dim=1) / judged.sum(dim=1).clamp(min=1)

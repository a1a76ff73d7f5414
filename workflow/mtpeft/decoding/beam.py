"""Beam search with a key-value cache, in which a sentence that is done leaves its batch.

It finds what transformers' `generate` finds with `early_stopping=False`, except where scores are equal but for
rounding. The score of a hypothesis is the sum of its log probabilities, divided by a power of the number of its tokens.
A sentence is done once it has as many finished hypotheses as beams and its best running one, if it ended now, would be
no better than the worst of them. `generate` computes such a sentence until the last one of its batch is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import torch
from torch import nn

from mtpeft.core.options import DecodingOptions
from mtpeft.decoding.greedy import ENDED, before_end
from mtpeft.decoding.logits_processors import forbid_tokens
from mtpeft.decoding.readers import reader
from mtpeft.models.special_tokens import SpecialTokens


@dataclass(frozen=True)
class Beams:
    """The hypotheses of the sentences of a batch, on the device of the model.

    Attributes:
        written: tokens of the running hypotheses, shape (sentences, beams, length); before the first word there is one.
        scores: sums of their log probabilities, best first, shape (sentences, beams).
        ended: scores of the finished hypotheses, best first, minus infinity where there is none, same shape.
        best: words of the best finished hypothesis, filled up with end tokens, shape (sentences, longest).
        is_open: whether a better hypothesis may still be found, shape (sentences).
    """

    written: torch.Tensor
    scores: torch.Tensor
    ended: torch.Tensor
    best: torch.Tensor
    is_open: torch.Tensor

    def of(self, sentences: torch.Tensor) -> "Beams":
        """Return the hypotheses of some of the sentences, which are given by their numbers."""
        parts = (self.written, self.scores, self.ended, self.best, self.is_open)
        return Beams(*(part[sentences] for part in parts))


def beam_search(
    model: nn.Module,
    sources: Sequence[torch.Tensor],
    limits: torch.Tensor,
    options: DecodingOptions,
    *,
    special_tokens: SpecialTokens,
) -> list[list[int]]:
    """Search for the hypothesis with the best score; one that reaches its limit ends there at no cost.

    Args:
        model: in evaluation mode.
        sources: sequences with their special tokens.
        limits: most tokens of each hypothesis without those that it begins with, shape (batch).
        options: beam size and length penalty.
        special_tokens: special tokens of the model, for the target language.

    Returns:
        The tokens after those that every hypothesis begins with, without the one that ends the sentence.
    """
    rows, device = torch.arange(len(limits)), model.device
    read, forbid = reader(model, sources, special_tokens), forbid_tokens(special_tokens, device)
    beams = _begun(limits, options.beam_size, special_tokens=special_tokens, device=device)
    ends = torch.tensor(special_tokens.ends, device=device)
    left: list[tuple[torch.Tensor, torch.Tensor]] = []
    for words in count():
        log_probs = forbid(beams.written.flatten(0, 1), read.logits.float().log_softmax(-1))
        _end_full(words >= limits[rows], log_probs.unflatten(0, (len(rows), -1)), special_tokens.end)
        width = beams.written.shape[1]
        beams, parents = _advanced(beams, log_probs, words=words, ends=ends, length_penalty=options.length_penalty)
        is_open = beams.is_open.cpu()  # This is all that the host has to know of a step.
        some_leave = ENDED * int((~is_open).sum()) >= len(rows)
        kept = is_open.nonzero().flatten() if some_leave else torch.arange(len(rows))
        if some_leave:
            gone, stay = (~is_open).nonzero().flatten(), kept.to(device)
            left.append((rows[gone], beams.best[gone.to(device)]))
            rows, beams, parents = rows[kept], beams.of(stay), parents[stay]
        if not len(rows):
            break
        changed = some_leave or width < options.beam_size
        states = (width * kept).repeat_interleave(options.beam_size).to(device) if changed else None
        read.follow(parents.flatten(), states)
        read.read(beams.written[:, :, -1].reshape(-1, 1))
    found = {row: tokens for own, best in left for row, tokens in zip(own.tolist(), best.tolist(), strict=True)}
    return [before_end(found[row], *special_tokens.ends) for row in range(len(limits))]


def _begun(limits: torch.Tensor, beam_size: int, *, special_tokens: SpecialTokens, device: torch.device) -> Beams:
    """Return the hypotheses before the first word: one for each sentence, with the tokens that all begin with."""
    sentences = len(limits)
    return Beams(
        written=torch.tensor(special_tokens.begin, dtype=torch.long, device=device).expand(sentences, 1, -1),
        scores=torch.zeros(sentences, 1, device=device),
        ended=torch.full((sentences, beam_size), -torch.inf, device=device),
        best=torch.full((sentences, int(limits.max())), special_tokens.end, device=device),
        is_open=torch.ones(sentences, dtype=torch.bool, device=device),
    )


def _end_full(full: torch.Tensor, log_probs: torch.Tensor, end: int) -> None:
    """Leave only the end token, in place, to the sentences that are full; shape (sentences, beams, vocabulary)."""
    if full.any():
        sentences = full.nonzero().flatten().to(log_probs.device)
        log_probs.index_fill_(0, sentences, -torch.inf)
        log_probs[:, :, end].index_fill_(0, sentences, 0.0)


def _advanced(
    beams: Beams, log_probs: torch.Tensor, *, words: int, ends: torch.Tensor, length_penalty: float
) -> tuple[Beams, torch.Tensor]:
    """Add a token to every hypothesis, and return the best ones.

    Twice as many candidates as beams are looked at, so that enough go on if some end. Of those that end, the ones count
    that are among the first half.

    Args:
        beams: the hypotheses so far.
        log_probs: of the next tokens, shape (rows, vocabulary).
        words: number of tokens that were added to every hypothesis before.
        ends: tokens that end a sentence.
        length_penalty: exponent of the number of tokens, of which the first is not counted and the end is.

    Returns:
        The hypotheses, and the row that each running one goes on from, shape (sentences, beams).
    """
    sentences, width, length = beams.written.shape
    beam_size = beams.ended.shape[1]
    # The best of a row are the same before and after its score is added, which is less work with few of them.
    of_rows, words_of_rows = log_probs.topk(2 * beam_size)
    totals = of_rows.view(sentences, width, -1) + beams.scores[:, :, None]
    candidates, places = totals.flatten(1).topk(2 * beam_size)
    parents = places // (2 * beam_size)
    tokens = words_of_rows.view(sentences, -1).gather(1, places)
    final_tokens, penalty = torch.isin(tokens, ends), max(length, words + 1) ** length_penalty
    final = torch.where(final_tokens & beams.is_open[:, None], candidates / penalty, -torch.inf)[:, :beam_size]
    ended, chosen = torch.cat([beams.ended, final], dim=1).topk(beam_size)
    newest = (chosen[:, :1] - beam_size).clamp(min=0)
    hypothesis = _taken(beams.written, parents.gather(1, newest))[:, 0, length - words :]
    best = beams.best.clone()
    best[:, :words] = torch.where(chosen[:, :1] < beam_size, best[:, :words], hypothesis)
    scores, going = candidates.masked_fill(final_tokens, -torch.inf).topk(beam_size)
    parents, tokens = parents.gather(1, going), tokens.gather(1, going)
    written = torch.cat([_taken(beams.written, parents), tokens[:, :, None]], dim=2)
    is_open = beams.is_open & (scores[:, 0] / penalty > ended[:, -1])
    rows = parents + width * torch.arange(sentences, device=parents.device)[:, None]
    return Beams(written, scores, ended, best, is_open), rows


def _taken(written: torch.Tensor, beams: torch.Tensor) -> torch.Tensor:
    """Return hypotheses, shape (sentences, some, length), given the beams of each sentence, shape (sentences, some)."""
    return written.take_along_dim(beams[:, :, None], dim=1)

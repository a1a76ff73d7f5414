"""The beam search of transformers' `generate`, batch by batch, as our own must find it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from transformers import GenerationConfig, GenerationMixin

from mtpeft.core.options import DecodingOptions
from mtpeft.data.token_arrays import padded
from mtpeft.decoding.greedy import before_end
from mtpeft.decoding.logits_processors import forbid_tokens
from mtpeft.decoding.search import length_limits, with_room_beside_prefix
from mtpeft.models.special_tokens import SpecialTokens


@dataclass(frozen=True)
class EndAtLimit:
    """Ends every hypothesis at its own length limit; `generate` has one for all."""

    limits: torch.Tensor
    special_tokens: SpecialTokens

    def __call__(self, tokens: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Leave only the end token to rows, shape (sentences x beams, length), that have reached their limits."""
        limits = self.limits.repeat_interleave(len(tokens) // len(self.limits))
        full = limits + len(self.special_tokens.begin) <= tokens.shape[1]
        only_end = torch.full_like(scores, -torch.inf)
        only_end[:, self.special_tokens.end] = 0
        return torch.where(full[:, None], only_end, scores)


def generated(
    model: nn.Module, sources: Sequence[torch.Tensor], options: DecodingOptions, *, special_tokens: SpecialTokens
) -> list[list[int]]:
    """The hypotheses of one batch, with the arguments and the result of `translate`."""
    given = with_room_beside_prefix(special_tokens, model)
    limits = torch.from_numpy(length_limits(options, np.array([len(source) for source in sources]), given))
    input_ids, begin = padded(sources, given.pad), given.begin
    inner = next(module for module in model.modules() if isinstance(module, GenerationMixin))
    own, inner.generation_config = inner.generation_config, GenerationConfig()
    try:
        output = model.generate(
            input_ids=input_ids,
            attention_mask=(input_ids != given.pad).long(),
            num_beams=options.beam_size,
            do_sample=False,
            length_penalty=options.length_penalty,
            early_stopping=False,
            pad_token_id=given.pad,
            eos_token_id=given.end,
            decoder_start_token_id=begin[0],
            forced_bos_token_id=begin[1] if begin[1:] else None,
            max_new_tokens=int(limits.max()) + len(begin),
            logits_processor=[forbid_tokens(given, input_ids.device), EndAtLimit(limits, given)],
        )
    finally:
        inner.generation_config = own
    return [before_end(tokens[len(begin) :], given.end) for tokens in output.tolist()]

"""Read sentence pairs with the references as decoder inputs (teacher forcing), and tell which states are the text's."""

import numpy as np
import torch
from torch import nn

from mtpeft.data.batch_layout import LAYOUTS, model_inputs, prompt_lengths
from mtpeft.data.token_arrays import IGNORED, TokenPairs, cut
from mtpeft.methods.encoder_input_adapter import prompt_length
from mtpeft.methods.sequence_prefix_adapter import target_prefix_length
from mtpeft.methods.token_sides import assign_prompt_lengths
from mtpeft.models.architecture import side_of
from mtpeft.models.special_tokens import SpecialTokens

BATCH_TOKENS = 8192
"""Padded tokens of a batch; they change the time, and the result by rounding alone."""


class ForcedReading:
    """A reading of sentence pairs, batch by batch; hooks on modules ask it for the states of tokens.

    A causal model reads prompt and target in one row. Its tokens are those from which a target token is predicted.

    Attributes:
        rows: sentence pairs of the present batch, as their rows in the token arrays.
    """

    def __init__(self, model: nn.Module, special_tokens: SpecialTokens) -> None:
        self.model, self.special_tokens = model, special_tokens
        self.rows = np.empty(0, dtype=int)
        self._before = {"encoder": prompt_length(model), "decoder": target_prefix_length(model)}
        self._kept: dict[str, torch.Tensor] = {}

    @torch.inference_mode()
    def read(self, pairs: TokenPairs, rows: np.ndarray) -> None:
        """Read rows of token arrays; the model is in evaluation mode."""
        lengths = LAYOUTS[self.special_tokens.task].lengths(pairs)
        for batch in cut(rows, lengths, BATCH_TOKENS):
            self.rows = batch
            inputs = model_inputs(
                [pairs.source[row] for row in batch],
                [pairs.target[row] for row in batch],
                special_tokens=self.special_tokens,
            )
            given = {name: tensor.to(self.model.device) for name, tensor in inputs.items()}
            labels = given.pop("labels")
            self._kept = {"decoder": labels != IGNORED, "encoder": given["attention_mask"].bool()}
            assign_prompt_lengths(self.model.modules(), prompt_lengths(labels))
            self.model(**given, use_cache=False)
        assign_prompt_lengths(self.model.modules(), None)

    def tokens(self, module: str, hidden: torch.Tensor) -> torch.Tensor:
        """Return the states of the text's tokens, shape (tokens, width), of those of a batch at a module.

        Padding and vectors that a method puts before the text are no tokens; those that they leave no room for are
        lacking.
        """
        text = hidden[:, self._before[side_of(module)] :]
        return text[self._kept_here(module, text)]

    def sentences(self, module: str, hidden: torch.Tensor) -> np.ndarray:
        """Return the row of each of these tokens in the token arrays: shape (tokens)."""
        text = hidden[:, self._before[side_of(module)] :]
        return self.rows[self._kept_here(module, text).nonzero()[:, 0].cpu().numpy()]

    def _kept_here(self, module: str, text: torch.Tensor) -> torch.Tensor:
        return self._kept[side_of(module)][:, : text.shape[1]]

"""The adapter of DePT: a short prompt, and a low-rank shift of embeddings by position (Shi & Lipani 2023).

The shift is a product of two matrices, of which the second starts at zero: until it is trained, DePT is a prompt.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional

from mtpeft.methods.base_adapter import register
from mtpeft.methods.encoder_input_adapter import ReadOnce
from mtpeft.methods.prompt_adapter import PromptConfig, PromptLayer, PromptModel


@dataclass
class DeptConfig(PromptConfig):
    """Configuration of DePT: length of the prompt, and rank and positions of the shift."""

    adapter_type = "DEPT"

    rank: int = field(default=8, metadata={"help": "Rank of what is added to the embeddings."})
    positions: int = field(default=256, metadata={"help": "Source tokens that something is added to, the first ones."})


class DeptLayer(PromptLayer):
    """An encoder with a prompt, which reads the embeddings of the source shifted."""

    adapter_layer_names = ("prompt_vectors", "prompt_shift_positions", "prompt_shift_directions")

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.prompt_shift_positions = nn.ParameterDict()
        self.prompt_shift_directions = nn.ParameterDict()

    def add_adapter(self, adapter_name: str, config: DeptConfig) -> None:
        """Add a prompt of words and a shift of nothing."""
        super().add_adapter(adapter_name, config)
        like = self.prompt_vectors[adapter_name]
        positions = torch.empty(config.positions, config.rank, device=like.device)
        nn.init.kaiming_uniform_(positions, a=math.sqrt(5))
        self.prompt_shift_positions[adapter_name] = nn.Parameter(positions)
        directions = torch.zeros(config.rank, like.shape[1], device=like.device)
        self.prompt_shift_directions[adapter_name] = nn.Parameter(directions)

    def shifted(
        self, embeddings: torch.Tensor, adapter_name: str, positions: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Add to each embedding the shift of its position; positions that have none stay as they are."""
        length = embeddings.shape[1] if positions is None else None
        by_position = self.prompt_shift_positions[adapter_name][:length]
        shift = by_position @ self.prompt_shift_directions[adapter_name]
        if positions is None:
            return embeddings + functional.pad(shift, (0, 0, 0, length - len(shift))).to(embeddings.dtype)
        with_none = functional.pad(shift, (0, 0, 0, 1)).to(embeddings.dtype)
        return embeddings + with_none[positions.clamp(max=len(shift))]


class DeptStack(ReadOnce, DeptLayer):
    """The only stack of a model with a prompt, which reads the embeddings of the text behind it shifted."""


class DeptModel(PromptModel):
    """Puts a prompt and a shift into a model."""

    encoder_wrapper = DeptLayer
    stack_wrapper = DeptStack


register(DeptConfig, DeptModel)

"""The adapter of prompt tuning: trained vectors before the embeddings of the source (Lester et al. 2021).

They start as embeddings of entries of the vocabulary, in the scale in which the encoder reads them, and take positions
as tokens would, so that a source keeps the positions that are left; see `encoder_input` for what is cut off it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from mtpeft.methods.base_adapter import AdapterConfig, WrapperLayer, WrappingAdapter, register
from mtpeft.methods.encoder_input_adapter import (
    EncoderInputLayer,
    PromptedDecoderLayer,
    ReadOnce,
    embedded,
    fitted,
    positions_of,
    prepended,
)
from mtpeft.models.families.mbart import HUGGINGFACE_SPECIALS

FREQUENT = 5000
"""Entries at the head of the vocabulary, where the most frequent pieces stand, from which a prompt is drawn."""
SIDES, STACK = ("encoder", "decoder"), ("model",)
"""Names of the two stacks of a model, or of its only one."""


@dataclass
class PromptConfig(AdapterConfig):
    """Configuration of prompt tuning; its target modules are the encoder and the decoder, or the only stack."""

    adapter_type = "PROMPT"

    tokens: int = field(default=16, metadata={"help": "Vectors of the prompt."})


class PromptLayer(EncoderInputLayer):
    """An encoder that reads the prompt of the active adapter before each source."""

    adapter_layer_names = ("prompt_vectors",)

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.prompt_vectors = nn.ParameterDict()

    def add_adapter(self, adapter_name: str, config: PromptConfig) -> None:
        """Add a prompt that is made of words until it is trained."""
        self.prompt_vectors[adapter_name] = nn.Parameter(random_embeddings(self.base_layer, config.tokens))

    def prompt(self, adapter_name: str) -> torch.Tensor:
        """Return the vectors of an adapter: shape (tokens, d_model)."""
        return self.prompt_vectors[adapter_name]

    def change(
        self, embeddings: torch.Tensor, mask: torch.Tensor | None, adapter_name: str
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Put the prompt before the source."""
        prompt, positions = self.prompt(adapter_name), positions_of(self.base_layer)
        embeddings, mask = fitted(embeddings, mask, None if positions is None else positions - len(prompt))
        return prepended(prompt, self.shifted(embeddings, adapter_name), mask)

    def shifted(
        self, embeddings: torch.Tensor, adapter_name: str, positions: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the embeddings of the text as an adapter has them.

        Args:
            embeddings: shape (batch, length, d_model).
            adapter_name: which adapter.
            positions: of the embeddings, shape (batch, length); None for 0 and on.
        """
        return embeddings


class PromptedStack(ReadOnce, PromptLayer):
    """The only stack of a model, which reads the prompt of the active adapter before each text."""


class PromptModel(WrappingAdapter):
    """Puts a prompt into a model."""

    prefix = "prompt_"
    tuner_layer_cls = wrapper = (PromptLayer, PromptedDecoderLayer)
    encoder_wrapper: type[PromptLayer] = PromptLayer
    stack_wrapper: type[PromptLayer] = PromptedStack

    def wrap(self, target: nn.Module, adapter_name: str, *, module: str, **place: Any) -> WrapperLayer:
        """Wrap the encoder, the decoder or the only stack in its wrapper."""
        wrappers = {"encoder": self.encoder_wrapper, "decoder": PromptedDecoderLayer}
        return wrappers.get(module.rpartition(".")[2], self.stack_wrapper)(target, adapter_name)

    def add_to(self, layer: WrapperLayer, config: PromptConfig, adapter_name: str, *, module: str) -> None:
        """Add a prompt to the wrapper of the encoder, or tell that of the decoder how long it is."""
        if isinstance(layer, PromptedDecoderLayer):
            layer.prompt_tokens[adapter_name] = config.tokens
        else:
            layer.add_adapter(adapter_name, config)

    def check_targets(self, modules: Sequence[str]) -> None:
        """Check that the target modules are the encoder and the decoder, or the only stack.

        Raises:
            ValueError: they are others.
        """
        if not ends_with(modules, SIDES) and not ends_with(modules, STACK):
            raise ValueError("target_modules must name the encoder and the decoder, or the only stack.")


def ends_with(modules: Sequence[str], names: Sequence[str]) -> bool:
    """Return whether modules are those of these names, wherever in the model they are."""
    return sorted(module.rsplit(".", 1)[-1] for module in modules) == sorted(names)


@torch.no_grad()
def random_embeddings(encoder: nn.Module, count: int) -> torch.Tensor:
    """Draw embeddings of random entries of the vocabulary, no two alike while there are enough: (count, d_model)."""
    table = encoder.embed_tokens.weight
    entries = min(FREQUENT, len(table) - HUGGINGFACE_SPECIALS)
    drawn = torch.randperm(entries)[torch.arange(count) % entries] + HUGGINGFACE_SPECIALS
    return embedded(encoder, drawn.to(table.device)[None])[0].float()


register(PromptConfig, PromptModel)

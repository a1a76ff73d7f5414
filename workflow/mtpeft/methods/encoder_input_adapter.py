"""Wrappers that change what an encoder reads, and that let the decoder attend to it.

Peft's own prompt tuning and P-tuning put the prompt on in the forward pass of the whole model, which must be given
`input_ids` each time: a search that encodes once and passes `encoder_outputs` on can't use it. By default they also
train two prompts for an encoder-decoder model and read the first alone. Here the encoder itself has the prompt, and
the decoder finds it in the states that it attends to.
"""

from abc import abstractmethod
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from mtpeft.methods.base_adapter import WrapperLayer


class EncoderInputLayer(WrapperLayer):
    """An encoder whose embeddings the active adapter changes before the first layer."""

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return what the encoder returns for the changed embeddings."""
        active = [name for name in self.active_adapters if self.has(name)]
        if self.disable_adapters or not active:
            return self.base_layer(
                input_ids=input_ids, attention_mask=attention_mask, inputs_embeds=inputs_embeds, **kwargs
            )
        embeddings = self.looked_up(input_ids) if inputs_embeds is None else inputs_embeds
        embeddings, attention_mask = self.change(embeddings, attention_mask, active[-1])
        return self.base_layer(attention_mask=attention_mask, inputs_embeds=embeddings, **kwargs)

    def looked_up(self, tokens: torch.Tensor) -> torch.Tensor:
        """Look up tokens as the stack takes them in the place of tokens."""
        return embedded(self.base_layer, tokens)

    def has(self, adapter_name: str) -> bool:
        """Return whether an adapter changes anything here."""
        return adapter_name in getattr(self, self.adapter_layer_names[0])

    @abstractmethod
    def change(
        self, embeddings: torch.Tensor, mask: torch.Tensor | None, adapter_name: str
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return embeddings of shape (batch, length, d_model) and their mask as an adapter makes them."""

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refuse: the matrix of the embeddings is the decoder's and the output projection's too."""
        raise ValueError("What changes embeddings as they are read can't be merged; keep it as a module.")


class ReadOnce:
    """The only stack of a causal model, with vectors before the text that it reads with the first tokens.

    They then stand in the cache, so that nothing is put before later tokens. Positions and the mask count them, and
    what the stack puts out is that of the text alone. It stands before a wrapper in the bases of a class; the wrapper
    has `prompt`, the vectors, and `shifted`, the embeddings of the text.
    """

    def length(self) -> int:
        """Return the number of vectors before the text."""
        active = [name for name in self.active_adapters if self.has(name)]
        return len(self.prompt(active[-1])) if active and not self.disable_adapters else 0

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return what the stack returns for the tokens of the text."""
        active = [name for name in self.active_adapters if self.has(name)]
        if self.disable_adapters or not active:
            given = {"input_ids": input_ids, "attention_mask": attention_mask, "inputs_embeds": inputs_embeds}
            return self.base_layer(**given, position_ids=position_ids, **kwargs)
        prompt, cache = self.prompt(active[-1]), kwargs.get("past_key_values")
        length, seen = len(prompt), 0 if cache is None else int(cache.get_seq_length())
        embeddings = embedded(self.base_layer, input_ids) if inputs_embeds is None else inputs_embeds
        if position_ids is None:
            position_ids = torch.arange(embeddings.shape[1], device=embeddings.device)[None] + max(0, seen - length)
        embeddings = self.shifted(embeddings, active[-1], position_ids)
        position_ids = position_ids + length
        attention_mask = None if attention_mask is None else with_prompt(attention_mask, length)
        if not seen:
            embeddings, _ = prepended(prompt, embeddings, None)
            first = torch.arange(length, device=embeddings.device).expand(len(position_ids), -1)
            position_ids = torch.cat([first, position_ids], dim=1)
        output = self.base_layer(
            inputs_embeds=embeddings, attention_mask=attention_mask, position_ids=position_ids, **kwargs
        )
        if not seen:
            output["last_hidden_state"] = output.last_hidden_state[:, length:]
        return output


class PromptedDecoderLayer(WrapperLayer):
    """A decoder that attends to the states of the prompt too, whose mask is that of the source alone."""

    adapter_layer_names = ()

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.prompt_tokens: dict[str, int] = {}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the decoder returns."""
        active = self.active_in(self.prompt_tokens)
        states, mask = kwargs.get("encoder_hidden_states"), kwargs.get("encoder_attention_mask")
        if active and not self.disable_adapters and states is not None and mask is not None:
            tokens = self.prompt_tokens[active[-1]]
            kwargs["encoder_attention_mask"] = mask_of_states(
                mask, states.shape[1], tokens, positions=positions_of(self.base_layer)
            )
        return self.base_layer(*args, **kwargs)

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refuse, as the encoder does."""
        raise ValueError("A prompt can't be merged into the base model; keep it as a module.")


def prompt_length(model: nn.Module) -> int:
    """Return how many vectors the active prompt of a model puts before each source; 0 without one."""
    decoders = [module for module in model.modules() if isinstance(module, PromptedDecoderLayer)]
    return sum(own.prompt_tokens.get(name, 0) for own in decoders for name in own.active_adapters)


def embedded(encoder: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Look up tokens, scaled as the encoder reads them: Marian scales in the encoder, others look up scaled."""
    return encoder.embed_tokens(tokens) * getattr(encoder, "embed_scale", 1.0)


def positions_of(stack: nn.Module) -> int | None:
    """Return the number of positions of an encoder or a decoder; None where they are relative, as those of T5."""
    return getattr(stack.config, "max_position_embeddings", None)


def fitted(
    embeddings: torch.Tensor, mask: torch.Tensor | None, room: int | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Truncate sources that are longer than `room`, if there is a limit, before their last token.

    The last token says that the sentence ends. Sources are padded on the right.
    """
    rows, length, width = embeddings.shape
    if room is None or length <= room:
        return embeddings, mask
    kept = torch.arange(room, device=embeddings.device).repeat(rows, 1)
    lengths = torch.full((rows,), length, device=embeddings.device) if mask is None else mask.long().sum(dim=1)
    kept[:, -1] = (lengths - 1).clamp(min=room - 1)
    embeddings = embeddings.gather(1, kept[:, :, None].expand(-1, -1, width))
    return embeddings, None if mask is None else mask[:, :room]


def prepended(
    prompt: torch.Tensor, embeddings: torch.Tensor, mask: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Put a prompt of shape (tokens, d_model) before every row; the mask hides nothing of the prompt."""
    before = prompt.to(embeddings.dtype).expand(len(embeddings), -1, -1)
    return torch.cat([before, embeddings], dim=1), None if mask is None else with_prompt(mask, len(prompt))


def with_prompt(mask: torch.Tensor, tokens: int) -> torch.Tensor:
    """Extend a mask of shape (batch, length) by a prompt before it."""
    return functional.pad(mask, (tokens, 0), value=1)


def mask_of_states(mask: torch.Tensor, length: int, tokens: int, *, positions: int | None) -> torch.Tensor:
    """Make the mask of encoder states from that of the source; it is left alone where the states have no prompt.

    Args:
        mask: of the source as it was given to the encoder: shape (batch, source length).
        length: of the states.
        tokens: of the prompt.
        positions: most that the encoder has, which cut the source if it was too long.
    """
    whole = mask.shape[1] + tokens
    if length != (whole if positions is None else min(whole, positions)):
        return mask
    return with_prompt(mask[:, : length - tokens], tokens)

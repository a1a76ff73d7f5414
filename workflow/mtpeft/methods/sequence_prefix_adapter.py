"""The adapter of prefixes in the sequence (Üstün & Cooper Stickland 2022, arXiv 2205.11277).

The encoder and the decoder read trained embeddings before their own, which take positions as tokens would. Each further
layer gets vectors of its own in the place of what the layer before has made of these positions. The decoder's prefix is
read once, with the first tokens, and then stands in the cache; what the decoder puts out begins behind it.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from mtpeft.methods.base_adapter import AdapterConfig, NetworkLayer, WrapperLayer, WrappingAdapter, register
from mtpeft.methods.encoder_input_adapter import (
    EncoderInputLayer,
    PromptedDecoderLayer,
    ReadOnce,
    fitted,
    positions_of,
    prepended,
    with_prompt,
)
from mtpeft.methods.prompt_adapter import random_embeddings
from mtpeft.models.architecture import side_of
from mtpeft.models.families import read_shape

NO_MERGE = "A prefix can't be merged into the base model; keep it as a module."


@dataclass
class SequencePrefixConfig(AdapterConfig):
    """Configuration of prefixes in the sequence: positions of each stack and of its layers behind the first."""

    adapter_type = "SEQUENCE_PREFIX"

    length_pattern: dict[str, int] = field(default_factory=dict, metadata={"help": "Positions by module name."})
    network: int | None = field(default=None, metadata={"help": "Inner width of a network that makes vectors, if any."})


class _Stack:
    """Trained embeddings before a stack, whose layers have wrappers of their own."""

    adapter_layer_names = ("seqprefix_embeddings",)

    def add_adapter(self, adapter_name: str, length: int) -> None:
        """Add embeddings that are those of words until they are trained."""
        self.seqprefix_embeddings[adapter_name] = nn.Parameter(random_embeddings(self.base_layer, length))

    def unload_and_optionally_merge_module(self, *, merge: bool, **options: Any) -> nn.Module:
        """Return the stack without prefixes, its layers included, which peft does not look for inside of a wrapper.

        Raises:
            ValueError: it should be merged.
        """
        if merge:
            raise ValueError(NO_MERGE)
        wrapped = [(name, own) for name, own in self.base_layer.named_modules() if isinstance(own, PrefixedLayer)]
        for name, layer in wrapped:
            self.base_layer.set_submodule(name, layer.base_layer)
        return self.base_layer


class PrefixedEncoder(_Stack, EncoderInputLayer):
    """An encoder that reads the embeddings of the active adapter before each source."""

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.seqprefix_embeddings = nn.ParameterDict()

    def change(
        self, embeddings: torch.Tensor, mask: torch.Tensor | None, adapter_name: str
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Put the prefix before the source."""
        prefix, positions = self.seqprefix_embeddings[adapter_name], positions_of(self.base_layer)
        embeddings, mask = fitted(embeddings, mask, None if positions is None else positions - len(prefix))
        return prepended(prefix, embeddings, mask)


class PrefixedDecoder(_Stack, PromptedDecoderLayer):
    """A decoder that reads the embeddings of the active adapter before the first tokens, and sees the source's."""

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.seqprefix_embeddings = nn.ParameterDict()

    def length(self) -> int:
        """Return the number of positions before the target."""
        active = self.active_in(self.seqprefix_embeddings)
        return len(self.seqprefix_embeddings[active[-1]]) if active and not self.disable_adapters else 0

    def forward(
        self, input_ids: torch.Tensor | None = None, *, inputs_embeds: torch.Tensor | None = None, **given: Any
    ) -> Any:
        """Return what the decoder returns for the tokens alone."""
        length, cache = self.length(), given.get("past_key_values")
        if length and given.get("attention_mask") is not None:
            given["attention_mask"] = with_prompt(given["attention_mask"], length)
        if given.get("position_ids") is not None:
            given["position_ids"] = self._with_prefix(given["position_ids"], length, cache)
        if not length or not reads_first(cache):
            return super().forward(input_ids=input_ids, inputs_embeds=inputs_embeds, **given)
        tokens = self.base_layer.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        active = self.active_in(self.seqprefix_embeddings)
        # Marian's decoder scales whatever it is given, and the prefix is in the scale that is read.
        prefix = self.seqprefix_embeddings[active[-1]] / getattr(self.base_layer, "embed_scale", 1.0)
        embeddings, _ = prepended(prefix, tokens, None)
        output = super().forward(inputs_embeds=embeddings, **given)
        output["last_hidden_state"] = output.last_hidden_state[:, length:]
        return output

    def _with_prefix(self, positions: torch.Tensor, length: int, cache: Any) -> torch.Tensor:
        """Return the positions of tokens behind a prefix, with its own where it is read with them."""
        first = torch.arange(length if reads_first(cache) else 0, device=positions.device)
        return torch.cat([first.expand(len(positions), -1), positions + length], dim=1)


class PrefixedLayer(NetworkLayer):
    """A layer that reads vectors of the active adapter at the positions of the prefix."""

    adapter_layer_names = ("seqprefix_vectors", "seqprefix_network")

    def __init__(self, base_layer: nn.Module, adapter_name: str, *, place: int, in_decoder: bool) -> None:
        super().__init__(base_layer, adapter_name)
        self.seqprefix_vectors = nn.ParameterDict()
        self.seqprefix_network = nn.ModuleDict()
        self._place, self._in_decoder = place, in_decoder

    def add_adapter(self, adapter_name: str, *, length: int, width: int, network: int | None) -> None:
        """Add small random vectors, (length, d_model), and the network that changes them, if there is one."""
        device = next(self.base_layer.parameters()).device
        vectors = torch.randn((length, width), device="cpu" if device.type == "meta" else device)
        self.seqprefix_vectors[adapter_name] = nn.Parameter(vectors * width**-0.5)
        if network is not None:
            made = nn.Sequential(nn.Linear(width, network), nn.Tanh(), nn.Linear(network, width))
            self.seqprefix_network[adapter_name] = made if device.type == "meta" else made.to(device)

    def vectors(self, adapter_name: str) -> torch.Tensor:
        """Return what stands at the positions of the prefix: (length, d_model)."""
        vectors = self.seqprefix_vectors[adapter_name]
        return self.seqprefix_network[adapter_name](vectors) if adapter_name in self.seqprefix_network else vectors

    @torch.no_grad()
    def fold(self) -> None:
        """Replace what the networks read by what they make of it."""
        for name in list(self.seqprefix_network):
            self.seqprefix_vectors[name] = nn.Parameter(self.vectors(name).clone())
            del self.seqprefix_network[name]

    def forward(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Return what the layer returns for hidden states, (batch, length, d_model), whose first are overwritten."""
        active = self.active_in(self.seqprefix_vectors)
        read = active and not self.disable_adapters
        if read and not (self._in_decoder and not reads_first(kwargs.get("past_key_values"), self._place)):
            vectors = self.vectors(active[-1]).to(hidden_states.dtype)
            own = hidden_states[:, len(vectors) :]
            hidden_states = torch.cat([vectors.expand(len(own), -1, -1), own], dim=1)
        return self.base_layer(hidden_states, *args, **kwargs)

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refuse: a prefix is no change of any weight of the base."""
        raise ValueError(NO_MERGE)


def reads_first(cache: Any, layer: int = 0) -> bool:
    """Return whether a decoder layer has read nothing yet, so that the prefix is in what it reads now."""
    return cache is None or int(cache.get_seq_length(layer)) == 0


class SequencePrefixModel(WrappingAdapter):
    """Puts prefixes into a model."""

    prefix = "seqprefix_"
    tuner_layer_cls = wrapper = (PrefixedEncoder, PrefixedDecoder, PrefixedLayer)

    def wrap(
        self, target: nn.Module, adapter_name: str, *, parent: nn.Module, config: SequencePrefixConfig, module: str
    ) -> WrapperLayer:
        """Wrap a stack or one of its layers."""
        name = module.rpartition(".")[2]
        if name.isdigit():
            return PrefixedLayer(target, adapter_name, place=int(name), in_decoder=side_of(module) == "decoder")
        return (PrefixedEncoder if name == "encoder" else PrefixedDecoder)(target, adapter_name)

    def add_to(self, layer: WrapperLayer, config: SequencePrefixConfig, adapter_name: str, *, module: str) -> None:
        """Add a prefix to a stack or to a layer, and tell the decoder how long that of the source is."""
        lengths = config.length_pattern
        if isinstance(layer, PrefixedLayer):
            width = read_shape(self.model.config.to_dict()).d_model
            layer.add_adapter(adapter_name, length=lengths[module], width=width, network=config.network)
            return
        layer.add_adapter(adapter_name, lengths[module])
        encoder = f"{module.removesuffix('decoder')}encoder"
        if isinstance(layer, PrefixedDecoder) and encoder in lengths:
            layer.prompt_tokens[adapter_name] = lengths[encoder]


def target_prefix_length(model: nn.Module) -> int:
    """Return how many positions the active adapter puts before each target, or before each text of a causal model."""
    return sum(module.length() for module in model.modules() if isinstance(module, PrefixedDecoder | ReadOnce))


register(SequencePrefixConfig, SequencePrefixModel)

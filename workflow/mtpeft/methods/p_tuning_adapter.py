"""The adapter of P-tuning: a prompt that a small network makes of trained embeddings (Liu et al. 2021).

The network is peft's. It is needed in training alone: what is stored is the prompt that it has made in the end.
"""

from dataclasses import dataclass, field, fields

import torch
from peft import PromptEncoder, PromptEncoderConfig
from torch import nn

from mtpeft.methods.base_adapter import register
from mtpeft.methods.encoder_input_adapter import ReadOnce
from mtpeft.methods.prompt_adapter import PromptConfig, PromptLayer, PromptModel


@dataclass
class PromptNetworkConfig(PromptConfig):
    """Configuration of P-tuning: which network makes the prompt."""

    adapter_type = "PROMPT_NETWORK"

    network: str = field(default="LSTM", metadata={"help": "LSTM or MLP, as peft has them."})
    hidden: int = field(default=128, metadata={"help": "Inner width of the network."})
    layers: int = field(default=2, metadata={"help": "Layers of an LSTM."})


class PromptNetworkLayer(PromptLayer):
    """An encoder with a prompt that comes out of a network, until the network is replaced by the prompt."""

    adapter_layer_names = ("prompt_vectors", "prompt_network")

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.prompt_network = nn.ModuleDict()

    def add_adapter(self, adapter_name: str, config: PromptNetworkConfig) -> None:
        """Add a network with random weights."""
        weight = self.base_layer.embed_tokens.weight
        options = PromptEncoderConfig(
            num_virtual_tokens=config.tokens,
            num_transformer_submodules=1,
            token_dim=weight.shape[1],
            encoder_reparameterization_type=config.network,
            encoder_hidden_size=config.hidden,
            encoder_num_layers=config.layers,
        )
        self.prompt_network[adapter_name] = PromptEncoder(options).to(weight.device)

    def has(self, adapter_name: str) -> bool:
        """Return whether an adapter has a prompt here."""
        return adapter_name in self.prompt_network or super().has(adapter_name)

    def prompt(self, adapter_name: str) -> torch.Tensor:
        """Return what the network makes of all its embeddings: shape (tokens, d_model)."""
        if adapter_name not in self.prompt_network:
            return super().prompt(adapter_name)
        network = self.prompt_network[adapter_name]
        return network(torch.arange(network.total_virtual_tokens, device=network.embedding.weight.device)[None])[0]

    @torch.no_grad()
    def fold(self, adapter_name: str) -> None:
        """Replace the network by the prompt that it makes."""
        vectors = self.prompt(adapter_name)
        del self.prompt_network[adapter_name]
        self.prompt_vectors[adapter_name] = nn.Parameter(vectors)


class PromptNetworkStack(ReadOnce, PromptNetworkLayer):
    """The only stack of a model with a prompt that comes out of a network."""


class PromptNetworkModel(PromptModel):
    """Puts a network and its prompt into a model."""

    encoder_wrapper = PromptNetworkLayer
    stack_wrapper = PromptNetworkStack


def fold_network(tuned: nn.Module) -> nn.Module:
    """Return the peft model with a plain prompt in the place of the network that made it."""
    adapter = tuned.active_adapter
    for layer in tuned.modules():
        if isinstance(layer, PromptNetworkLayer):
            layer.fold(adapter)
    given = vars(tuned.peft_config[adapter])
    plain = {one.name: given[one.name] for one in fields(PromptConfig) if one.init}
    tuned.peft_config[adapter] = PromptConfig(**plain)
    return tuned


register(PromptNetworkConfig, PromptNetworkModel)

"""The adapter of AdaLink: a low-rank residual between the encoder's embeddings and its first layer (Wang et al. 2023).

e + up(down(e)) for the embedding e of each source token, before positions are added. The up-projection starts at zero:
an untrained link changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional

from mtpeft.methods.base_adapter import AdapterConfig, WrappingAdapter, register
from mtpeft.methods.encoder_input_adapter import EncoderInputLayer
from mtpeft.methods.prompt_adapter import ends_with


@dataclass
class AdaLinkConfig(AdapterConfig):
    """Configuration of AdaLink; its target module is the encoder."""

    adapter_type = "ADALINK"

    rank: int = field(default=64, metadata={"help": "Inner width of the link."})


class AdaLinkLayer(EncoderInputLayer):
    """An encoder that reads its embeddings through the link of the active adapter."""

    adapter_layer_names = ("adalink_down", "adalink_up")

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.adalink_down = nn.ParameterDict()
        self.adalink_up = nn.ParameterDict()

    def add_adapter(self, adapter_name: str, config: AdaLinkConfig) -> None:
        """Add a link that changes nothing until it is trained."""
        weight = self.base_layer.embed_tokens.weight
        width, device = weight.shape[1], weight.device
        self.adalink_down[adapter_name] = nn.Parameter(torch.randn(config.rank, width, device=device) / width**0.5)
        self.adalink_up[adapter_name] = nn.Parameter(torch.zeros(width, config.rank, device=device))

    def change(
        self, embeddings: torch.Tensor, mask: torch.Tensor | None, adapter_name: str
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Add to each embedding what the link makes of it."""
        down, up = self.adalink_down[adapter_name], self.adalink_up[adapter_name]
        added = functional.linear(functional.linear(embeddings.to(down.dtype), down), up)
        return embeddings + added.to(embeddings.dtype), mask


class AdaLinkModel(WrappingAdapter):
    """Puts a link into a model."""

    prefix = "adalink_"
    tuner_layer_cls = wrapper = AdaLinkLayer

    def add_to(self, layer: AdaLinkLayer, config: AdaLinkConfig, adapter_name: str, *, module: str) -> None:
        """Add a link to the wrapper of the encoder."""
        layer.add_adapter(adapter_name, config)

    def check_targets(self, modules: Sequence[str]) -> None:
        """Check that the target module is the encoder.

        Raises:
            ValueError: it is another.
        """
        if not ends_with(modules, ["encoder"]):
            raise ValueError("target_modules must name the encoder.")


register(AdaLinkConfig, AdaLinkModel)

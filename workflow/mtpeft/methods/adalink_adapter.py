"""The adapter of AdaLink: a low-rank residual between the embeddings of a stack and its first layer (Wang et al. 2023).

e + up(down(e)) for the embedding e of each token, before positions are added. The up-projection starts at zero: an
untrained link changes nothing. Where each language of a side has a link, the rows of a batch may have different ones;
which pair they are of is set before the model is called (`mtpeft.methods.task_ids`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional

from mtpeft.methods.base_adapter import AdapterConfig, WrapperLayer, WrappingAdapter, register
from mtpeft.methods.context import tokens_of
from mtpeft.methods.encoder_input_adapter import EncoderInputLayer
from mtpeft.methods.prompt_adapter import SIDES, ends_with
from mtpeft.methods.task_ids import TaskIds
from mtpeft.models.tasks import SEQUENCE_TO_SEQUENCE


@dataclass
class AdaLinkConfig(AdapterConfig):
    """Configuration of AdaLink; its target modules are the encoder, the decoder, or both."""

    adapter_type = "ADALINK"

    rank: int = field(default=64, metadata={"help": "Inner width of a link whose module is not in `rank_pattern`."})
    rank_pattern: dict[str, int] = field(default_factory=dict, metadata={"help": "Inner width by module name."})
    sets: dict[str, list[int]] = field(
        default_factory=dict, metadata={"help": "Link of each pair by side; empty where all pairs share one."}
    )


class AdaLinkLayer(EncoderInputLayer):
    """An encoder that reads its embeddings through the link of the active adapter.

    Attributes:
        task_ids: place of a pair in the cell's group: of each row, shape (batch), or one for all. None: of a pair that
            is none of the group, for which nothing is changed.
        sets: of an adapter with a link for each language, the number of the link of each pair.
    """

    adapter_layer_names = ("adalink_down", "adalink_up")

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.adalink_down = nn.ParameterDict()
        self.adalink_up = nn.ParameterDict()
        self.task_ids: TaskIds = 0
        self.sets: dict[str, list[int]] = {}

    @property
    def takes_task_ids(self) -> bool:
        """Whether it has to know which pair a row is of."""
        return bool(self.sets)

    def add_adapter(self, adapter_name: str, config: AdaLinkConfig, *, module: str) -> None:
        """Add a link that changes nothing until it is trained, or one for each language."""
        weight, rank = self.base_layer.embed_tokens.weight, config.rank_pattern.get(module, config.rank)
        width, device, links = weight.shape[1], weight.device, ()
        if own := config.sets.get(tokens_of(module, SEQUENCE_TO_SEQUENCE)):
            self.sets[adapter_name] = own
            links = (max(own) + 1,)
        down = torch.randn(*links, rank, width, device=device) / width**0.5
        self.adalink_down[adapter_name] = nn.Parameter(down)
        self.adalink_up[adapter_name] = nn.Parameter(torch.zeros(*links, width, rank, device=device))

    def change(
        self, embeddings: torch.Tensor, mask: torch.Tensor | None, adapter_name: str
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Add to each embedding what the link makes of it."""
        down, up = self.adalink_down[adapter_name], self.adalink_up[adapter_name]
        if adapter_name in self.sets:
            if self.task_ids is None:
                return embeddings, mask
            ids = self.task_ids.to(down.device) if isinstance(self.task_ids, torch.Tensor) else self.task_ids
            links = torch.tensor(self.sets[adapter_name], device=down.device)[ids]
            down, up = down[links], up[links]
        read = embeddings.to(down.dtype)
        of_rows = down.dim() > 2
        added = read @ down.mT @ up.mT if of_rows else functional.linear(functional.linear(read, down), up)
        return embeddings + added.to(embeddings.dtype), mask


class AdaLinkDecoderLayer(AdaLinkLayer):
    """A decoder that reads its embeddings through the link of the active adapter."""

    def looked_up(self, tokens: torch.Tensor) -> torch.Tensor:
        """Look up tokens; a decoder that scales what it reads scales what it is given, too, and a link is linear."""
        return self.base_layer.embed_tokens(tokens)


class AdaLinkModel(WrappingAdapter):
    """Puts links into a model."""

    prefix = "adalink_"
    tuner_layer_cls = wrapper = (AdaLinkLayer, AdaLinkDecoderLayer)

    def wrap(
        self, target: nn.Module, adapter_name: str, *, parent: nn.Module, config: AdaLinkConfig, module: str
    ) -> WrapperLayer:
        """Wrap the encoder or the decoder in the wrapper of its side."""
        side = AdaLinkDecoderLayer if module.endswith("decoder") else AdaLinkLayer
        return side(target, adapter_name)

    def add_to(self, layer: AdaLinkLayer, config: AdaLinkConfig, adapter_name: str, *, module: str) -> None:
        """Add a link to the wrapper of a stack."""
        layer.add_adapter(adapter_name, config, module=module)

    def check_targets(self, modules: Sequence[str]) -> None:
        """Check that the target modules are the encoder, the decoder, or both.

        Raises:
            ValueError: they are others.
        """
        if not any(ends_with(modules, sides) for sides in (*((own,) for own in SIDES), SIDES)):
            raise ValueError("target_modules must name the encoder, the decoder, or both.")


register(AdaLinkConfig, AdaLinkModel)

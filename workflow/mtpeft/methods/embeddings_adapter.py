"""The adapter of trained embeddings: one matrix in the place of the tied one, wherever the model uses it.

A model of the mBART family has one matrix under four names. Peft's `modules_to_save` copies each module that it is
given: the copies of tied modules are trained apart, and its `ensure_weight_tying` makes the copy of a tied embedding
a linear layer, which can't look tokens up. Here the trained matrix belongs to one of the modules and the others
read it there, so that it is stored, counted and loaded once and the tie can't break.
"""

from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftConfig
from peft.tuners.tuners_utils import check_adapters_to_merge
from torch import nn
from torch.func import functional_call

from mtpeft.methods.base_adapter import AdapterConfig, AdapterModel, WrapperLayer, register


@dataclass
class EmbeddingsConfig(AdapterConfig):
    """Configuration of trained embeddings: which module owns the matrix; all that are tied with it follow."""

    adapter_type = "EMBEDDINGS"


class EmbeddingLayer(WrapperLayer):
    """An embedding or output projection with the matrix of the active adapter, which the layer `owner` holds."""

    adapter_layer_names = ("embeddings_weight",)

    def __init__(self, base_layer: nn.Module, adapter_name: str, *, owner: "EmbeddingLayer | None" = None) -> None:
        super().__init__(base_layer, adapter_name)
        self.embeddings_weight = nn.ParameterDict()
        # In a tuple, for torch would list a module that is an attribute as one of this module's own parts.
        self._owner = (owner or self,)

    def add_adapter(self, adapter_name: str) -> None:
        """Add a matrix that is the base's own until it is trained."""
        own = self.base_layer.weight.detach()
        self.embeddings_weight[adapter_name] = nn.Parameter(own.to(torch.float32, copy=True))

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Compute the module with the trained matrix, if one is active."""
        trained = self._owner[0].embeddings_weight
        active = self.active_in(trained)
        if self.disable_adapters or self._owner[0].merged or not active:
            return self.base_layer(*args, **kwargs)
        weight = trained[active[-1]].to(self.base_layer.weight.dtype)
        return functional_call(self.base_layer, {"weight": weight}, args, kwargs)

    @torch.no_grad()
    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Write the trained matrix into the base model, where it is tied."""
        for name in filter(self.embeddings_weight.__contains__, check_adapters_to_merge(self, adapter_names)):
            self.base_layer.weight.copy_(self.embeddings_weight[name])
            self.merged_adapters.append(name)


def is_embedding(module: nn.Module) -> bool:
    """Return whether a module is an embedding, wrapped already or not."""
    return isinstance(module, nn.Embedding | EmbeddingLayer)


def train_embeddings(model: nn.Module, adapter_name: str, *, inference_mode: bool) -> None:
    """Put a trained matrix in the place of the model's input embeddings and of all that is tied with them."""
    embeddings = model.get_input_embeddings()
    owner = embeddings if isinstance(embeddings, EmbeddingLayer) else _wrap_tied(model, embeddings, adapter_name)
    owner.add_adapter(adapter_name)
    owner.set_adapter(owner.active_adapters, inference_mode=inference_mode)


def _wrap_tied(model: nn.Module, embeddings: nn.Module, adapter_name: str) -> EmbeddingLayer:
    owner = EmbeddingLayer(embeddings, adapter_name)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if child is embeddings:
                setattr(parent, name, owner)
            elif getattr(child, "weight", None) is embeddings.weight and not isinstance(parent, EmbeddingLayer):
                setattr(parent, name, EmbeddingLayer(child, adapter_name, owner=owner))
    return owner


class WithEmbeddings(AdapterModel):
    """Trains embeddings among the target modules whole, beside what another adapter does with the other ones."""

    def insert(self, target: nn.Module, config: PeftConfig, adapter_name: str, **place: Any) -> bool:
        """Put a trained matrix in the place of embeddings."""
        if not is_embedding(target):
            return super().insert(target, config, adapter_name, **place)
        train_embeddings(self.model, adapter_name, inference_mode=config.inference_mode)
        return True


class EmbeddingsModel(WithEmbeddings):
    """Puts a trained matrix into a model."""

    prefix = "embeddings_"
    tuner_layer_cls = EmbeddingLayer
    target_module_mapping: dict[str, list[str]] = {}  # noqa: RUF012 - the name and type that peft reads

    def insert(self, target: nn.Module, config: PeftConfig, adapter_name: str, *, module: str, **place: Any) -> bool:
        """Put a trained matrix in the place of embeddings.

        Raises:
            ValueError: the module is no embedding.
        """
        if not is_embedding(target):
            raise ValueError(f"target_modules names '{module}', which is no embedding.")
        return super().insert(target, config, adapter_name, module=module, **place)


register(EmbeddingsConfig, EmbeddingsModel)

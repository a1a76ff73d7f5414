"""LoRA beside trained embeddings, as one peft tuner: those are trained whole, the other targets get updates."""

from dataclasses import dataclass
from typing import Any

from peft import LoraConfig
from peft.tuners.lora import LoraLayer, LoraModel
from torch import nn

from mtpeft.methods.base_adapter import TunerType, register
from mtpeft.methods.embeddings_adapter import EmbeddingLayer, is_embedding, train_embeddings


@dataclass
class LoraEmbeddingsConfig(LoraConfig):
    """Peft's configuration of LoRA; an embedding among `target_modules` is trained whole."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = TunerType.LORA_EMBEDDINGS


class LoraEmbeddingsModel(LoraModel):
    """Peft's LoRA, but for embeddings."""

    tuner_layer_cls = (LoraLayer, EmbeddingLayer)

    def _create_and_replace(
        self, lora_config: LoraEmbeddingsConfig, adapter_name: str, target: nn.Module, *place: Any, **options: Any
    ) -> None:
        if is_embedding(target):
            train_embeddings(self.model, adapter_name, inference_mode=lora_config.inference_mode)
        else:
            super()._create_and_replace(lora_config, adapter_name, target, *place, **options)


register(LoraEmbeddingsConfig, LoraEmbeddingsModel)

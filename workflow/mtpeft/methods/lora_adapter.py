"""The adapter of LoRA beside trained embeddings: embeddings are trained whole, other target modules get updates."""

from dataclasses import dataclass

from peft import LoraConfig
from peft.tuners.lora import LoraLayer, LoraModel

from mtpeft.methods.base_adapter import register
from mtpeft.methods.embeddings_adapter import EmbeddingLayer, WithEmbeddings


@dataclass
class LoraEmbeddingsConfig(LoraConfig):
    """Peft's configuration of LoRA; an embedding among `target_modules` is trained whole."""

    adapter_type = "LORA_EMBEDDINGS"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = self.adapter_type


class LoraEmbeddingsModel(WithEmbeddings, LoraModel):
    """Peft's LoRA, but for embeddings."""

    tuner_layer_cls = (LoraLayer, EmbeddingLayer)


register(LoraEmbeddingsConfig, LoraEmbeddingsModel)

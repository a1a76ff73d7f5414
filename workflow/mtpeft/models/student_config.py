"""The configuration of students of Marian, which is registered with transformers; see `mtpeft.models.student`."""

from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers.configuration_utils import PreTrainedConfig


@strict
class StudentConfig(PreTrainedConfig):
    """The configuration of a student, with the keys of Marian's.

    Of each attention module `kept_heads` are left, of the width that all of them have; None means all.

    It does not derive from transformers' `MarianConfig`, which can't be imported while the Auto classes are.
    """

    model_type = "student"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values"]
    attribute_map: ClassVar[dict[str, str]] = {
        "num_attention_heads": "encoder_attention_heads",
        "hidden_size": "d_model",
        "num_hidden_layers": "encoder_layers",
    }

    vocab_size: int = 32001
    decoder_vocab_size: int | None = None
    max_position_embeddings: int = 512
    encoder_layers: int = 6
    encoder_ffn_dim: int = 1536
    encoder_attention_heads: int = 8
    decoder_layers: int = 2
    decoder_ffn_dim: int = 1536
    decoder_attention_heads: int = 8
    encoder_layerdrop: float | int = 0.0
    decoder_layerdrop: float | int = 0.0
    use_cache: bool = True
    is_encoder_decoder: bool = True
    activation_function: str = "relu"
    d_model: int = 256
    dropout: float | int = 0.1
    attention_dropout: float | int = 0.0
    activation_dropout: float | int = 0.0
    init_std: float = 0.02
    decoder_start_token_id: int = 32000
    scale_embedding: bool = True
    pad_token_id: int | None = 32000
    eos_token_id: int | list[int] | None = 0
    bos_token_id: int | None = None
    forced_eos_token_id: int | list[int] | None = None
    share_encoder_decoder_embeddings: bool = True
    is_decoder: bool = False
    tie_word_embeddings: bool = True
    kept_heads: int | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        # The first one that is made registers the model: transformers is imported to its end by then.
        from mtpeft.models.student import register

        register()
        self.decoder_vocab_size = self.decoder_vocab_size or self.vocab_size
        super().__post_init__(**kwargs)


def register_config() -> None:
    """Let `AutoConfig` read the config.json of a student."""
    from transformers.models.auto.configuration_auto import AutoConfig

    AutoConfig.register(StudentConfig.model_type, StudentConfig, exist_ok=True)

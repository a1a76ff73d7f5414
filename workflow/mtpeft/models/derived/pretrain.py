"""Base models that the workflow pre-trains itself: mBART models of any size, with a vocabulary of their own."""

from collections.abc import Iterable, Mapping
from typing import Any

from mtpeft.models.derived import ModelSource
from mtpeft.models.families.mbart import HUGGINGFACE_SPECIALS, MBART50_CODES, extra_codes
from mtpeft.models.families.vocabulary import SENTENCEPIECE_SPECIALS

PRETRAIN = ModelSource(name="pretrain", folder="checkpoint", learns_vocabulary=True)


def mbart_config(pretrain: Mapping[str, Any], languages: Iterable[str]) -> dict[str, Any]:
    """Return the keys of the `MBartConfig` of a model that the workflow pre-trains.

    The standard deviation of the initial weights is 1/sqrt(width): the library's 0.02 suits large models, and small
    ones learn slowly with it.

    Args:
        pretrain: keys of `models.<label>.pretrain`.
        languages: BCP 47 tags of the languages in its vocabulary.
    """
    depth, inner, heads = pretrain["layers"], pretrain["feed_forward"], pretrain["heads"]
    return {
        "model_type": "mbart",
        "vocab_size": vocabulary_size(pretrain["vocabulary"], languages),
        "d_model": pretrain["d_model"],
        "encoder_layers": depth,
        "decoder_layers": depth,
        "encoder_attention_heads": heads,
        "decoder_attention_heads": heads,
        "encoder_ffn_dim": inner,
        "decoder_ffn_dim": inner,
        "max_position_embeddings": pretrain["max_positions"],
        "dropout": pretrain["dropout"],
        "scale_embedding": True,
        "init_std": round(pretrain["d_model"] ** -0.5, 6),
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "decoder_start_token_id": 2,
        "forced_eos_token_id": None,
    }


def vocabulary_size(pieces: int, languages: Iterable[str]) -> int:
    """Return the number of entries of the tokenizer that is made from so many sentencepiece pieces."""
    codes = len(MBART50_CODES) + len(extra_codes(languages))
    return pieces - SENTENCEPIECE_SPECIALS + HUGGINGFACE_SPECIALS + codes + 1

"""Configurations of models whose parameters are counted without any weight."""

from pathlib import Path
from typing import Any

from mtpeft.models.config_json import read_config
from mtpeft.models.derived.pretrain import mbart_config
from support.default import tiny_study

ROOT = Path(__file__).parents[2]
CATALOGUE = tiny_study()


def described(*, layers: int, d_model: int, feed_forward: int, heads: int, vocabulary: int) -> dict[str, Any]:
    sizes = {"layers": layers, "d_model": d_model, "feed_forward": feed_forward, "heads": heads}
    return mbart_config({**sizes, "vocabulary": vocabulary, "max_positions": 64, "dropout": 0.1}, ["en", "es"])


def from_catalogue(label: str) -> dict[str, Any]:
    return read_config(ROOT / str(CATALOGUE.models[label].path), key=label)


MBART_50 = {
    "model_type": "mbart",
    "vocab_size": 250_054,
    "d_model": 1024,
    "encoder_layers": 12,
    "decoder_layers": 12,
    "encoder_ffn_dim": 4096,
    "decoder_ffn_dim": 4096,
    "max_position_embeddings": 1024,
}
SIDES = {"encoder_layers": 2, "decoder_layers": 1, "encoder_ffn_dim": 32, "decoder_ffn_dim": 24}
HEADS = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
BART = {"vocab_size": 60, "d_model": 16, "max_position_embeddings": 20, **SIDES, **HEADS}
T5 = {"vocab_size": 60, "d_model": 16, "d_kv": 6, "num_heads": 3, "d_ff": 20, "num_layers": 2}
FAMILIES = {
    "m2m-100": {"model_type": "m2m_100", **BART},
    "marian": {"model_type": "marian", **BART, "pad_token_id": 59, "decoder_start_token_id": 59},
    "student": {"model_type": "student", **BART, "pad_token_id": 59, "decoder_start_token_id": 59},
    "t5": {"model_type": "t5", **T5},
    "t5 of another depth": {"model_type": "t5", **T5, "num_decoder_layers": 1},
    "t5 1.1": {"model_type": "t5", **T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    "mt5": {"model_type": "mt5", **T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
}
CONFIGS = {
    **FAMILIES,
    "tiny": described(layers=1, d_model=16, feed_forward=32, heads=2, vocabulary=200),
    "narrow": described(layers=2, d_model=48, feed_forward=24, heads=4, vocabulary=300),
    "uneven": described(layers=1, d_model=32, feed_forward=64, heads=2, vocabulary=200)
    | {"encoder_layers": 3, "decoder_ffn_dim": 40},
    **{label: from_catalogue(label) for label in CATALOGUE.models},
    "mbart-50": MBART_50,
}

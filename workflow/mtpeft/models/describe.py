"""The config.json of a model entry: read from its folder, or derived from its `pretrain` keys before it exists."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mtpeft.errors import UserError
from mtpeft.models.config_check import check_config
from mtpeft.models.families import read_shape
from mtpeft.models.families.mbart import MBART50_CODES, extra_codes
from mtpeft.models.json_files import read_json_object
from mtpeft.models.shapes import ModelShape

DATA_RECORD = "data.json"
"""File in a model's folder that says which text it was pre-trained on and what was kept out of it."""
TRAINING_RECORD = "training.json"
"""File beside it that holds the record of the training."""
EXTENDED = "extended"
"""Folder beside a model's record that holds it, where entries were added to the vocabulary of another."""
SENTENCEPIECE_SPECIALS = 3
"""<unk>, <s> and </s>, which sentencepiece counts among its pieces."""
HUGGINGFACE_SPECIALS = 4
"""<s>, <pad>, </s> and <unk>, with which an mBART vocabulary begins; <mask> ends it."""


def mbart_config(pretrain: Mapping[str, Any], languages: Iterable[str]) -> dict[str, Any]:
    """Keys of the `MBartConfig` of a model that the workflow pre-trains.

    The initial deviation is 1/sqrt(width): the library's 0.02 suits large models and learns slowly in small ones.
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
    """Entries of the tokenizer that is made from so many sentencepiece pieces."""
    codes = len(MBART50_CODES) + len(extra_codes(languages))
    return pieces - SENTENCEPIECE_SPECIALS + HUGGINGFACE_SPECIALS + codes + 1


def read_config(folder: Path, *, key: str) -> dict[str, Any]:
    """The config.json of a Hugging Face folder.

    Raises:
        UserError: no folder, no config.json, one that is no JSON, or one with a value that no model has.
    """
    file = folder / "config.json"
    if folder.is_file():
        raise UserError(f"'{key}' is '{folder}', which is a file; write the folder that the model's files lie in.")
    if not folder.is_dir():
        raise UserError(f"'{key}' is '{folder}', but there is no such folder; write the folder of a model.")
    if not file.is_file():
        adapter = (folder / "adapter_config.json").exists()
        hint = "it holds an adapter; merge that with its base first." if adapter else "is it a Hugging Face model?"
        raise UserError(f"'{key}' is '{folder}', but that folder has no config.json; {hint}")
    config = read_json_object(file)
    check_config(config, file=file)
    return config


def read_folder_shape(folder: Path, *, key: str) -> ModelShape:
    """Shape of the model in a Hugging Face folder.

    Raises:
        UserError: the folder, its config.json or its architecture is not what it should be; names `key`.
    """
    return read_shape(read_config(folder, key=key), file=f"'{key}' is '{folder}', whose config.json")

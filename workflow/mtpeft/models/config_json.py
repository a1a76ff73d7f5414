"""Read the config.json of a model's folder, and check it before anything is built from it."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mtpeft.core.errors import UserError
from mtpeft.core.files import read_json_object
from mtpeft.models.architecture import ModelShape
from mtpeft.models.families import read_shape

DATA_RECORD = "data.json"
"""File in a model's folder that says which text it was pre-trained on and what was kept out of it."""
TRAINING_RECORD = "training.json"
"""File beside it that holds the record of the training."""


def read_config(folder: Path, *, key: str) -> dict[str, Any]:
    """Read the config.json of a Hugging Face folder.

    Raises:
        UserError: the folder or its config.json is not there, is no JSON, or has a value that no model has.
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
    """Return the shape of the model in a Hugging Face folder.

    Raises:
        UserError: the folder, its config.json or its architecture is wrong; the message names `key`.
    """
    return read_shape(read_config(folder, key=key), file=f"'{key}' is '{folder}', whose config.json")


COUNTS = {
    "vocab_size": 2**24,
    "decoder_vocab_size": 2**24,
    "d_model": 2**16,
    "hidden_size": 2**16,
    "d_kv": 2**16,
    "d_ff": 2**20,
    "encoder_ffn_dim": 2**20,
    "decoder_ffn_dim": 2**20,
    "encoder_layers": 1000,
    "decoder_layers": 1000,
    "num_layers": 1000,
    "num_hidden_layers": 1000,
    "num_decoder_layers": 1000,
    "encoder_attention_heads": 2**12,
    "decoder_attention_heads": 2**12,
    "num_attention_heads": 2**12,
    "num_heads": 2**12,
    "kept_heads": 2**12,
    "num_key_value_heads": 2**12,
    "head_dim": 2**12,
    "intermediate_size": 2**20,
    "max_position_embeddings": 2**21,
    "n_positions": 2**17,
    "relative_attention_num_buckets": 2**12,
    "relative_attention_max_distance": 2**17,
}
"""Keys that count something, each with the largest number that is accepted."""
EMPTY_COUNTS = (
    "decoder_vocab_size",
    "num_decoder_layers",
    "n_positions",
    "hidden_size",
    "num_hidden_layers",
    "kept_heads",
    "num_key_value_heads",
    "head_dim",
)
"""Those of them that may be null."""
PROBABILITIES = (
    "dropout",
    "dropout_rate",
    "attention_dropout",
    "activation_dropout",
    "classifier_dropout",
    "encoder_layerdrop",
    "decoder_layerdrop",
)
POSITIVE = ("init_std", "initializer_factor", "layer_norm_epsilon")
SWITCHES = (
    "scale_embedding",
    "tie_word_embeddings",
    "share_encoder_decoder_embeddings",
    "is_encoder_decoder",
    "is_gated_act",
    "attention_bias",
    "mlp_bias",
)
WORDS = ("model_type", "activation_function", "feed_forward_proj")
TOKENS = (
    "pad_token_id",
    "eos_token_id",
    "bos_token_id",
    "decoder_start_token_id",
    "forced_bos_token_id",
    "forced_eos_token_id",
)
"""Keys that hold the number of a token."""
SEVERAL = "eos_token_id"
"""The one of them that may hold several, in a list."""
HEADS = (("d_model", "encoder_attention_heads"), ("d_model", "decoder_attention_heads"))
"""Widths that the heads divide among them, where a head has no width of its own."""


def check_config(config: Mapping[str, Any], *, file: Path) -> None:
    """Refuse a config.json with a number or a word that no model has; its family looks for keys that it lacks.

    Raises:
        UserError: names the file, the key and its value.
    """
    for mistake in _mistakes(config):
        raise UserError(f"{file}: {mistake}.")


def _mistakes(config: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(COUNTS.keys() & config.keys()):
        if not (config[key] is None and key in EMPTY_COUNTS):
            yield from _wrong_count(key, config[key], COUNTS[key])
    for key in sorted({*PROBABILITIES} & config.keys()):
        if config[key] is not None and not (_is_number(config[key]) and 0 <= config[key] < 1):
            yield f"'{key}' is {_shown(config[key])}; write a probability from 0 to below 1"
    for key in sorted({*POSITIVE} & config.keys()):
        if not (_is_number(config[key]) and 0 < config[key] < math.inf):
            yield f"'{key}' is {_shown(config[key])}; write a number above 0"
    for key in sorted({*SWITCHES} & config.keys()):
        if not isinstance(config[key], bool):
            yield f"'{key}' is {_shown(config[key])}; write true or false"
    for key in sorted({*WORDS} & config.keys()):
        if not isinstance(config[key], str):
            yield f"'{key}' is {_shown(config[key])}; write a name in quotes"
    for width, heads in HEADS:
        if heads in config and width in config and config[width] % config[heads]:
            yield f"'{width}' is {config[width]}, which {config[heads]} heads ('{heads}') do not divide; one is wrong"
    if config.get("quantization_config"):
        yield "'quantization_config' says that its weights are quantised; use a checkpoint of whole weights"
    yield from wrong_tokens(config, config.get("vocab_size"))


def wrong_tokens(config: Mapping[str, Any], entries: int | None) -> Iterator[str]:
    """Yield what is wrong with the keys that must hold the number of a token."""
    for key in TOKENS:
        given = config.get(key)
        for token in given if key == SEVERAL and isinstance(given, list) else [given]:
            if token is not None:
                yield from _wrong_token(key, token, entries)


def _wrong_token(key: str, given: Any, entries: int | None) -> Iterator[str]:
    if not isinstance(given, int) or isinstance(given, bool):
        yield f"'{key}' is {_shown(given)}; write the number of one entry of the vocabulary"
    elif given < 0 or (entries is not None and given >= entries):
        yield f"'{key}' is {_shown(given)}, but the vocabulary has the entries 0 to {(entries or 1) - 1}"


def _wrong_count(key: str, given: Any, most: int) -> Iterator[str]:
    if not isinstance(given, int) or isinstance(given, bool):
        yield f"'{key}' is {_shown(given)}; write a whole number above 0"
    elif not 0 < given <= most:
        yield f"'{key}' is {_shown(given)}; write a number from 1 to {most}, more of which no model has"


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _shown(given: Any) -> str:
    """Return a value as JSON writes it, shortened."""
    words = {None: "null", True: "true", False: "false"}
    if given is None or isinstance(given, bool):
        return words[given]
    shown = f"'{given}'" if isinstance(given, str) else str(given)
    return shown if len(shown) < 40 else f"{shown[:36]}…"


UNKNOWN = "unknown: nothing says what the model was trained on"
TRAINED_HERE = "trained here, dev and test sentences of all corpora kept out"
RECORDED = f"{DATA_RECORD} says what was kept out of training"


def exposure_recorded(folder: Path) -> str:
    """Say for a model's record what is known of its exposure to test sets."""
    return RECORDED if (folder / DATA_RECORD).exists() else UNKNOWN

"""Encode the text of a pair: token arrays, exactly as the model's own tokenizer makes them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.core.files import sha256_of, write_record
from mtpeft.core.warnings import warn
from mtpeft.data.token_arrays import Encoded, write_arrays
from mtpeft.data.token_counts import Counts, loss_warnings, read_counts
from mtpeft.data.tsv import read_pairs
from mtpeft.models.families import read_json, read_shape
from mtpeft.models.tokenizer import PairTokenizer, Side, encode, losses, open_tokenizer, prompt_keys

SENTENCES_AT_ONCE = 10_000
"""Sentences of which the tokenizer's lists are held at once; they take ten times the memory of arrays."""


def encode_pair(params: Mapping[str, Any], *, tokenizer: Path, parts: Mapping[Path, Path]) -> None:
    """Write the token arrays of each part, truncated to the model's positions, and a record beside each, as `.json`.

    A warning says where much text is truncated or unknown to the vocabulary.

    Args:
        params: `source` and `target` language; `vocabulary`, its label for messages; `max_positions` where no model
            beside the tokenizer says it; and `prompt` or `chat_template` where a model has one of its own.
        tokenizer: folder of the model's tokenizer.
        parts: text of each part, with the path of its arrays.
    """
    languages = {"source": params["source"], "target": params["target"]}
    opened = open_tokenizer(tokenizer, languages, vocabulary=params["vocabulary"], **prompt_keys(params))
    max_length = params.get("max_positions") or read_shape(read_json(tokenizer / "config.json")).positions_of_side
    for text, arrays in parts.items():
        rows = read_pairs(text)
        source = _encoded(opened, [row.source for row in rows], "source", max_length=max_length)
        target = _encoded(opened, [row.target for row in rows], "target", max_length=max_length)
        write_arrays(arrays, source=source, target=target)
        counts = read_counts(arrays)
        _write_record(params, arrays, text=text, counts=counts)
        warn(loss_warnings(counts, f"{text}, as '{params['vocabulary']}' reads it"))


def _write_record(params: Mapping[str, Any], arrays: Path, *, text: Path, counts: Mapping[str, Counts]) -> None:
    content = {
        "params": dict(params),
        "inputs": {"text": sha256_of(text)},
        "counts": {side: asdict(own) for side, own in counts.items()},
        "made": {arrays.name: sha256_of(arrays)},
    }
    write_record(arrays.with_suffix(".json"), content)


def _encoded(tokenizer: PairTokenizer, sentences: Sequence[str], side: Side, *, max_length: int) -> Encoded:
    (empty,) = encode(tokenizer, [""], side, max_length=max_length)
    arrays: list[np.ndarray] = []
    lost: Counter[str] = Counter()
    for start in range(0, len(sentences), SENTENCES_AT_ONCE):
        own = sentences[start : start + SENTENCES_AT_ONCE]
        rows = encode(tokenizer, own, side, max_length=max_length)
        for loss in losses(tokenizer, own, rows, side, max_length=max_length):
            lost.update(truncated=loss.truncated, unknown=loss.unknown)
        arrays += [np.array(row, dtype=np.int32) for row in rows]
    return Encoded(arrays, special_token_count=len(empty), truncated=lost["truncated"], unknown=lost["unknown"])

"""Turn the sentence pairs of a pair into token arrays, exactly as the model's own tokenizer does."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mtpeft.core.files import sha256_of, write_record
from mtpeft.core.warnings import warn
from mtpeft.data.token_arrays import Encoded, write_arrays
from mtpeft.data.token_counts import Counts, loss_warnings, read_counts
from mtpeft.data.tsv import read_pairs
from mtpeft.models.families import read_json, read_shape
from mtpeft.models.tokenizer import PairTokenizer, Side, encode, losses, open_tokenizer


def encode_pair(settings: Mapping[str, Any], *, tokenizer: Path, parts: Mapping[Path, Path]) -> None:
    """Write the token arrays of each part, cut to the model's positions, each with a record beside it, as `.json`; warn
    where much is lost.

    Args:
        settings: `source` and `target` language, `vocabulary` for messages, `max_positions` where no model lies beside
            the tokenizer that says it, `prompt` where a model has one of its own.
        tokenizer: folder of the model's tokenizer.
        parts: text of each part, and where its arrays go.
    """
    languages = {"source": settings["source"], "target": settings["target"]}
    tokenizer = open_tokenizer(tokenizer, languages, vocabulary=settings["vocabulary"], prompt=settings.get("prompt"))
    max_length = settings.get("max_positions") or read_shape(read_json(tokenizer / "config.json")).max_positions
    for text, arrays in parts.items():
        rows = read_pairs(text)
        source = _encoded(tokenizer, [row.source for row in rows], "source", max_length=max_length)
        target = _encoded(tokenizer, [row.target for row in rows], "target", max_length=max_length)
        write_arrays(arrays, source=source, target=target)
        counts = read_counts(arrays)
        _write_record(settings, arrays, text=text, counts=counts)
        warn(loss_warnings(counts, f"{text}, as '{settings['vocabulary']}' reads it"))


def _write_record(settings: Mapping[str, Any], arrays: Path, *, text: Path, counts: Mapping[str, Counts]) -> None:
    content = {
        "settings": dict(settings),
        "inputs": {"text": sha256_of(text)},
        "counts": {side: asdict(own) for side, own in counts.items()},
        "made": {arrays.name: sha256_of(arrays)},
    }
    write_record(arrays.with_suffix(".json"), content)


def _encoded(tokenizer: PairTokenizer, sentences: Sequence[str], side: Side, *, max_length: int) -> Encoded:
    (empty,) = encode(tokenizer, [""], side, max_length=max_length)
    rows = encode(tokenizer, sentences, side, max_length=max_length)
    lost = losses(tokenizer, sentences, rows, side, max_length=max_length)
    return Encoded(
        rows,
        around=len(empty),
        truncated=sum(loss.truncated for loss in lost),
        unknown=sum(loss.unknown for loss in lost),
    )

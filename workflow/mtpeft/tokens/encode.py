"""Turn the sentence pairs of a pair into token arrays, exactly as the model's own tokenizer does."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.corpus.tsv import read_pairs
from mtpeft.models.families import read_json, read_shape
from mtpeft.tokens.arrays import Encoded, write_arrays
from mtpeft.tokens.codec import Codec, Side, encode, open_codec


def encode_pair(settings: Mapping[str, Any], *, tokenizer: Path, parts: Mapping[Path, Path]) -> None:
    """Write the token arrays of each part, cut to the model's positions.

    Args:
        settings: `source` and `target` language, `vocabulary` for messages, `max_positions` where no model lies beside
            the tokenizer that says it, `prompt` where a model has one of its own.
        tokenizer: folder of the model's tokenizer.
        parts: text of each part, and where its arrays go.
    """
    languages = {"source": settings["source"], "target": settings["target"]}
    codec = open_codec(tokenizer, languages, vocabulary=settings["vocabulary"], prompt=settings.get("prompt"))
    longest = settings.get("max_positions") or read_shape(read_json(tokenizer / "config.json")).max_positions
    for text, arrays in parts.items():
        rows = read_pairs(text)
        source = _encoded(codec, [row.source for row in rows], "source", longest=longest)
        target = _encoded(codec, [row.target for row in rows], "target", longest=longest)
        write_arrays(arrays, source=source, target=target)


def _encoded(codec: Codec, sentences: Sequence[str], side: Side, *, longest: int) -> Encoded:
    (empty,) = encode(codec, [""], side, longest=longest)
    return Encoded(encode(codec, sentences, side, longest=longest), around=len(empty))

"""Find models of sentencepiece, and read one as a message of protobuf, so that its pieces can be changed."""

from pathlib import Path
from typing import Any

FILES = ("*.spm", "*.model")
VOCABULARY = "vocab.json"
"""File with the numbers of the pieces, which some tokenizers have beside their models."""
WORD_START = "\N{LOWER ONE EIGHTH BLOCK}"
"""Stands for the space before a word in its first piece."""


def sentencepiece_files(folder: Path) -> list[Path]:
    """Return the models of sentencepiece in a folder, sorted."""
    return sorted(file for pattern in FILES for file in folder.glob(pattern))


def read_model(file: Path) -> Any:
    """Return a `ModelProto` of sentencepiece, whose pieces have a text, a score and a type."""
    from sentencepiece.sentencepiece_model_pb2 import ModelProto

    model = ModelProto()
    model.ParseFromString(file.read_bytes())
    return model

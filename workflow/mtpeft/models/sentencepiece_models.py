"""Read a model of sentencepiece as the message of protobuf that it is, so that its pieces can be changed."""

from pathlib import Path
from typing import Any


def read_model(file: Path) -> Any:
    """Return a `ModelProto` of sentencepiece, whose pieces have a text, a score and a type."""
    from sentencepiece.sentencepiece_model_pb2 import ModelProto

    model = ModelProto()
    model.ParseFromString(file.read_bytes())
    return model

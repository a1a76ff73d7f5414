"""Read and write Marian's own files of a model: `.npz` of numpy, and `.bin`, in 32-bit floats or quantised to int8.

A `.bin` file is a version, the number of arrays, a header of four numbers for each (length of the name, type, number of
dimensions, bytes), all names, all shapes, padding, and then the arrays (marian-dev, `src/common/binary.cpp`). Matrices
of int8 are followed by one multiplier, by which they were scaled, and are stored transposed for a product from the
right, but for the embeddings. `*_QuantMultA` are the scales of activations, which only an int8 engine needs.
"""

import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mtpeft.core.errors import UserError

OPTIONS = "special:model.yml"
"""Name of the array that holds the options of the model, as YAML text."""
EMBEDDINGS = "Wemb"
ACTIVATION_SCALE, NO_NAME = "QuantMultA", "none"
VERSION = 1
FLOAT32, INT8, CHARACTERS = 0x404, 0x4101, 0x101
"""Types of arrays, as Marian numbers them: a class and the bytes of a value."""
NUMBER = struct.Struct("<Q")
HEADER = struct.Struct("<4Q")
MULTIPLIER = struct.Struct("<f")
ALIGNMENT = 256
"""Arrays begin at multiples of so many bytes."""
LARGEST_INT8, TINY = 127, 1e-30
CLIPPED_AT = tuple(np.linspace(1.0, 0.3, 29))
"""Shares of the largest absolute value at which weights are clipped, to try."""
MOST_OPTIONS = 1_000_000
"""Most bytes of the text with the options."""
MOST_ARRAYS = 100_000
"""Most arrays in a file; more mean that it is no file of Marian."""


@dataclass(frozen=True)
class MarianModel:
    """A model as Marian stores it.

    Attributes:
        options: of the architecture, by Marian's names.
        weights: arrays of 32-bit floats by Marian's names; matrices have shape (inputs, outputs), the embeddings
            (entries, width), vectors (1, width).
    """

    options: Mapping[str, Any]
    weights: Mapping[str, np.ndarray]


class _WrongFileError(Exception):
    """A file is not as Marian writes it; the message says why."""


WRONG = (
    *(_WrongFileError, struct.error, zipfile.BadZipFile, zlib.error, yaml.YAMLError),
    *(ValueError, OSError, EOFError, MemoryError, RecursionError, NotImplementedError),
)
"""Errors that a damaged or forged file leads to. A header that promises terabytes ends in a MemoryError."""


def read_marian(file: Path, *, name: str = "") -> MarianModel:
    """Read a model of Marian. Messages call it by `name`, or by its path.

    Raises:
        UserError: the file is missing, cut, of another kind, or has arrays of a type that is not read.
    """
    name = name or str(file)
    if not file.is_file():
        raise UserError(f"{name} is no file; write the path of a model of Marian, which ends with .npz or .bin.")
    try:
        arrays = _read_npz(file) if file.suffix == ".npz" else _read_bin(file.read_bytes())
        if OPTIONS not in arrays:
            raise _WrongFileError(f"it lacks '{OPTIONS}', which says what the model is")
        if arrays[OPTIONS].nbytes > MOST_OPTIONS:
            raise _WrongFileError(f"its '{OPTIONS}' has {arrays[OPTIONS].nbytes} bytes")
        options = yaml.safe_load(arrays.pop(OPTIONS).tobytes().rstrip(b"\0").decode("utf-8"))
        if not isinstance(options, dict):
            raise _WrongFileError(f"its '{OPTIONS}' holds no keys and values")
    except WRONG as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise UserError(f"{name} is not a whole model as Marian writes it ({reason}); get it anew.") from error
    wrong = [own for own, array in arrays.items() if not np.isfinite(array).all()]
    if wrong:
        raise UserError(f"{name} has values that are no finite numbers, in {wrong[0]}; use another model.")
    return MarianModel(options, arrays)


def _read_npz(file: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as members:
        sizes = {own.filename.removesuffix(".npy"): own.file_size for own in members.infolist()}
    with np.load(file, allow_pickle=False) as archive:
        return {name: _as_floats(name, archive[name], sizes[name]) for name in archive.files}


def _as_floats(name: str, array: Any, size: int) -> np.ndarray:
    if not isinstance(array, np.ndarray) or array.nbytes > size:
        raise _WrongFileError(f"'{name}' is no array of numpy")
    if name == OPTIONS:
        return array
    if array.dtype.kind != "f":
        raise _WrongFileError(f"'{name}' has values of type {array.dtype}")
    return array.astype(np.float32)


def _read_bin(content: bytes) -> dict[str, np.ndarray]:
    version, count = NUMBER.unpack_from(content)[0], NUMBER.unpack_from(content, NUMBER.size)[0]
    if version != VERSION or not 0 < count <= MOST_ARRAYS:
        raise _WrongFileError(f"it begins with version {version} and {count} arrays")
    place = 2 * NUMBER.size
    headers = [HEADER.unpack_from(content, place + number * HEADER.size) for number in range(count)]
    place += count * HEADER.size
    names = []
    for length, *_ in headers:
        names.append(_part(content, place, length).rstrip(b"\0").decode("utf-8"))
        place += length
    shapes = []
    for _, _, dimensions, _ in headers:
        shapes.append(struct.unpack(f"<{dimensions}i", _part(content, place, 4 * dimensions)))
        place += 4 * dimensions
    place += NUMBER.size + NUMBER.unpack_from(content, place)[0]
    found = {}
    for name, shape, (_, kind, _, size) in zip(names, shapes, headers, strict=True):
        raw = _part(content, place, size)
        place += size
        if name in found:
            raise _WrongFileError(f"'{name}' stands twice")
        if not name.endswith(ACTIVATION_SCALE):
            found[name] = _array(name, shape, kind=kind, raw=raw)
    return found


def _part(content: bytes, first: int, size: int) -> bytes:
    if first + size > len(content):
        raise _WrongFileError("it is cut")
    return content[first : first + size]


def _array(name: str, shape: tuple[int, ...], *, kind: int, raw: bytes) -> np.ndarray:
    count = int(np.prod(shape, dtype=np.int64)) if min(shape, default=1) >= 0 else -1
    if count < 0:
        raise _WrongFileError(f"'{name}' has the shape {shape}")
    if kind == CHARACTERS:
        return np.frombuffer(raw, np.int8, count=count)
    if kind == FLOAT32:
        return np.frombuffer(raw, "<f4", count=count).reshape(shape).astype(np.float32)
    if kind != INT8:
        raise _WrongFileError(f"'{name}' has values of the type {kind:#x}, which is neither 32-bit floats nor int8")
    (multiplier,) = MULTIPLIER.unpack_from(raw, count)
    if not 0 < multiplier < math.inf:
        raise _WrongFileError(f"'{name}' has the multiplier {multiplier}")
    values = np.frombuffer(raw, np.int8, count=count).astype(np.float32) / np.float32(multiplier)
    if name == EMBEDDINGS or len(shape) != 2:
        return values.reshape(shape)
    return np.ascontiguousarray(values.reshape(shape[::-1]).T)


def write_marian(model: MarianModel, file: Path) -> None:
    """Write a model in 32-bit floats, as `.npz` or as `.bin`.

    Raises:
        ValueError: the file ends with neither.
    """
    if file.suffix == ".npz":
        with file.open("wb") as stream:
            np.savez(stream, **{OPTIONS: _options(model)}, **model.weights)
    elif file.suffix == ".bin":
        stored = {name: _floats(array) for name, array in sorted(model.weights.items())}
        file.write_bytes(_as_bin({**stored, OPTIONS: _text(model)}))
    else:
        raise ValueError(f"{file}")


def write_int8(model: MarianModel, file: Path, activations: Mapping[str, float]) -> None:
    """Write a model as `.bin` with matrices of int8 and the scales by which an engine turns their inputs into int8.

    Args:
        model: in 32-bit floats.
        file: what is written.
        activations: for each matrix by name, the largest absolute value of its inputs; for the embeddings, of those of
            the output projection.
    """
    stored: dict[str, _Stored] = {}
    for name, array in sorted(model.weights.items()):
        if name not in activations:
            stored[name] = _floats(array)
            continue
        scale = np.array([[LARGEST_INT8 / max(activations[name], TINY)]], np.float32)
        stored[name] = _quantised(array if name == EMBEDDINGS else array.T, array.shape)
        # That of the output projection stands as int8 beside the embeddings, and once more as a float, without a name.
        as_stored = _quantised(scale, scale.shape) if name == EMBEDDINGS else _floats(scale)
        stored[f"{name}_{ACTIVATION_SCALE}"] = as_stored
        if name == EMBEDDINGS:
            stored[f"{NO_NAME}_{ACTIVATION_SCALE}"] = _floats(scale)
    file.write_bytes(_as_bin({**stored, OPTIONS: _text(model)}))


@dataclass(frozen=True)
class _Stored:
    """An array of a `.bin` file: its type, its shape, and its bytes, a multiple of `ALIGNMENT` but for text."""

    kind: int
    shape: tuple[int, ...]
    raw: bytes


def _as_bin(arrays: Mapping[str, _Stored]) -> bytes:
    names = {name: name.encode() + b"\0" for name in arrays}
    headers = b"".join(
        HEADER.pack(len(names[name]), own.kind, len(own.shape), len(own.raw)) for name, own in arrays.items()
    )
    shapes = b"".join(struct.pack(f"<{len(own.shape)}i", *own.shape) for own in arrays.values())
    head = NUMBER.pack(VERSION) + NUMBER.pack(len(arrays)) + headers + b"".join(names.values()) + shapes
    padding = -(len(head) + NUMBER.size) % ALIGNMENT
    return head + NUMBER.pack(padding) + bytes(padding) + b"".join(own.raw for own in arrays.values())


def _options(model: MarianModel) -> np.ndarray:
    return np.frombuffer(f"{yaml.safe_dump(dict(model.options))}\0".encode(), np.int8)


def _text(model: MarianModel) -> _Stored:
    options = _options(model)
    return _Stored(CHARACTERS, options.shape, options.tobytes())


def _floats(array: np.ndarray) -> _Stored:
    return _Stored(FLOAT32, array.shape, _aligned(array.astype("<f4").tobytes()))


def _quantised(array: np.ndarray, shape: tuple[int, ...]) -> _Stored:
    """Quantise an array, which is stored as it is, to int8; its shape in the file may be another."""
    values, multiplier = nearest_int8(array)
    return _Stored(INT8, shape, _aligned(np.ascontiguousarray(values).tobytes() + MULTIPLIER.pack(multiplier)))


def nearest_int8(array: np.ndarray) -> tuple[np.ndarray, np.float32]:
    """Return the int8 values of an array and their multiplier: the one with the smallest squared error.

    Few large weights would make the steps of all others coarse, so it may pay to clip them. An array that was int8
    before loses nothing.
    """
    largest = max(float(np.abs(array).max()), TINY)
    candidates = [np.float32(LARGEST_INT8 / (share * largest)) for share in CLIPPED_AT]
    return min(((_rounded(array, own), own) for own in candidates), key=lambda found: _squared_error(array, *found))


def _rounded(array: np.ndarray, multiplier: np.float32) -> np.ndarray:
    return np.clip(np.rint(array * multiplier), -LARGEST_INT8, LARGEST_INT8).astype(np.int8)


def _squared_error(array: np.ndarray, values: np.ndarray, multiplier: np.float32) -> float:
    return float(np.square(values / multiplier - array).sum(dtype=np.float64))


def _aligned(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % ALIGNMENT)

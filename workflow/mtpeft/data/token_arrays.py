"""Token arrays on disk: one safetensors file per part of a pair, memory-mapped, shared by all of the pair's cells."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from mtpeft.data.token_counts import COUNTED

IGNORED = -100
"""Label that the loss ignores."""


@dataclass(frozen=True)
class Ragged:
    """Sequences of different length: sequence i is `tokens[offsets[i]:offsets[i + 1]]`.

    Attributes:
        tokens: all sequences, one after another.
        offsets: where each sequence begins, and where the last ends.
        special_token_count: number of tokens of each sequence that are special tokens or tokens of a prompt.
    """

    tokens: torch.Tensor
    offsets: np.ndarray
    special_token_count: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> torch.Tensor:
        return self.tokens[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens of each sequence, with special tokens."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class TokenPairs:
    """Both sides of a part of a pair, with special tokens."""

    source: Ragged
    target: Ragged

    @property
    def longer(self) -> np.ndarray:
        """Number of tokens of the longer side of each row."""
        return np.maximum(self.source.lengths, self.target.lengths)


@dataclass(frozen=True)
class Encoded:
    """Sequences of one side with counts.

    Attributes:
        sequences: tokens of each sentence.
        special_token_count: number of tokens of each sequence that are special tokens or tokens of a prompt.
        truncated: number of sentences that were truncated.
        unknown: number of tokens that stand for text which the vocabulary can't write.
    """

    sequences: Sequence[Sequence[int]]
    special_token_count: int
    truncated: int = 0
    unknown: int = 0


def write_arrays(path: Path, *, source: Encoded, target: Encoded) -> None:
    """Write both sides as 32-bit integers with their offsets."""
    tensors = {}
    for side, encoded in (("source", source), ("target", target)):
        sequences = encoded.sequences
        counts = (encoded.special_token_count, encoded.truncated, encoded.unknown)
        tensors |= {f"{side}_{name}": np.array(count) for name, count in zip(COUNTED, counts, strict=True)}
        tensors[side] = np.concatenate([np.empty(0), *sequences], dtype=np.int32, casting="unsafe")
        tensors[f"{side}_offsets"] = np.cumsum([0, *map(len, sequences)], dtype=np.int64)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)


def read_arrays(path: Path) -> TokenPairs:
    """Map a file into memory; nothing is copied until it is used."""
    with safe_open(path, framework="pt") as archive:
        sides = {
            side: Ragged(
                archive.get_tensor(side),
                archive.get_tensor(f"{side}_offsets").numpy(),
                special_token_count=int(archive.get_tensor(f"{side}_around")),
            )
            for side in ("source", "target")
        }
    return TokenPairs(**sides)


def padded(sequences: Sequence[torch.Tensor], value: int) -> torch.Tensor:
    """Stack sequences into a (sequences, longest) tensor of 64-bit integers, padded on the right."""
    return torch.nn.utils.rnn.pad_sequence([sequence.long() for sequence in sequences], True, value)


def cut(rows: np.ndarray, lengths: np.ndarray, batch_tokens: int) -> Iterator[np.ndarray]:
    """Cut rows, sorted by length, into batches of at most `batch_tokens` padded tokens."""
    ordered = rows[np.argsort(lengths[rows], kind="stable")]
    start = 0
    for end in range(1, len(ordered) + 1):
        if end == len(ordered) or (end + 1 - start) * lengths[ordered[end]] > batch_tokens:
            yield ordered[start:end]
            start = end

"""Checkpoints of a training: one file that is there whole or not at all, written by one process at a time."""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mtpeft.core.errors import TryAgainError, UserError

CHECKPOINT_FILE = "state.safetensors"
LOCK_FILE = "lock"
PATIENCE_SECONDS = 1.0
"""Longest wait for a lock: a process that only checks whether it is taken has it for an instant."""


@dataclass(frozen=True)
class Checkpoint:
    """All that an interrupted training needs to go on as if nothing had happened.

    The order of the data and the random numbers follow from the seed and the step, so they are not stored.

    Attributes:
        identity: params and inputs of the training, as text.
        progress: how far it had come; plain values.
        tensors: weights, best weights, the optimizer's moments, and what the method's hook remembers.
    """

    identity: str
    progress: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint beside the old one and rename it: after a crash or with a full disk the old one is whole."""
    temporary = folder / f".{CHECKPOINT_FILE}.tmp"
    metadata = {"identity": checkpoint.identity, "progress": json.dumps(checkpoint.progress)}
    try:
        save_file({name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}, temporary, metadata)
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, folder / CHECKPOINT_FILE)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_checkpoint(folder: Path, identity: str) -> Checkpoint | None:
    """Read the checkpoint in a folder, if there is one.

    One that can't be read, or is of other params or inputs, is removed, and a message says so.
    """
    file = folder / CHECKPOINT_FILE
    if not file.exists():
        return None
    try:
        archive = safe_open(file, framework="pt")
    except SafetensorError as error:
        print(f"The checkpoint in {folder} can't be read ({error}); training starts anew.", flush=True)
        file.unlink()
        return None
    with archive:
        metadata = archive.metadata()
        if metadata.get("identity") != identity:
            print(f"The checkpoint in {folder} belongs to other params or inputs; training starts anew.", flush=True)
            file.unlink()
            return None
        tensors = {name: archive.get_tensor(name).clone() for name in archive.keys()}  # noqa: SIM118
    return Checkpoint(identity=identity, progress=json.loads(metadata["progress"]), tensors=tensors)


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the kernel's lock on the state folder of a training; any death of the process frees it.

    Raises:
        TryAgainError: another process holds it.
        UserError: the file system has no locks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK_FILE, "a") as lock:
        _lock(lock, folder)
        yield


def _lock(lock: IO[str], folder: Path) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > until:
                raise TryAgainError(f"{folder} is being written by another process.") from error
        except OSError as error:
            raise UserError(
                f"The file system of {folder.resolve()} has no locks ({error.strerror}), which keep two jobs from "
                "training one cell; work in a folder of another one, or have it mounted with them (`flock`)."
            ) from error
        time.sleep(PATIENCE_SECONDS / 10)

"""The training state: one file that is there whole or not at all, and one writer at a time."""

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

STATE_FILE = "state.safetensors"
LOCK_FILE = "lock"
PATIENCE_SECONDS = 1.0


@dataclass(frozen=True)
class State:
    """All that an interrupted run needs to go on as if nothing had happened.

    The order of the data and the random numbers are functions of the seed and the step, so the step stands for them.
    """

    identity: str
    progress: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the kernel's lock on a state folder; it is freed by any death of the process.

    Raises:
        TryAgainError: somebody else holds it.
        UserError: the file system has no locks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK_FILE, "a") as lock:
        _lock(lock, folder)
        yield


def _lock(lock: IO[str], folder: Path) -> None:
    """Take the lock; somebody who only asks whether it is held has it for an instant."""
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


def save_state(folder: Path, state: State) -> None:
    """Write the state beside the old one, then take its place: a crash or a full disk leaves the old one whole."""
    temporary = folder / f".{STATE_FILE}.tmp"
    metadata = {"identity": state.identity, "progress": json.dumps(state.progress)}
    try:
        save_file({name: tensor.contiguous() for name, tensor in state.tensors.items()}, temporary, metadata)
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, folder / STATE_FILE)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_state(folder: Path, identity: str) -> State | None:
    """The saved state, or None; one that is broken or of another identity is removed, with a message."""
    file = folder / STATE_FILE
    if not file.exists():
        return None
    try:
        archive = safe_open(file, framework="pt")
    except SafetensorError as error:
        print(f"The half-trained state in {folder} can't be read ({error}); starting anew.", flush=True)
        file.unlink()
        return None
    with archive:
        metadata = archive.metadata()
        if metadata.get("identity") != identity:
            print(f"The half-trained state in {folder} belongs to other settings or inputs; starting anew.", flush=True)
            file.unlink()
            return None
        tensors = {name: archive.get_tensor(name).clone() for name in archive.keys()}  # noqa: SIM118
    return State(identity=identity, progress=json.loads(metadata["progress"]), tensors=tensors)

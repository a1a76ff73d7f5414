"""Tell failures of the machine, which are worth another try, from faults of the program."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from safetensors import SafetensorError

from mtpeft.core.errors import TryAgainError
from mtpeft.core.out_of_memory import MESSAGES


@contextmanager
def resource_failures() -> Iterator[None]:
    """Turn lack of memory and of disk space into an error that keeps the state and is retried.

    Raises:
        TryAgainError: the machine had too little of something.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TryAgainError(f"Out of memory: {error}; the state is kept.", why="memory") from error
    except SafetensorError as error:
        said = f"Tensors could not be written or read: {error}; the last whole state is kept."
        raise TryAgainError(said, why="files") from error
    except OSError as error:
        said = f"{error.strerror or error}: {error.filename or 'a file being written'}."
        raise TryAgainError(said, why="files") from error


def is_out_of_memory(error: Exception) -> bool:
    """True where a device or the processor had no memory for a tensor."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return any(words in str(error) for words in MESSAGES)

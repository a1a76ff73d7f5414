"""A micro-batch that was too large for memory, remembered beside the state where the state can't be saved any more.

Processes that hold shards of a model wait for each other in the midst of a layer. One that runs out of memory there can
neither ask the others to take smaller parts nor save with them, so it notes for the next attempt what to begin with.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mtpeft.core.failures import is_out_of_memory
from mtpeft.core.files import write_text

NOTE = "micro_batch_tokens"


@contextmanager
def noting_shortage(folder: Path, smaller: Callable[[], int | None]) -> Iterator[None]:
    """Note the micro-batch that the next attempt shall take, if memory does not suffice and there is a smaller one."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error) and (tokens := smaller()):
            write_text(folder / NOTE, f"{tokens}\n")
        raise


def noted_micro_batch(folder: Path) -> int | None:
    """What was noted, if anything was."""
    note = folder / NOTE
    return int(note.read_text(encoding="utf-8")) if note.exists() else None

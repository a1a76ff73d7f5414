"""Processes that train one model together: forks of the process of the tests, which have loaded torch already."""

import os
import pickle
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from torch import distributed

from mtpeft.training.progress import ProgressBar

PATIENCE = timedelta(seconds=1200)


def in_ranks(folder: Path, do: Callable[[int], Any], count: int = 2) -> list[Any]:
    """Call a function in each of some ranks, and return its results, or the errors that it raises there."""
    folder.mkdir(parents=True, exist_ok=True)
    processes = [_fork(folder, do, rank, count) for rank in range(count)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]
    (folder / "store").unlink(missing_ok=True)
    assert codes == [0] * count, codes
    return [pickle.loads((folder / f"rank{rank}").read_bytes()) for rank in range(count)]


def _fork(folder: Path, do: Callable[[int], Any], rank: int, count: int) -> int:
    if process := os.fork():
        return process
    code = 1
    try:
        os.environ.update({"TORCHELASTIC_RUN_ID": "test", "RANK": str(rank)})
        store = distributed.FileStore(str(folder / "store"), count)
        distributed.init_process_group("gloo", store=store, rank=rank, world_size=count, timeout=PATIENCE)
        (folder / f"rank{rank}").write_bytes(pickle.dumps(_result(do, rank)))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
    raise AssertionError("a fork ends here")


def _result(do: Callable[[int], Any], rank: int) -> Any:
    try:
        return do(rank)
    except Exception as error:
        return error


def losses_of(do: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The loss of each update that something makes."""
    found: list[float] = []
    with monkeypatch.context() as patch:
        patch.setattr(ProgressBar, "update", lambda progress, loss, tokens: found.append(loss))
        do()
    return found

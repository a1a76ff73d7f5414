"""Run a step in several processes, one for each GPU, by `accelerate launch`.

The processes, called ranks, are this command once more. They die with this one, are told of its signals, and end it as
they end. Loads nothing but the standard library until a step is launched.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from mtpeft.core import compat
from mtpeft.core.process import SIGNALS
from mtpeft.forkserver.client import ADDRESS_VARIABLE

LAUNCHED_VARIABLE, RANK_VARIABLE = "TORCHELASTIC_RUN_ID", "RANK"
"""Set by the launcher for each rank."""
MISTAKE = 2
CONFIG = Path(__file__).with_suffix(".yaml")
"""What the launcher is told; without one of ours it reads the user's, which may name other GPUs than were taken."""


def is_launched() -> bool:
    """True in a rank."""
    return LAUNCHED_VARIABLE in os.environ


def speaks() -> bool:
    """False in every rank but the first: what all have to say is said once."""
    return not is_launched() or os.environ[RANK_VARIABLE] == "0"


def launch(arguments: Sequence[str], *, processes: int) -> None:
    """Run a command in several processes on this machine, and wait for them.

    Raises:
        SystemExit: a process failed; with the code of a user's mistake where it was one, of another try where a process
            asked for one or was killed.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    told = ["--config_file", str(CONFIG), "--num_processes", str(processes), "--multi_gpu", "--module", "mtpeft"]
    given = compat.launcher_arguments([*told, *arguments])
    os.environ.pop(ADDRESS_VARIABLE, None)  # else each rank would ask for a fork of the warm process
    for number in SIGNALS:
        signal.signal(number, _pass_on)
    try:
        compat.launch_ranks(given)
    except ChildFailedError as error:
        sys.exit(_code_of(failure.exitcode for failure in error.failures.values()))


def _pass_on(number: int, frame: object) -> None:
    """Send a signal to the ranks; before there are any, end."""
    import psutil

    ranks = psutil.Process().children()
    if not ranks:
        sys.exit(os.EX_TEMPFAIL)
    for rank in ranks:
        with contextlib.suppress(psutil.Error):  # one that has ended since
            rank.send_signal(number)


def _code_of(codes: Iterable[int]) -> int:
    """The exit code of a step, given those of ranks that failed, which are negative for those that were killed."""
    known = set(codes)
    if MISTAKE in known:
        return MISTAKE
    return os.EX_TEMPFAIL if os.EX_TEMPFAIL in known or min(known) < 0 else 1

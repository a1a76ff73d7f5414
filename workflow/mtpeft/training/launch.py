"""Start a training step in several processes, one for each GPU, with `accelerate launch`.

The processes, called ranks, run the same command once more. They die with this process and get its signals, and it ends
as they end. Only the standard library is loaded until a step is launched, so that every command can import this module.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from mtpeft.core import compat
from mtpeft.core.process import SIGNALS

LAUNCHED_VARIABLE, RANK_VARIABLE = "TORCHELASTIC_RUN_ID", "RANK"
"""Set by the launcher for each rank."""
USER_ERROR = 2
"""Exit code of a user's error."""
CONFIG = Path(__file__).with_suffix(".yaml")
"""Options of the launcher; without this file it reads the user's, which may name other GPUs than the step holds."""


def is_launched() -> bool:
    """Return whether this process is a rank."""
    return LAUNCHED_VARIABLE in os.environ


def prints() -> bool:
    """Return whether this process prints: of several ranks only the first does, so that nothing is printed twice."""
    return not is_launched() or os.environ[RANK_VARIABLE] == "0"


def launch(arguments: Sequence[str], *, processes: int) -> None:
    """Run a command in several processes on this machine, and wait for them.

    Raises:
        SystemExit: a rank failed; with the code of a user's error where it was one, and that of another try where a
            rank asked for one or was killed.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    from mtpeft.forkserver.client import ADDRESS_VARIABLE

    options = ["--config_file", str(CONFIG), "--num_processes", str(processes), "--multi_gpu", "--module", "mtpeft"]
    given = compat.launcher_arguments([*options, *arguments])
    os.environ.pop(ADDRESS_VARIABLE, None)  # else each rank would ask the fork server for a fork
    for number in SIGNALS:
        signal.signal(number, _pass_on)
    try:
        compat.launch_ranks(given)
    except ChildFailedError as error:
        sys.exit(_code_of(failure.exitcode for failure in error.failures.values()))


def _pass_on(number: int, frame: object) -> None:
    """Pass a signal on to the ranks; end where there are none yet."""
    import psutil

    ranks = psutil.Process().children()
    if not ranks:
        sys.exit(os.EX_TEMPFAIL)
    for rank in ranks:
        with contextlib.suppress(psutil.Error):  # a rank may have ended since
            rank.send_signal(number)


def _code_of(codes: Iterable[int]) -> int:
    """Return the exit code of a step, given those of the ranks that failed, negative for those that were killed."""
    known = set(codes)
    if USER_ERROR in known:
        return USER_ERROR
    return os.EX_TEMPFAIL if os.EX_TEMPFAIL in known or min(known) < 0 else 1

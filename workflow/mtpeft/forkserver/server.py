"""The warm process: loads the libraries once, and forks for every command that is handed over.

It must stay fit for forking: one thread, no CUDA, no random number drawn. It never runs a step itself.
"""

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from mtpeft.cluster.gpus import devices_here
from mtpeft.core import compat
from mtpeft.core.errors import UserError
from mtpeft.core.process import die_with_parent
from mtpeft.forkserver.client import (
    ADDRESS_VARIABLE,
    EXIT_CODE,
    STARTED,
    STREAMS,
    Request,
    address_of,
    close_all,
    is_ours,
    receive_request,
)

THREADS = Path("/proc/self/task")


@dataclass(frozen=True)
class Fork:
    """A running step and the connection to its command."""

    process: int
    connection: socket.socket


def wait_for_command(name: str, preload: Callable[[], None]) -> socket.socket:
    """Listen under a name, load the libraries when the first command comes, and fork for each.

    Returns in the forks alone: in each the connection to its command. The warm process itself goes on until it is
    killed, and its forks die with it.

    Raises:
        UserError: the libraries have started threads, which a fork would be without.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address_of(name))
    listener.listen()
    select.select([listener], [], [])
    preload()
    if len(list(THREADS.iterdir())) > 1:
        raise UserError("A library has started threads while it was loaded, so no step can be a fork of this process.")
    gc.collect()
    gc.freeze()  # else the first collection in a fork would copy every page
    forks: dict[int, Fork] = {}
    while True:
        ready, _, _ = select.select([listener, *forks], [], [])
        for source in ready:
            if source is not listener:
                _report(source, forks.pop(source))
            elif connection := _fork(listener, forks):
                return connection


def _fork(listener: socket.socket, forks: dict[int, Fork]) -> socket.socket | None:
    """Fork for a command that connects; returns the connection in the fork, and nothing in the warm process.

    Where there is no room for another process, the command is sent away, to run by itself.
    """
    connection, _ = listener.accept()
    warm, (ended, alive) = os.getpid(), os.pipe()
    try:
        process = os.fork()
    except OSError:
        connection.close()
        close_all([ended, alive])
        return None
    if process == 0:
        die_with_parent(warm)
        close_all([ended, *forks])
        for other in (listener, *(fork.connection for fork in forks.values())):
            other.close()
        return connection
    os.close(alive)
    forks[ended] = Fork(process, connection)
    return None


def _report(ended: int, fork: Fork) -> None:
    """Tell a command how its fork ended, which the kernel shows by closing the fork's end of a pipe."""
    os.close(ended)
    _, status = os.waitpid(fork.process, 0)
    with fork.connection, contextlib.suppress(OSError):
        fork.connection.sendall(EXIT_CODE.pack(os.waitstatus_to_exitcode(status)))


MODULES = (
    "mtpeft.decoding.decode",
    "mtpeft.decoding.retrieval",
    "mtpeft.training.pretrain",
    "mtpeft.metrics.score",
    "mtpeft.data.vocabulary",
    "mtpeft.training.finetune",
    "mtpeft.training.rate_search",
    "mtpeft.training.untrained",
    "peft",
    "transformers.models.mbart.modeling_mbart",
    "transformers.models.mbart50.tokenization_mbart50",
)


def preload() -> None:
    """Import them, and with them those that they import when they are first used.

    Transformers compiles a thousand patterns for the names of weights when it loads the first model, and the identifier
    of languages that scoring asks reads its own, which each fork would do anew.
    """
    for module in MODULES:
        importlib.import_module(module)
    compat.compile_weight_patterns()
    importlib.import_module("mtpeft.data.language_identification").labels_of("en")


REFUSED = 1


def be_command(connection: socket.socket, origin: Mapping[str, Any], main: Callable[[Sequence[str]], None]) -> NoReturn:
    """Run the command that asks for a fork, in its folder, with its environment, streams and signals, and end as it.

    Where another user asks, where the command was started otherwise than the warm process (whose `origin` is given),
    or where it would see no GPU, it is refused and runs by itself.
    """
    try:
        request, streams = _accepted(connection, origin)
    except OSError:
        os._exit(REFUSED)
    _take_over(request, streams)
    connection.sendall(STARTED)
    threading.Thread(target=_obey, args=(connection, threading.get_ident()), daemon=True).start()
    try:
        main(request.arguments)
    except SystemExit as ended:
        sys.stdout.flush()
        sys.stderr.flush()
        # To take the libraries down module by module, as a process does that has loaded them, takes a while.
        os._exit(ended.code or 0)
    raise AssertionError("a command ends by itself")


def _accepted(connection: socket.socket, origin: Mapping[str, Any]) -> tuple[Request, list[int]]:
    """The request and its streams.

    Raises:
        OSError: it is refused, or did not come whole.
    """
    if not is_ours(connection):
        raise PermissionError("another user's command")
    request, streams = receive_request(connection)
    if request.origin != origin or lost_its_devices():
        raise PermissionError("a command that was started otherwise")
    return request, streams


def lost_its_devices() -> bool:
    """True where a library has initialised CUDA before the fork: here it would seem that there is no GPU.

    torch calls a fork bad as soon as anybody has counted GPUs before it, also where there was none to find. A machine
    without a GPU has nothing to lose.
    """
    return compat.cuda_is_lost_by_fork() and bool(devices_here())


def _take_over(request: Request, streams: Sequence[int]) -> None:
    for stream, number in zip(streams, STREAMS, strict=True):
        os.dup2(stream, number)
    close_all(streams)
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    os.environ.pop(ADDRESS_VARIABLE, None)  # else it would ask for a fork again
    sys.path[:] = request.search_path
    sys.argv[1:] = request.arguments


def _obey(connection: socket.socket, main_thread: int) -> None:
    """Raise each signal that the command passes on; when the command is dead, die as a killed process does."""
    try:
        while numbers := connection.recv(64):
            for number in numbers:
                signal.pthread_kill(main_thread, number)
    except ConnectionError:
        pass
    os.kill(os.getpid(), signal.SIGKILL)

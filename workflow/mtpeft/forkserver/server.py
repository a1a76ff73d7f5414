"""The fork server: a process that loads the libraries once, and forks for every command that is handed over to it.

It must stay fit for forking: with one thread, without CUDA, and without a random number drawn. It runs no step itself.
"""

import contextlib
import gc
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
REFUSED = 1
"""Exit code of a fork that refuses its command, which then runs by itself."""


@dataclass(frozen=True)
class Fork:
    """A running fork and the connection to its command."""

    process: int
    connection: socket.socket


def serve_forks(name: str, preload: Callable[[], None]) -> socket.socket:
    """Listen under a name, load the libraries when the first command comes, and fork for each command.

    Returns in the forks alone, in each the connection to its command. The fork server itself goes on until it is
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
    """Fork for a command that connects; returns the connection in the fork, and None in the fork server.

    Where the system allows no other process, the connection is closed, and the command runs by itself.
    """
    connection, _ = listener.accept()
    server, (ended, alive) = os.getpid(), os.pipe()
    try:
        process = os.fork()
    except OSError:
        connection.close()
        close_all([ended, alive])
        return None
    if process == 0:
        die_with_parent(server)
        close_all([ended, *forks])
        for other in (listener, *(fork.connection for fork in forks.values())):
            other.close()
        return connection
    os.close(alive)
    forks[ended] = Fork(process, connection)
    return None


def _report(ended: int, fork: Fork) -> None:
    """Send a command the exit code of its fork, whose end the kernel shows by closing the fork's end of a pipe."""
    os.close(ended)
    _, status = os.waitpid(fork.process, 0)
    with fork.connection, contextlib.suppress(OSError):
        fork.connection.sendall(EXIT_CODE.pack(os.waitstatus_to_exitcode(status)))


def become_command(
    connection: socket.socket, origin: Mapping[str, Any], main: Callable[[Sequence[str]], None]
) -> NoReturn:
    """Run the command that asked for this fork, in its folder, with its environment, streams and signals, and end.

    A command of another user, one that was started otherwise than the fork server, and one that would see no GPU here
    are refused, and run by themselves.

    Args:
        connection: to the command.
        origin: how the fork server was started.
        main: runs a command with its arguments.
    """
    try:
        request, streams = _accepted(connection, origin)
    except OSError:
        os._exit(REFUSED)
    _inherit(request, streams)
    connection.sendall(STARTED)
    threading.Thread(target=_pass_signals, args=(connection, threading.get_ident()), daemon=True).start()
    try:
        main(request.arguments)
    except SystemExit as ended:
        sys.stdout.flush()
        sys.stderr.flush()
        # A regular exit would unload the libraries module by module, which takes a while.
        os._exit(ended.code or 0)
    raise AssertionError("a command ends its process")


def _accepted(connection: socket.socket, origin: Mapping[str, Any]) -> tuple[Request, list[int]]:
    """Return the request and its streams.

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
    """Return whether a library has initialised CUDA before the fork, so that the GPUs seem to be gone here.

    Torch calls a fork bad as soon as anything has counted GPUs before it, even if there was none. A machine without a
    GPU has nothing to lose.
    """
    return compat.cuda_is_lost_by_fork() and bool(devices_here())


def _inherit(request: Request, streams: Sequence[int]) -> None:
    for stream, number in zip(streams, STREAMS, strict=True):
        os.dup2(stream, number)
    close_all(streams)
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    os.environ.pop(ADDRESS_VARIABLE, None)  # else the command would ask for a fork again
    sys.path[:] = request.search_path
    sys.argv[1:] = request.arguments


def _pass_signals(connection: socket.socket, main_thread: int) -> None:
    """Raise each signal that the command passes on; when the command is dead, kill this process."""
    try:
        while numbers := connection.recv(64):
            for number in numbers:
                signal.pthread_kill(main_thread, number)
    except ConnectionError:
        pass
    os.kill(os.getpid(), signal.SIGKILL)

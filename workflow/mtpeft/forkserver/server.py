"""The warm process: loads the libraries once, and forks for every command that is handed over.

It must stay fit for forking: one thread, no CUDA, no random number drawn. It never runs a step itself.
"""

import contextlib
import gc
import os
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mtpeft.core.errors import UserError
from mtpeft.core.process import die_with_parent
from mtpeft.forkserver.client import EXIT_CODE
from mtpeft.forkserver.request import address_of, close_all

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

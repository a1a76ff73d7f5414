"""A fork of the warm process becomes the command that asked for it."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from mtpeft.cluster.gpus import devices_here
from mtpeft.core import compat
from mtpeft.forkserver.client import ADDRESS_VARIABLE, STARTED
from mtpeft.forkserver.request import STREAMS, Request, close_all, is_ours, receive_request

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

"""Run a command in a fork of the fork server, as if it ran in this process. Only the standard library is loaded."""

import contextlib
import json
import os
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtpeft.core.process import SIGNALS

ADDRESS_VARIABLE = "MTPEFT_FORK_SERVER"
"""Holds the name under which the fork server listens."""
STARTED = b"+"
EXIT_CODE = struct.Struct("!i")


def run_in_fork(arguments: Sequence[str], variable: str = ADDRESS_VARIABLE) -> int | None:
    """Run a command in a fork; returns its exit code, or None where no fork server took it and it must run here.

    Where a signal has killed the fork, the same signal kills this process.

    Args:
        arguments: of the command.
        variable: environment variable that holds the name under which the fork server listens.
    """
    name = os.environ.get(variable)
    if not name:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        if not _is_taken(connection, name, arguments):
            return None
        return _end_alike(_follow(connection))


def _is_taken(connection: socket.socket, name: str, arguments: Sequence[str]) -> bool:
    """Ask for a fork; the first command waits while the libraries are loaded, which it would otherwise load itself."""
    try:
        connection.connect(address_of(name))
        if not is_ours(connection):
            return False
        send_request(connection, request_of(arguments))
        return connection.recv(len(STARTED)) == STARTED
    except OSError:
        return False


def _follow(connection: socket.socket) -> int:
    """Pass signals on until the fork has ended; returns its exit code, negative where a signal has killed it.

    If this process is killed, the kernel closes the connection, and the fork kills itself.
    """

    def pass_on(number: int, frame: object) -> None:
        with contextlib.suppress(OSError):
            connection.send(bytes([number]))

    for number in SIGNALS:
        signal.signal(number, pass_on)
    try:
        (code,) = EXIT_CODE.unpack(receive(connection, EXIT_CODE.size))
    except OSError:
        print("mtpeft: the fork server was killed, and this step with it.", file=sys.stderr)
        return -signal.SIGKILL
    return code


def _end_alike(code: int) -> int:
    """Return the exit code, or end this process by the same signal."""
    if code < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
        return 128 - code
    return code


STREAMS = (0, 1, 2)
LENGTH = struct.Struct("!I")
PEER = struct.Struct("3i")
PACKAGE = Path(__file__).parents[1]
FIXED_AT_START = (
    *("PYTHON", "LD_", "MALLOC_", "GLIBC_", "LANG", "LC_"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GOTO_", "RAYON_"),
    *("TORCH", "PYTORCH_", "CUDA_", "NVIDIA_", "HF_", "TRANSFORMERS_", "TOKENIZERS_"),
)
"""Variables that a process or a library reads once, when it starts, so that a fork can't change them."""
NUMBER_OF_THREADS = "_NUM_THREADS"
"""Each step sets torch's number of threads itself, from its params."""
GPUS = "CUDA_VISIBLE_DEVICES"
"""Each step takes a GPU of its own, which CUDA reads when it starts, in the fork."""


@dataclass(frozen=True)
class Request:
    """A command to run, and all that its process has inherited from its parent.

    Attributes:
        arguments: name and arguments of the command.
        folder: working folder.
        environment: all environment variables.
        search_path: folders in which modules are looked for.
        origin: what is fixed when a process starts.
    """

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    search_path: list[str]
    origin: dict[str, Any]


def request_of(arguments: Sequence[str]) -> Request:
    """Return the request for a command that this process was asked to run."""
    return Request(list(arguments), os.getcwd(), dict(os.environ), list(sys.path), origin())


def origin() -> dict[str, Any]:
    """Return the Python, the package and the variables that this process was started with."""
    return {
        "python": sys.version,
        "prefix": sys.prefix,
        "package": str(PACKAGE),
        "environment": {
            name: value
            for name, value in os.environ.items()
            if name.startswith(FIXED_AT_START) and not name.endswith((NUMBER_OF_THREADS, GPUS))
        },
    }


def address_of(name: str) -> str:
    """Return the address of a fork server: a name that the kernel forgets with it, so that no file is left behind."""
    return f"\0{name}"


def is_ours(connection: socket.socket) -> bool:
    """Return whether a process of this user is at the other end; a name, unlike a file, has no owner."""
    _, user, _ = PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    return user == os.geteuid()


def send_request(connection: socket.socket, request: Request) -> None:
    """Send a request together with this process's standard streams.

    Raises:
        OSError: nobody reads it, or a stream is closed.
    """
    content = json.dumps(asdict(request)).encode()
    socket.send_fds(connection, [LENGTH.pack(len(content))], STREAMS)
    connection.sendall(content)


def receive_request(connection: socket.socket) -> tuple[Request, list[int]]:
    """Receive a request and the streams that come with it, as descriptors of this process.

    Raises:
        OSError: it did not come whole.
    """
    header, streams, _, _ = socket.recv_fds(connection, LENGTH.size, len(STREAMS))
    try:
        if len(header) != LENGTH.size or len(streams) != len(STREAMS):
            raise ConnectionError("a request without its streams")
        content = receive(connection, *LENGTH.unpack(header))
        return Request(**json.loads(content)), streams
    except BaseException:
        close_all(streams)
        raise


def receive(connection: socket.socket, size: int) -> bytes:
    """Receive so many bytes.

    Raises:
        OSError: the other end was closed before they came.
    """
    content = b""
    while len(content) < size:
        part = connection.recv(size - len(content))
        if not part:
            raise ConnectionError("the other end is closed")
        content += part
    return content


def close_all(descriptors: Sequence[int]) -> None:
    """Close file descriptors of this process."""
    for descriptor in descriptors:
        os.close(descriptor)

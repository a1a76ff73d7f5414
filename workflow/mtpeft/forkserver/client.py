"""Run a step in a fork of the warm process, as if it ran here. Loads nothing but the standard library."""

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

from mtpeft.cluster.preemption import SIGNALS

ADDRESS_VARIABLE = "MTPEFT_WARM"
"""Name under which the warm process listens."""
STARTED = b"+"
EXIT_CODE = struct.Struct("!i")


def run_warm(arguments: Sequence[str], variable: str = ADDRESS_VARIABLE) -> int | None:
    """Exit code of the step, or None where no warm process took it and it must run here.

    A step that was killed by a signal takes this process with it in the same way.

    Args:
        arguments: of the step.
        variable: where the name stands under which the process listens.
    """
    name = os.environ.get(variable)
    if not name:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        if not _is_taken(connection, name, arguments):
            return None
        return _end_alike(_follow(connection))


def _is_taken(connection: socket.socket, name: str, arguments: Sequence[str]) -> bool:
    """Ask for a fork. The first step waits while the libraries are loaded, which it would else load itself."""
    try:
        connection.connect(address_of(name))
        if not is_ours(connection):
            return False
        send_request(connection, request_of(arguments))
        return connection.recv(len(STARTED)) == STARTED
    except OSError:
        return False


def _follow(connection: socket.socket) -> int:
    """Pass signals on until the fork has ended; returns its exit code, negative where a signal killed it.

    Should this process be killed, the kernel closes the connection, and the fork kills itself.
    """

    def pass_on(number: int, frame: object) -> None:
        with contextlib.suppress(OSError):
            connection.send(bytes([number]))

    for number in SIGNALS:
        signal.signal(number, pass_on)
    try:
        (code,) = EXIT_CODE.unpack(receive(connection, EXIT_CODE.size))
    except OSError:
        print("mtpeft: the warm process was killed, and this step with it.", file=sys.stderr)
        return -signal.SIGKILL
    return code


def _end_alike(code: int) -> int:
    """The exit code, or the same signal for this process."""
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
"""Variables that a process or a library reads once, when it starts; a fork can't change its mind about them."""
NUMBER_OF_THREADS = "_NUM_THREADS"
"""Each step sets torch's number itself, from its settings."""
GPUS = "CUDA_VISIBLE_DEVICES"
"""Each step takes a GPU of its own, which CUDA learns when it starts, in the fork."""


@dataclass(frozen=True)
class Request:
    """A command to run, and all that its process inherited from its parent.

    Attributes:
        arguments: of the command, with its name.
        folder: the working folder.
        environment: all variables.
        search_path: where modules are looked for.
        origin: what is decided when a process starts.
    """

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    search_path: list[str]
    origin: dict[str, Any]


def request_of(arguments: Sequence[str]) -> Request:
    """The request for a command that this process was asked to run."""
    return Request(list(arguments), os.getcwd(), dict(os.environ), list(sys.path), origin())


def origin() -> dict[str, Any]:
    """Python, package and variables that this process was started with: equal ones make equal processes."""
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
    """The address of a warm process: a name that the kernel forgets with it, so that no file is left behind."""
    return f"\0{name}"


def is_ours(connection: socket.socket) -> bool:
    """True where this user's process is at the other end: a name, unlike a file, has no owner."""
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
    """A request and the streams that came with it, as descriptors of this process.

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
    """So many bytes.

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
    """Close descriptors."""
    for descriptor in descriptors:
        os.close(descriptor)

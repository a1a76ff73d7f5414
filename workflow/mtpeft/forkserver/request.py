"""What a command hands over to the warm process, and what must be alike in both."""

import json
import os
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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

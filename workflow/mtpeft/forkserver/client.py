"""Run a step in a fork of the warm process, as if it ran here. Loads nothing but the standard library."""

import contextlib
import os
import signal
import socket
import struct
import sys
from collections.abc import Sequence

from mtpeft.core.process import SIGNALS
from mtpeft.forkserver.request import address_of, is_ours, receive, request_of, send_request

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

"""Run a command on a terminal of its own."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
CTRL_C = b"\x03"


def run_on_terminal(
    command: Sequence[str],
    folder: Path,
    variables: Mapping[str, str],
    *,
    columns: int,
    interrupted: Callable[[str], bool] = lambda said: False,
) -> tuple[int, str]:
    """Run a command on a terminal of so many columns to its end; returns its exit code and all that it wrote.

    Args:
        command: to run.
        folder: in which it works.
        variables: its environment.
        columns: width of the terminal.
        interrupted: whether Ctrl-C is to be pressed, given what was written so far.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    given = {name: value for name, value in variables.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=given | {"TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=_own_terminal,
    )
    os.close(theirs)
    said, pressed = b"", False
    while True:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                read = os.read(ours, 65536)
            except OSError:  # the last process has closed the terminal
                break
            if not read:
                break
            said += read
        if not pressed and interrupted(said.decode("utf-8", "replace")):
            os.write(ours, CTRL_C)
            pressed = True
    os.close(ours)
    return process.wait(), said.decode("utf-8", "replace")


def _own_terminal() -> None:
    """Make standard input the terminal of this process, which hears Ctrl-C also where the tests were told not to."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def plain(said: str) -> list[str]:
    """The lines that were written, those that were overwritten among them, without what moves the cursor."""
    return [line for line in re.split(r"[\r\n]+", SEQUENCE.sub("", said)) if line]

"""Build the parser, run the command, and tell the user what went wrong."""

import argparse
import os
import sys
from collections.abc import Sequence

from mtpeft.commands import front, steps
from mtpeft.errors import UserError
from mtpeft.parent import die_with_parent

TRY_AGAIN = os.EX_TEMPFAIL
"""Exit code of a step that stopped early and can go on: a signal, a time budget, a full disk, another writer."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; a user's mistake ends with its sentence and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m mtpeft", description=__doc__)
    commands = parser.add_subparsers(title="commands", metavar="command", required=True)
    front.add_commands(commands)
    steps.add_commands(commands)
    parsed = parser.parse_args(arguments)
    if parsed.step:
        die_with_parent()
    try:
        sys.exit(parsed.run(parsed))
    except UserError as error:
        sys.exit(_told(str(error), 2))
    except OSError as error:
        if error.errno is None:
            raise
        sys.exit(_told(f"{error.strerror}: {error.filename or 'a file that was being written'}.", TRY_AGAIN))
    except BrokenPipeError:
        sys.exit(1)
    except Exception as error:
        if type(error).__name__ not in ("Interrupted", "Occupied", "OutOfMemoryError", "SafetensorError"):
            raise
        sys.exit(_told(f"{error}", TRY_AGAIN))


def _told(message: str, code: int) -> int:
    for line in message.splitlines():
        print(f"mtpeft: {line}", file=sys.stderr)
    return code

"""Build the parser, run the command, and tell the user what went wrong."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from mtpeft.core.errors import StoppedError, TryAgainError, UserError, user_error_of
from mtpeft.core.process import die_with_parent
from mtpeft.front import commands as front
from mtpeft.steps.command import add_commands
from mtpeft.steps.step import STEPS
from mtpeft.training.launch import prints

PROGRAM = "python -m mtpeft"
DESCRIPTION = (
    "Run studies of parameter-efficient fine-tuning for machine translation. `COMMAND --help` has the options."
)
STEPS_TITLE = "Steps of the workflow, which Snakemake calls"
MISTAKE = 2
TRY_AGAIN = os.EX_TEMPFAIL


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; a user's mistake ends with its sentence and exit code 2."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in arguments if not word.startswith("-")), "")
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [-h] command ...",
        description=DESCRIPTION,
        epilog="" if command else all_commands(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(
        prog=PROGRAM,
        metavar="command",
        required=True,
        help=argparse.SUPPRESS,
        parser_class=partial(_parser_of, command),
    )
    front.add_commands(commands, command)
    add_commands(commands, command)
    _add_fork_server(commands)
    given = parser.parse_args(arguments)
    given.arguments = arguments
    if given.step:
        die_with_parent()
    try:
        _refuse_unreadable(given.arguments)
        sys.exit(_run_in_fork_or_here(given))
    except (UserError, TryAgainError) as error:
        # One process reports a reason that stops all of them; each reports an error of its own.
        said_once = isinstance(error, (UserError, StoppedError))
        for line in str(error).splitlines() if prints() or not said_once else ():
            print(f"mtpeft: {line}", file=sys.stderr)
        sys.exit(MISTAKE if isinstance(error, UserError) else TRY_AGAIN)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:  # such as `… | head`
        sys.exit(1)


def all_commands() -> str:
    """Write the commands that a person calls, in groups, and then the steps of the workflow."""
    listed = {
        group: [(own.name, own.summary) for own in front.COMMANDS if own.group == group] for group in front.GROUPS
    }
    listed[STEPS_TITLE] = [(step.name, step.summary) for step in STEPS.entries.values()]
    width = max(len(name) for rows in listed.values() for name, _ in rows)
    lines = []
    for title, rows in listed.items():
        lines += [f"{title}:", *(f"  {name:{width}}  {summary}" for name, summary in rows), ""]
    return "\n".join(lines).rstrip()


class _Unused:
    """Stands for the parser of a command that is not given, of which nothing but its line in `--help` is needed."""

    def set_defaults(self, **defaults: Any) -> None:
        """Keep nothing."""

    def add_argument(self, *names: str, **options: Any) -> None:
        """Keep nothing."""


def _parser_of(given: str, *, prog: str, **more: Any) -> argparse.ArgumentParser | _Unused:
    """Return the parser of a command, given the one that is to run.

    A parser looks for translations of its headings in many places, and there are more than fifty commands.
    """
    return argparse.ArgumentParser(prog=prog, **more) if prog.split()[-1] == given else _Unused()


def _add_fork_server(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command whose process becomes, in its forks, the commands that are handed over to it."""
    parser = front.add_command(
        commands, "fork_server", _serve, "load the libraries of the steps once, and fork for each step"
    )
    parser.add_argument("--name", required=True, help="where steps ask for their fork, in MTPEFT_FORK_SERVER")


def _serve(given: argparse.Namespace) -> None:
    from mtpeft.forkserver.client import origin
    from mtpeft.forkserver.server import become_command, serve_forks
    from mtpeft.steps.preload import preload

    own = origin()
    become_command(serve_forks(given.name, preload), own, main)


def _run_in_fork_or_here(given: argparse.Namespace) -> int | None:
    """Run the command in a fork of the fork server where one listens, else in this process."""
    from mtpeft.forkserver.client import run_in_fork

    code = run_in_fork(given.arguments) if given.step and given.step.starts_slowly else None
    return _run(given) if code is None else code


def _run(given: argparse.Namespace) -> int | None:
    """Run the command, and have what it prints arrive; a failure of files is told as such."""
    from mtpeft.steps.execute import execute

    try:
        code = execute(given) if given.step else given.run(given)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        raise
    except OSError as error:
        if (told := user_error_of(error)) is error:
            raise
        raise told from error


def _refuse_unreadable(arguments: Sequence[str]) -> None:
    """Names of files that are no UTF-8 could be written into no record.

    Raises:
        UserError: an argument, or the working folder, is none, or there is no working folder any more.
    """
    try:
        folder = os.getcwd()
    except FileNotFoundError:
        raise UserError("The folder in which you are is gone; change into one that is there.") from None
    for name in (*arguments, folder):
        try:
            name.encode()
        except UnicodeEncodeError:
            shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            raise UserError(f"The name '{shown}' is not UTF-8; rename the file or the folder.") from None

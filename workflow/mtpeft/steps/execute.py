"""Execute a step: compare what it reads with its records, run it, and leave a note of why it failed."""

import argparse

from mtpeft.core.checksums import discard_damaged, require_as_made
from mtpeft.core.errors import DamagedError, StoppedError, UserError
from mtpeft.core.failure_notes import leave_note, note_of
from mtpeft.steps.command import arguments_of, files_read, target_of
from mtpeft.training.launch import prints


def execute(given: argparse.Namespace) -> None:
    """Run the step that a command line names.

    A step that fails leaves a note of why, which its next success removes. Files of our own that are damaged are
    deleted, so that the next start makes them again.

    Raises:
        UserError: a file that it reads is damaged, or what the step itself raises.
    """
    target = target_of(given) if prints() else None
    try:
        _run(given)
    except Exception as error:
        if target and not isinstance(error, StoppedError):
            leave_note(given.step.name, target, error)
        raise
    if target:
        note_of(given.step.name, target).unlink(missing_ok=True)


def _run(given: argparse.Namespace) -> None:
    try:
        require_as_made(files_read(given))
        given.step.run(given.params, **arguments_of(given, given.arguments))
    except DamagedError as error:
        if prints():
            discard_damaged(error)
        raise UserError(f"{error.found}; the next start makes it anew.") from error

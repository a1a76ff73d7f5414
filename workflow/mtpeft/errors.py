"""The exceptions that a user is meant to see."""

from pathlib import Path


class UserError(Exception):
    """A mistake that the user can mend: its text is one sentence that names the key or the file and says what to write.

    The command line prints the text alone and exits with code 2.
    """


class DamagedError(UserError):
    """A file that the workflow made is not what its record says, or the record is cut.

    Where both are gone, the next start makes them again.
    """

    def __init__(self, found: str, *, record: Path, file: Path | None = None) -> None:
        self.found, self.damaged = found, tuple(dict.fromkeys((record, file or record)))
        super().__init__(f"{found}; delete {' and '.join(map(str, self.damaged))}, and the next start makes it anew.")


class TryAgainError(Exception):
    """A step could not be finished this time: a signal, a time budget, memory, a full disk, another writer.

    Its state is kept. The command line prints the text alone and exits with code 75; the next start goes on.
    `why` is the same in a word or two, for the record of attempts.
    """

    def __init__(self, said: str, why: str = "failure") -> None:
        super().__init__(said)
        self.why = why


class StoppedError(TryAgainError):
    """A step was asked to stop, by a signal or a limit of its time: no failure, and nothing to look into."""

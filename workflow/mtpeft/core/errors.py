"""The exceptions that a user is meant to see."""

import errno
import os
from collections.abc import Iterable
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


PASSING = {
    errno.ENOSPC: "the disk is full; make room, and start again",
    errno.EDQUOT: "your share of the disk is used up; make room, and start again",
    errno.EIO: "the disk does not answer as it should; start again when it does",
    errno.ESTALE: "the file system was away; start again when it is back",
    errno.EMFILE: "too many files are open; allow more with `ulimit -n`, and start again",
    errno.ENFILE: "too many files are open on this machine; start again when there are fewer",
}
"""Failures that the same command may not have another time."""
LASTING = {
    errno.EACCES: "you are not allowed to; change its permissions, or work in a folder of your own",
    errno.EPERM: "you are not allowed to; change its permissions, or work in a folder of your own",
    errno.EROFS: "it is on a file system that can only be read; work in a folder that can be written",
    errno.ENAMETOOLONG: "its name is too long; shorten the labels in the configuration, or work in a folder further up",
    errno.ELOOP: "its links lead round in a circle; mend them",
}
"""Failures that somebody has to mend first."""
FOLDERS = ("results", "data", "logs", "benchmarks", ".snakemake")
"""Folders that a sweep writes into."""
TRIED_BYTES = 65536


def user_error_of(error: OSError) -> Exception:
    """The error in a sentence with its remedy, for those that are no fault of the program; others stay as they are."""
    file = f"{error.filename} can't be read or written" if error.filename else "Writing has failed"
    if said := PASSING.get(error.errno or 0):
        return TryAgainError(f"{file}: {said}.", why="files")
    if said := LASTING.get(error.errno or 0):
        return UserError(f"{file}: {said}.")
    return error


def require_room(folders: Iterable[str] = FOLDERS) -> None:
    """Refuse to begin where the folders of a sweep can't be made or written; leaves nothing behind.

    Raises:
        UserError: a file stands in the place of a folder, or may not be written.
        TryAgainError: the disk is full.
    """
    for name in folders:
        folder = Path.cwd() / name
        if (folder.exists() or folder.is_symlink()) and not folder.is_dir():
            raise UserError(f"{folder} is no folder, but files are written into one of that name; move it away.")
        try:
            _write_into(folder if folder.is_dir() else folder.parent)
        except OSError as error:
            told = OSError(error.errno, os.strerror(error.errno or 0), str(folder))
            raise user_error_of(told) from error


def _write_into(folder: Path) -> None:
    import tempfile

    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(TRIED_BYTES))
        file.flush()
        os.fsync(file.fileno())

"""The study file that was run last, for commands that name none. Its record is `results/<study file>/study.json`."""

from dataclasses import dataclass
from pathlib import Path

from mtpeft.core.errors import UserError
from mtpeft.core.files import read_if_whole

RECORD = "study.json"
RESULTS = Path("results")


@dataclass(frozen=True)
class StudyFolder:
    """A study file that was run.

    Attributes:
        folder: of its tables and figures.
        files: overlays over config.yaml, in their order; none for config.yaml alone.
    """

    folder: Path
    files: tuple[Path, ...]


def last_study() -> StudyFolder:
    """The study file that was run last: each start of a sweep gives its record a new time.

    Raises:
        UserError: none was run in this folder, or a file of it is gone.
    """
    records = sorted(RESULTS.glob(f"*/{RECORD}"), key=lambda record: record.stat().st_mtime)
    found = read_if_whole(records[-1]) if records else None
    if found is None:
        raise UserError("No study was run in this folder; run `make figures`, or name a study file by CONFIG.")
    files = tuple(map(Path, found[0]["files"]))
    for file in files:
        if not file.is_file():
            raise UserError(
                f"{records[-1].parent} is of the study file {file}, which is gone; name another one by CONFIG."
            )
    return StudyFolder(records[-1].parent, files)


def given_or_last(files: list[Path]) -> list[Path]:
    """The study files that a command was given or, if it was given none, those that were run last.

    Raises:
        UserError: none was given, and none was run in this folder.
    """
    return files or list(last_study().files)

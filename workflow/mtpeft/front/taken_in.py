"""Keep what jobs have finished without the Snakemake that sent them.

Such a job leaves whole files, but only the Snakemake that sent it notes with which parameters they were made. Without
that note it would not see a later change of a setting; with one of older files it would make them again. So Snakemake
itself is made to write it, by `--touch`. Where it keeps its notes is read from its files (version 9.27.1), since it
tells of none that is too old.
"""

import os
import shutil
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtpeft.cells import CELLS_FOLDER, OTHERS_FOLDER, Cell, OnPair, label_of
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.front.snakemake import snakemake_command
from mtpeft.steps.freshness import current_records, has_params_of_now
from mtpeft.steps.train import placed

NOTES, INCOMPLETE = Path(".snakemake/metadata"), Path(".snakemake/incomplete")
NAME_LENGTH = 254
TIMESTAMP = ".snakemake_timestamp"
"""The file in a folder whose time is that of the folder."""
SLACK_SECONDS = 60.0
"""How far the clocks of two machines may be apart."""
STEP_OF = {"tuned": "train", "train.json": "train", "hypotheses": "decode", "decode.json": "decode"}
STEP_OF |= {"score.json": "score"}
"""The step of a cell that makes a file or folder, for those whose record says with which settings."""
OUTDATED_NOTE = ("params changed", "set of input files changed")
"""What Snakemake says of a file when its note is one of an older file."""


@dataclass(frozen=True)
class Finished:
    """A file or folder that a job has made without Snakemake, and its rule."""

    path: Path
    rule: str


def take_in(
    configuration: Configuration, overlays: Sequence[Path], targets: Sequence[str], *, since: float, same: bool
) -> Iterator[str]:
    """Have Snakemake note what jobs have finished without it, as made with the parameters of now; yields lines.

    Args:
        configuration: of now.
        overlays: files laid over it.
        targets: what is to be made; finished files are looked for among all that they need.
        since: when the first of these jobs was submitted.
        same: whether the configuration is still the one that they were submitted with. Otherwise what is kept is what
            says by itself that it has the settings of now; the rest is removed, to be made anew.

    Raises:
        UserError: Snakemake can't tell what it knows.
    """
    kept: set[Finished] = set()
    # With the notes of some, what was made from them shows.
    while finished := set(_finished(overlays, targets, since)) - kept:
        good = [made for made in finished if same or _holds(configuration, made.path)]
        for made in finished.difference(good):
            _remove(made.path)
            yield f"{made.path} was finished by a job of an earlier run with another configuration; it is made anew."
        _note(overlays, good)
        kept.update(good)
    if kept:
        yield f"{len(kept)} files and folders were finished by jobs of an earlier run and are kept."


def _finished(overlays: Sequence[Path], targets: Sequence[str], since: float) -> Iterator[Finished]:
    """What jobs have made of late and Snakemake has not noted, and would keep but for a note of an older file."""
    for line in _snakemake(overlays, ["--summary"], targets).splitlines():
        fields = line.split("\t")
        if len(fields) != 6 or not (path := Path(fields[0])).exists():
            continue
        _, _, rule, _, status, plan = fields
        late = path.stat().st_mtime > since - SLACK_SECONDS
        if late and not _is_noted(path) and (plan == "no update" or status in OUTDATED_NOTE):
            yield Finished(path, rule)


def _is_noted(path: Path) -> bool:
    """Whether Snakemake has noted how a file was made since it was made, or that nobody has finished it."""
    name = urlsafe_b64encode(str(path).encode()).decode()
    *folders, last = [name[start : start + NAME_LENGTH] for start in range(0, len(name), NAME_LENGTH)]
    place = Path(*(f"@{folder}" for folder in folders), last)
    note = NOTES / place
    return (INCOMPLETE / place).exists() or (note.exists() and note.stat().st_mtime >= path.stat().st_mtime)


def _holds(configuration: Configuration, path: Path) -> bool:
    """Whether a file of a cell, of a base model or of a search for a rate is of now, by the records of it."""
    if not path.is_relative_to(CELLS_FOLDER):
        return has_params_of_now(configuration, path if path.suffix else path.with_name("base.json"))
    if path.name not in STEP_OF:
        return False
    cell = placed(configuration, Cell.parse(str(path)))
    pair = label_of(path.parent.name) if path.parent.parent.name == OTHERS_FOLDER else None
    is_own = path.parent == OnPair(cell, pair or cell.pair).folder
    return is_own and STEP_OF[path.name] in current_records(configuration, cell, pair)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _note(overlays: Sequence[Path], made: Iterable[Finished]) -> None:
    """Have Snakemake note these files and no others, rule by rule; they keep their times, on which others depend."""
    rules: dict[str, list[Path]] = {}
    for file in made:
        rules.setdefault(file.rule, []).append(file.path)
    for rule, paths in rules.items():
        times = {part: part.stat() for path in paths for part in (path, path / TIMESTAMP) if part.exists()}
        options = ["--touch", "--force", "--no-hooks", "--quiet", "all", "--allowed-rules", rule]
        _snakemake(overlays, options, map(str, paths))
        for part, before in times.items():
            os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))


def _snakemake(overlays: Sequence[Path], options: Sequence[str], targets: Iterable[str]) -> str:
    """What Snakemake says.

    Raises:
        UserError: it fails.
    """
    command = [*snakemake_command(overlays, options), *targets]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["nothing"]
        raise UserError(f"Snakemake can't take in what jobs of an earlier run have finished: {said[-1]}")
    return done.stdout

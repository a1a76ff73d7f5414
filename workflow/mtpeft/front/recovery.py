"""Recover what jobs of a killed run do on a cluster: wait for them or cancel them, and keep what they have finished.

Jobs on a cluster run on without the Snakemake that submitted them. Each leaves whole files, but only that Snakemake
would have recorded with which params they were made. Without such a record the next Snakemake would not notice a later
change of the params; with the record of an older file it would make them again. So Snakemake is asked by `--summary`
which files it has no record of, and made to write one by `--touch`.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtpeft.cells import CELLS_FOLDER, DIMENSIONS, OTHERS_FOLDER, Cell, OnPair, label_of
from mtpeft.cluster.folder_lock import FolderLock
from mtpeft.cluster.slurm import SlurmJob, cancel, job_targets, jobs_here
from mtpeft.config.schema import Configuration
from mtpeft.core.checksums import TIMESTAMP
from mtpeft.core.errors import UserError
from mtpeft.core.text_tables import in_columns
from mtpeft.front.snakemake import snakemake_command, unlock
from mtpeft.front.study_records import configuration_hash
from mtpeft.steps.freshness import current_records, has_params_of_now
from mtpeft.steps.train import placed

POLL_SECONDS = 10.0
MESSAGE_SECONDS = 60.0
CLOCK_SECONDS = 60.0
"""Largest difference between the clocks of two machines."""
OUTDATED = ("params changed", "set of input files changed")
"""Words of `--summary` for a file that was made anew without a record, beside the record of the older file."""
STEP_OF = {"tuned": "train", "train.json": "train", "hypotheses": "decode", "decode.json": "decode"}
STEP_OF |= {"score.json": "score"}
"""The step of a cell that makes a file or folder, for those whose record says with which params."""


def recover(
    configuration: Configuration, overlays: Sequence[Path], targets: Sequence[str], *, lock: FolderLock, cancels: bool
) -> None:
    """See to it that no job of an earlier run works in this folder, and keep what such jobs have finished.

    Jobs that run are waited for, or cancelled, after which trainers go on from their state. Jobs that wait in the queue
    are cancelled in any case, since Snakemake submits them anew.

    Raises:
        UserError: SLURM does not answer.
    """
    if jobs_here():
        lock.update(needs_recovery=True)
        _wait_for_end(cancels)
    keep_finished(configuration, overlays, targets, lock=lock)


def keep_finished(
    configuration: Configuration, overlays: Sequence[Path], targets: Sequence[str], *, lock: FolderLock
) -> None:
    """Keep what jobs of an earlier run have finished, once none of them is left.

    Raises:
        UserError: Snakemake fails.
    """
    if lock.last_was_killed:
        unlock(overlays, lock.variables)
    if lock.holder.needs_recovery:
        same = lock.holder.configuration == configuration_hash(configuration)
        since = lock.holder.submitted
        for line in record_finished(configuration, overlays, targets, since=since, same=same):
            print(f"mtpeft: {line}", flush=True)
    lock.update(needs_recovery=False, submitted=time.time())


# ---------------------------------------------------------------- jobs that run on


def queue_table(jobs: Sequence[SlurmJob]) -> str:
    """Jobs in the queue, with what each of them makes."""
    if not jobs:
        return "No job of this folder is in the queue."
    rows = [("job", "state", "time left", "rule", "makes")]
    for job in jobs:
        for rule, labels in labelled_targets(job_targets(job)) or [(job.comment, "")]:
            rows.append((job.id, job.state.lower(), job.time_left, rule, labels))
    return in_columns(rows)


def labelled_targets(targets: Iterable[tuple[str, dict[str, str]]]) -> list[tuple[str, str]]:
    """Rules with the labels of what they make, in the order of the folders; a rule without wildcards has none."""
    found = []
    for rule, wildcards in targets:
        first = [wildcards[name] for name in DIMENSIONS if name in wildcards]
        others = [value for name, value in wildcards.items() if name not in DIMENSIONS]
        found.append((rule, "/".join([*first, *others])))
    return found


def _wait_for_end(cancels: bool) -> None:
    """Wait until no job is left, with a message every minute; a job that goes back into the queue is cancelled."""
    last_message = None
    while jobs := _jobs_left():
        cancel(job for job in jobs if cancels or not job.runs)
        if last_message is None:
            doing = "are cancelled and save their state" if cancels else "run on and are waited for"
            print(f"mtpeft: jobs of an earlier run {doing}:\n{queue_table(jobs)}", flush=True)
            if not cancels:
                print("mtpeft: Ctrl-C, and `python -m mtpeft jobs --cancel` stops them instead.", flush=True)
        elif time.monotonic() - last_message > MESSAGE_SECONDS:
            print(f"mtpeft: jobs that are waited for: {len(jobs)}", flush=True)
        else:
            time.sleep(POLL_SECONDS)
            continue
        last_message = time.monotonic()


def _jobs_left() -> list[SlurmJob]:
    """The jobs that are left. While SLURM does not answer, nobody knows, so it is asked again."""
    while True:
        try:
            return jobs_here()
        except UserError as error:
            print(f"mtpeft: {error} Asking again in a minute.", flush=True)
            time.sleep(MESSAGE_SECONDS)


# ---------------------------------------------------------------- files that they have finished


@dataclass(frozen=True)
class FinishedFile:
    """A file or folder that a job has made without Snakemake.

    Attributes:
        path: of the file.
        rule: that makes it.
        outdated: whether Snakemake has a record of an older file at this path.
    """

    path: Path
    rule: str
    outdated: bool


def record_finished(
    configuration: Configuration, overlays: Sequence[Path], targets: Sequence[str], *, since: float, same: bool
) -> Iterator[str]:
    """Have Snakemake record what jobs have finished without it, as made with the params of now; yields lines.

    Args:
        configuration: of now.
        overlays: files laid over it.
        targets: what is to be made; finished files are looked for among all that they need.
        since: when the first of these jobs was submitted, in seconds since the epoch.
        same: whether the configuration is still the one that they were submitted with. Otherwise a file is kept where
            its own record has the params of now; the others are removed, to be made anew.

    Raises:
        UserError: Snakemake fails.
    """
    seen: set[FinishedFile] = set()
    kept: list[FinishedFile] = []
    # Files that were made from these are shown only when these have a record.
    while finished := set(_unrecorded(overlays, targets, since)) - seen:
        seen |= finished
        good = [made for made in finished if (same and not made.outdated) or _holds(configuration, made.path)]
        # Snakemake makes outdated files anew by itself.
        for made in (made for made in finished.difference(good) if not made.outdated):
            _remove(made.path)
            yield f"{made.path} was finished by a job of an earlier run with another configuration; it is made anew."
        _touch(overlays, good)
        kept += good
    if kept:
        yield f"{len(kept)} files and folders were finished by jobs of an earlier run and are kept."


def _unrecorded(overlays: Sequence[Path], targets: Sequence[str], since: float) -> Iterator[FinishedFile]:
    """Files that jobs have made since a time and of which Snakemake has no record, or the record of an older file.

    Every rule has a log, so a file without one in the summary has no record.
    """
    for line in _snakemake(overlays, ["--summary"], targets).splitlines():
        fields = line.split("\t")
        if len(fields) != 6 or not (path := Path(fields[0])).exists():
            continue
        _, _, rule, log, status, plan = fields
        if path.stat().st_mtime <= since - CLOCK_SECONDS:
            continue
        if status in OUTDATED:
            yield FinishedFile(path, rule, outdated=True)
        elif log == "-" and plan == "no update":
            yield FinishedFile(path, rule, outdated=False)


def _holds(configuration: Configuration, path: Path) -> bool:
    """Whether a file of a cell, of a base model or of a search for a rate is current, by its records."""
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


def _touch(overlays: Sequence[Path], made: Iterable[FinishedFile]) -> None:
    """Have Snakemake record these files and no others, rule by rule; they keep their times, on which others depend."""
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
    """Return the output of Snakemake.

    Raises:
        UserError: it fails.
    """
    command = [*snakemake_command(overlays, options), *targets]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["nothing"]
        raise UserError(f"Snakemake can't say what jobs of an earlier run have finished: {said[-1]}")
    return done.stdout

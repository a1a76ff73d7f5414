"""Jobs of a cluster that run on without the Snakemake that sent them: end them or wait, and keep what they make.

A job ends its work without Snakemake and leaves whole files, but only Snakemake notes with which parameters they were
made. Without that note it would not see a later change of a setting, so `take_in` has it written.
"""

import shutil
import subprocess
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtpeft.cells import CELLS_FOLDER, OTHERS_FOLDER, Cell
from mtpeft.config.schema import Configuration
from mtpeft.errors import UserError
from mtpeft.front.holder import Hold, hash_of
from mtpeft.front.slurm import SlurmJob, cancel, jobs_here, made_by
from mtpeft.front.snakemake import clear_lock, snakemake_command
from mtpeft.front.text import in_columns
from mtpeft.results.freshness import fresh_records

ASK_SECONDS = 10.0
TELL_SECONDS = 60.0
SLACK_SECONDS = 60.0
"""How far the clocks of two machines may be apart."""
STEP_OF = {"tuned": "train", "train.json": "train", "hypotheses": "decode", "decode.json": "decode"}
STEP_OF |= {"score.json": "score"}
"""The step of a cell that makes a file or folder, for those whose record says with which settings."""


def settle(
    configuration: Configuration, overlays: Sequence[Path], targets: Sequence[str], *, hold: Hold, cancels: bool
) -> None:
    """See to it that no job of an earlier run works in this folder, and take in what such jobs have finished.

    Those that run are waited for, or cancelled, after which trainers go on from their state; those that have not begun
    are taken back in any case, since Snakemake submits them anew.

    Raises:
        UserError: SLURM does not answer.
    """
    found = jobs_here()
    if found:
        cancel(job for job in found if cancels or not job.runs)
        _wait(cancels)
    clear_lock(overlays)
    if found or not hold.holder.settled:
        same = hold.holder.configuration == hash_of(configuration)
        for line in take_in(configuration, overlays, targets, since=hold.holder.since, same=same):
            print(f"mtpeft: {line}", flush=True)
    hold.update(settled=True, since=time.time())


def jobs_table(jobs: Sequence[SlurmJob]) -> str:
    """Jobs in the queue, with what each of them makes."""
    if not jobs:
        return "No job of this folder is in the queue."
    rows = [("job", "state", "time left", "rule", "makes")]
    for job in jobs:
        for made in made_by(job) or [job.comment]:
            rule, target = (made.rule, str(made)) if not isinstance(made, str) else (made, "")
            rows.append((job.id, job.state.lower(), job.time_left, rule, target))
    return in_columns(rows)


def _wait(cancelled: bool) -> None:
    """Wait until no job is left, and say so every minute; one that goes back into the queue meanwhile is taken out."""
    told = None
    while jobs := _left():
        cancel(job for job in jobs if not job.runs)
        if told is None:
            doing = "were cancelled and save their state" if cancelled else "run on and are waited for"
            print(f"mtpeft: jobs of an earlier run {doing}:\n{jobs_table(jobs)}", flush=True)
            if not cancelled:
                print("mtpeft: Ctrl-C, and `python -m mtpeft jobs --cancel` stops them instead.", flush=True)
        elif time.monotonic() - told > TELL_SECONDS:
            print(f"mtpeft: jobs that are waited for: {len(jobs)}", flush=True)
        else:
            time.sleep(ASK_SECONDS)
            continue
        told = time.monotonic()


def _left() -> list[SlurmJob]:
    """The jobs that are left; while SLURM does not answer, nobody knows, so it is asked again."""
    while True:
        try:
            return jobs_here()
        except UserError as error:
            print(f"mtpeft: {error} Asking again in a minute.", flush=True)
            time.sleep(TELL_SECONDS)


@dataclass(frozen=True)
class _Finished:
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
    """
    finished = list(_finished(overlays, targets, since))
    kept = [made for made in finished if same or _holds(configuration, made.path)]
    for made in set(finished) - set(kept):
        _remove(made.path)
        yield f"{made.path} was finished by a job of an earlier run, with another configuration; it is made anew."
    if kept:
        _touch(overlays, kept)
        yield f"{len(kept)} files and folders were finished by jobs of an earlier run and are kept."


def _finished(overlays: Sequence[Path], targets: Sequence[str], since: float) -> Iterator[_Finished]:
    """What is there, is up to date as far as Snakemake knows, and is noted nowhere: a rule with a log would name it."""
    for line in _snakemake(overlays, ["--summary"], targets).splitlines():
        fields = line.split("\t")
        if len(fields) != 6:
            continue
        path, date, rule, log, _, plan = fields
        if (log, plan) == ("-", "no update") and date != "-" and Path(path).stat().st_mtime > since - SLACK_SECONDS:
            yield _Finished(Path(path), rule)


def _holds(configuration: Configuration, path: Path) -> bool:
    """Whether a file of a cell has the settings and inputs of now, by the cell's records."""
    if not path.is_relative_to(CELLS_FOLDER) or path.name not in STEP_OF:
        return False
    cell = Cell.parse(str(path))
    pair = path.parent.name if path.parent.parent.name == OTHERS_FOLDER else None
    return STEP_OF[path.name] in fresh_records(configuration, cell, pair)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _touch(overlays: Sequence[Path], made: Collection[_Finished]) -> None:
    """Have Snakemake note these files and no others, in the order in which one is made from another."""
    rules = sorted({file.rule for file in made})
    _snakemake(
        overlays,
        ["--touch", "--force", "--no-hooks", "--quiet", "all", "--allowed-rules", *rules],
        [str(file.path) for file in made],
    )


def _snakemake(overlays: Sequence[Path], options: Sequence[str], targets: Sequence[str]) -> str:
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

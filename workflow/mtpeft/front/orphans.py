"""Jobs of a cluster that run on without the Snakemake that sent them: wait for them, or cancel them."""

import time
from collections.abc import Sequence
from pathlib import Path

from mtpeft.cluster.folder_lock import Hold, hash_of
from mtpeft.cluster.slurm import SlurmJob, cancel, jobs_here, made_by
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.core.text_tables import in_columns
from mtpeft.front.snakemake import clear_lock
from mtpeft.front.taken_in import take_in

ASK_SECONDS = 10.0
TELL_SECONDS = 60.0


def settle(
    configuration: Configuration, overlays: Sequence[Path], targets: Sequence[str], *, hold: Hold, cancels: bool
) -> None:
    """See to it that no job of an earlier run works in this folder, and take in what such jobs have finished.

    Those that run are waited for, or cancelled, after which trainers go on from their state; those that have not begun
    are taken back in any case, since Snakemake submits them anew.

    Raises:
        UserError: SLURM does not answer.
    """
    if jobs_here():
        hold.update(settled=False)
        _wait_for_end(cancels)
    take_over(configuration, overlays, targets, hold=hold)


def take_over(configuration: Configuration, overlays: Sequence[Path], targets: Sequence[str], *, hold: Hold) -> None:
    """Take in what jobs of an earlier run have finished, of which none is left.

    Raises:
        UserError: Snakemake can't tell what it knows.
    """
    clear_lock(overlays)
    if not hold.holder.settled:
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


def _wait_for_end(cancels: bool) -> None:
    """Wait until no job is left, and say so every minute; one that goes back into the queue meanwhile is taken out."""
    told = None
    while jobs := _left():
        cancel(job for job in jobs if cancels or not job.runs)
        if told is None:
            doing = "are cancelled and save their state" if cancels else "run on and are waited for"
            print(f"mtpeft: jobs of an earlier run {doing}:\n{jobs_table(jobs)}", flush=True)
            if not cancels:
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

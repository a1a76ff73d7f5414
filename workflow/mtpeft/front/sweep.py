"""Run Snakemake on the studies: one sweep at a time, jobs of a killed one recovered, figures in any case."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from mtpeft.cluster.folder_lock import FolderLock, lock_folder
from mtpeft.cluster.slurm import is_mistake, submission_errors
from mtpeft.config.load import load
from mtpeft.config.metrics import metrics_asked_for
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import EFFICIENCY
from mtpeft.core.errors import require_room
from mtpeft.core.failure_notes import FAILURES_FOLDER, any_mistake
from mtpeft.core.process import die_with_parent
from mtpeft.core.text_tables import tally
from mtpeft.forkserver.launcher import fork_server
from mtpeft.front.example_translations import example_translations
from mtpeft.front.page.after_sweep import PAGE, page_after_sweep
from mtpeft.front.preview import FINDINGS, make_unfinished, remove_unfinished
from mtpeft.front.progress import FirstTranslations, Progress, text_warnings
from mtpeft.front.recovery import recover
from mtpeft.front.snakemake import LOCAL, recorded_events, require_cores, snakemake_command, submits_jobs, unlock
from mtpeft.front.status import failures, finished_of
from mtpeft.front.study_records import begin_study, configuration_hash
from mtpeft.front.verify import clear_up
from mtpeft.metrics.base import METRICS
from mtpeft.metrics.environment import model_process
from mtpeft.steps.cells_of_studies import figures_folder, placed_cells, placed_others, results_folder
from mtpeft.steps.paths import with_digests

POLL_SECONDS = 0.2
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
MISTAKE = 2
WHOLE = "all"
"""The target of all figures; others make a part of what they need."""
STOPPING = (
    "mtpeft: Snakemake cancels its jobs, and ends when it would have asked for them next, in three minutes at most. "
    "The same again ends it at once; the next start looks after jobs that run on."
)


def sweep(
    targets: Sequence[str], *, overlays: Sequence[Path], options: Sequence[str] = (), profile: str = LOCAL
) -> int:
    """Make targets; returns Snakemake's exit code, or 2 where a user's mistake is behind it.

    Raises:
        UserError: configuration or profile are wrong, another sweep works in this folder, or it can't be written.
        TryAgainError: the disk is full.
    """
    configuration = load(overlays)
    targets = [with_digests(configuration, target) for target in targets]
    require_cores(options)
    cluster, whole = submits_jobs(profile), WHOLE in targets
    require_room()
    started = time.monotonic()
    with lock_folder() as lock, recorded_events() as events:
        for line in begin_study(configuration, overlays):
            print(f"mtpeft: {line}", flush=True)
        if cluster or lock.holder.needs_recovery:
            recover(configuration, overlays, targets, lock=lock, cancels=False)
        elif lock.last_was_killed:
            unlock(overlays)
        remove_unfinished(configuration)
        clear_up(configuration)
        shutil.rmtree(FAILURES_FOLDER, ignore_errors=True)
        progress, first = Progress(configuration, overlays), FirstTranslations(configuration)
        lock.begin_submissions(configuration_hash(configuration), cluster=cluster)
        command = [*snakemake_command(overlays, [*options, *events.options], profile), *targets]
        try:
            with _helpers(configuration, cluster) as variables:
                code, stopped = _run(
                    command,
                    lock,
                    _reporting(progress, first) if whole else lambda: None,
                    variables=variables | events.variables,
                    cluster=cluster,
                )
        finally:
            progress.stop()
        if whole:
            first.report_all()
        killed = code < 0
        lock.update(needs_recovery=cluster and (killed or stopped), snakemake_was_killed=killed)
        if code and not stopped and whole:
            make_unfinished(configuration)
        refused = submission_errors(events.errors()) if code and cluster else []
    if whole and not stopped:
        for line in page_after_sweep(overlays):
            print(f"mtpeft: {line}", flush=True)
    minutes = f"{(time.monotonic() - started) / 60:.1f} minutes."
    warnings = [f"mtpeft: warning: {warning}" for warning in text_warnings(configuration)]
    for line in [*warnings, *_made(configuration, targets, minutes), *(_left(configuration) if code else []), *refused]:
        print(line, flush=True)
    return MISTAKE if code and (any_mistake() or is_mistake(refused)) else code


def _reporting(progress: Progress, first: FirstTranslations) -> Callable[[], None]:
    def report() -> None:
        first.report()
        progress.report()

    return report


@contextlib.contextmanager
def _helpers(configuration: Configuration, cluster: bool) -> Iterator[dict[str, str]]:
    """Start the processes that keep libraries and models loaded for jobs of this machine.

    Yields the environment variables by which jobs find them.
    """
    if cluster:
        yield {}
        return
    with contextlib.ExitStack() as kept:
        variables = dict(kept.enter_context(fork_server()))
        for name in metrics_asked_for(configuration):
            variables |= kept.enter_context(model_process(METRICS[name], getattr(configuration, name)))
        yield variables


def _run(
    command: Sequence[str], lock: FolderLock, report: Callable[[], None], *, variables: Mapping[str, str], cluster: bool
) -> tuple[int, bool]:
    """Run Snakemake, which inherits our lock and dies with us; returns its exit code, and whether a signal came.

    It runs in a session of its own, so that Ctrl-C and SIGTERM reach us alone and mean the same: Snakemake starts no
    more jobs, trainers save their state and stop. On a cluster Snakemake itself cancels its jobs.
    """
    received: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: received.append(number)) for number in STOP_SIGNALS}
    try:
        process = subprocess.Popen(
            command,
            env={**os.environ, **variables, **lock.variables},
            pass_fds=[lock.stream.fileno()],
            preexec_fn=die_with_parent,
            start_new_session=True,
        )
        passed_on = False
        while process.poll() is None:
            if received and not passed_on:
                process.send_signal(signal.SIGINT)
                passed_on = True
                if cluster:
                    print(STOPPING, flush=True)
            elif len(received) > 1 and cluster:
                process.kill()
            elif received and not cluster:
                _stop_jobs(process.pid)
            elif not received:
                report()
            time.sleep(POLL_SECONDS)
        return process.returncode, passed_on
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop_jobs(snakemake: int) -> None:
    """Ask every job to stop; asking twice does no harm."""
    with contextlib.suppress(psutil.Error):
        for job in psutil.Process(snakemake).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                job.terminate()


def _made(configuration: Configuration, targets: Sequence[str], minutes: str) -> list[str]:
    if WHOLE not in targets:
        return [f"{' '.join(targets)}: {minutes}"]
    cells = [cell.on_own for cell in placed_cells(configuration)]
    finished = tally(finished_of(configuration, cells), finished_of(configuration, placed_others(configuration)))
    figures = [figures_folder(configuration) / f"{label}.pdf" for label in (*configuration.studies, EFFICIENCY)]
    findings = results_folder(configuration) / f"{FINDINGS}.md"
    page = results_folder(configuration) / PAGE
    made = [f"  {file}" for file in (*figures, findings, page) if file.exists()]
    return [*example_translations(configuration), f"{finished} are finished, {minutes}", *made]


def _left(configuration: Configuration) -> list[str]:
    return [
        *failures([*placed_cells(configuration), *placed_others(configuration)]),
        "Not everything could be made; the same command goes on where this one stopped.",
    ]

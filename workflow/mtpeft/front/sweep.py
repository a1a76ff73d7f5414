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
from mtpeft.core.errors import require_room
from mtpeft.core.failure_notes import FAILURES_FOLDER, any_mistake
from mtpeft.core.process import die_with_parent
from mtpeft.forkserver.launcher import fork_server
from mtpeft.front.ending import failed_lines, finished_lines, stopped_lines
from mtpeft.front.page.after_sweep import page_after_sweep
from mtpeft.front.preview import make_unfinished, remove_unfinished
from mtpeft.front.previews import FirstTranslations, Previews
from mtpeft.front.recovery import recover
from mtpeft.front.snakemake import (
    LOCAL,
    asks_for_output,
    events_in,
    jobs_at_once,
    require_cores,
    snakemake_command,
    submits_jobs,
    unlock,
)
from mtpeft.front.study_records import begin_study, configuration_hash
from mtpeft.front.terminal import Reporter, display_for
from mtpeft.front.verify import clear_up
from mtpeft.front.watch.expected import forget_expected
from mtpeft.front.watch.look import EVENTS_FILE, SNAKEMAKE_LOG, Watch, logs_of
from mtpeft.front.watch.pricing import Pricing
from mtpeft.metrics.base import METRICS
from mtpeft.metrics.environment import model_process
from mtpeft.steps.cells_of_studies import results_folder
from mtpeft.steps.paths import with_digests

Report = Callable[[], None]
POLL_SECONDS = 0.2
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
MISTAKE = 2
WHOLE = "all"
"""The target of all figures; others make a part of what they need."""
STOPPING = "mtpeft: stopping; trainings that run save their state."
STOPPING_CLUSTER = (
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
    with lock_folder() as lock:
        for line in begin_study(configuration, overlays):
            print(f"mtpeft: {line}", flush=True)
        if cluster or lock.holder.needs_recovery:
            recover(configuration, overlays, targets, lock=lock, cancels=False)
        elif lock.last_was_killed:
            unlock(overlays, lock.variables)
        remove_unfinished(configuration)
        clear_up(configuration)
        shutil.rmtree(FAILURES_FOLDER, ignore_errors=True)
        watch = Watch(results_folder(configuration))
        forget_expected(watch.results)
        logs = logs_of(watch.results)
        events = events_in(logs / EVENTS_FILE)
        output = None if asks_for_output(options) else logs / SNAKEMAKE_LOG
        first, previews = FirstTranslations(configuration), Previews(configuration, overlays)
        pricing = Pricing(configuration, watch, at_once=jobs_at_once(options, profile))
        beside = [first.report, previews.report, pricing.report] if whole else [pricing.report]
        lock.begin_submissions(configuration_hash(configuration), cluster=cluster)
        command = [*snakemake_command(overlays, [*options, *events.options], profile), *targets]
        try:
            with _helpers(configuration, cluster) as variables, _reporting(watch, whole, output) as report:
                code, stopped = _run(
                    command,
                    lock,
                    [*beside, report],
                    variables=variables | events.variables,
                    cluster=cluster,
                    output=output,
                )
        finally:
            previews.stop()
        if whole:
            first.report_all()
        killed = code < 0
        lock.update(needs_recovery=cluster and (killed or stopped), snakemake_was_killed=killed)
        if code and not stopped and whole:
            make_unfinished(configuration)
        refused = submission_errors(events.errors()) if code and cluster else []
    watch.jobs.read()
    if whole and not stopped and output is not None:
        for line in page_after_sweep(overlays):
            print(f"mtpeft: {line}", flush=True)
    minutes = f"{(time.monotonic() - started) / 60:.1f} minutes."
    if stopped:
        lines = list(stopped_lines(configuration, watch.jobs, minutes, whole=whole))
    else:
        lines = previews.last_warnings()
        lines += failed_lines(configuration, watch.jobs, output) if code else []
        lines += finished_lines(configuration, overlays, minutes) if whole else [f"{' '.join(targets)}: {minutes}"]
    for line in [*lines, *refused]:
        print(line, flush=True)
    return MISTAKE if code and (any_mistake() or is_mistake(refused)) else code


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


@contextlib.contextmanager
def _reporting(watch: Watch, whole: bool, output: Path | None) -> Iterator[Report]:
    """Show how far the sweep is, unless Snakemake's own output is shown; yields what is to be called often."""
    if output is None:
        yield lambda: None
        return
    print(f"mtpeft: what Snakemake prints goes into {output}.", flush=True)
    display = display_for(every_job=not whole)
    reporter = Reporter(watch, display, every_job=not whole)
    try:
        yield reporter.report
        reporter.report_all()
    finally:
        display.close()


def _run(
    command: Sequence[str],
    lock: FolderLock,
    reports: Sequence[Report],
    *,
    variables: Mapping[str, str],
    cluster: bool,
    output: Path | None,
) -> tuple[int, bool]:
    """Run Snakemake, which inherits our lock and dies with us; returns its exit code, and whether a signal came.

    It runs in a session of its own, so that Ctrl-C and SIGTERM reach us alone and mean the same: Snakemake starts no
    more jobs, trainers save their state and stop. On a cluster Snakemake itself cancels its jobs.
    """
    received: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: received.append(number)) for number in STOP_SIGNALS}
    with contextlib.ExitStack() as kept:
        for number, handler in before.items():
            kept.callback(signal.signal, number, handler)
        stream = kept.enter_context(output.open("wb")) if output else None
        process = subprocess.Popen(
            command,
            env={**os.environ, **variables, **lock.variables},
            pass_fds=[lock.stream.fileno()],
            preexec_fn=die_with_parent,
            start_new_session=True,
            stdout=stream,
            stderr=stream,
        )
        passed_on = False
        while process.poll() is None:
            if received and not passed_on:
                process.send_signal(signal.SIGINT)
                passed_on = True
                print(STOPPING_CLUSTER if cluster else STOPPING, flush=True)
            elif len(received) > 1 and cluster:
                process.kill()
            elif received and not cluster:
                _stop_jobs(process.pid)
            elif not received:
                for report in reports:
                    report()
            time.sleep(POLL_SECONDS)
        return process.returncode, passed_on


def _stop_jobs(snakemake: int) -> None:
    """Ask every job to stop; asking twice does no harm."""
    with contextlib.suppress(psutil.Error):
        for job in psutil.Process(snakemake).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                job.terminate()

"""Run Snakemake on the studies: one sweep at a time, what a killed one left behind taken over, figures in any case."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from mtpeft.config.load import load
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import EFFICIENCY
from mtpeft.core.errors import require_room
from mtpeft.core.failure_notes import FAILURES_FOLDER, any_mistake
from mtpeft.core.process import die_with_parent
from mtpeft.core.text_tables import tally
from mtpeft.forkserver.launcher import warm_process
from mtpeft.front.comet_server import comet_process
from mtpeft.front.first_translations import FirstTranslations
from mtpeft.front.holder import Hold, holding
from mtpeft.front.orphans import settle
from mtpeft.front.preview import FINDINGS, make_unfinished, remove_unfinished
from mtpeft.front.progress import Progress
from mtpeft.front.refusals import is_mistake, refusals
from mtpeft.front.snakemake import LOCAL, clear_lock, require_cores, runs_elsewhere, snakemake_command
from mtpeft.front.status import failures, finished_of
from mtpeft.front.study_records import begin_study
from mtpeft.front.text_warnings import text_warnings
from mtpeft.front.verify import clear_up
from mtpeft.steps.cells_of_studies import all_cells, all_others, figures_folder, results_folder
from mtpeft.steps.paths import with_digests

POLL_SECONDS = 0.2
REQUESTS = (signal.SIGINT, signal.SIGTERM)
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
    command, cluster = [*snakemake_command(overlays, options, profile), *targets], runs_elsewhere(profile)
    require_room()
    started, begun = time.monotonic(), time.time()
    with holding() as hold:
        for line in begin_study(configuration, overlays):
            print(f"mtpeft: {line}", flush=True)
        if cluster or not hold.holder.settled:
            settle(configuration, overlays, targets, hold=hold, cancels=False)
        clear_lock(overlays)
        remove_unfinished(configuration)
        clear_up(configuration)
        shutil.rmtree(FAILURES_FOLDER, ignore_errors=True)
        progress, first = Progress(configuration, overlays), FirstTranslations(configuration)
        hold.submit(configuration, cluster=cluster)
        try:
            tell = _telling(progress, first) if WHOLE in targets else lambda: None
            with _helpers(configuration, cluster) as found:
                code, stopped = _run(command, hold, tell, variables=found, cluster=cluster)
        finally:
            progress.stop()
        if WHOLE in targets:
            first.tell_all()
        hold.update(settled=not cluster or (code >= 0 and not stopped))
        if code and not stopped and WHOLE in targets:
            make_unfinished(configuration)
    minutes = f"{(time.monotonic() - started) / 60:.1f} minutes."
    refused = refusals(since=begun) if code and cluster else []
    told = [f"mtpeft: warning: {warning}" for warning in text_warnings(configuration)]
    for line in [*told, *_made(configuration, targets, minutes), *(_left(configuration) if code else []), *refused]:
        print(line, flush=True)
    return MISTAKE if code and (any_mistake() or is_mistake(refused)) else code


def _telling(progress: Progress, first: FirstTranslations) -> Callable[[], None]:
    def tell() -> None:
        first.tell()
        progress.tell()

    return tell


@contextlib.contextmanager
def _helpers(configuration: Configuration, cluster: bool) -> Iterator[dict[str, str]]:
    """Processes that keep libraries and models loaded for jobs of this machine, by the variables that name them."""
    if cluster:
        yield {}
        return
    with warm_process() as found, comet_process(configuration) as comet:
        yield found | comet


def _run(
    command: Sequence[str], hold: Hold, tell: Callable[[], None], *, variables: Mapping[str, str], cluster: bool
) -> tuple[int, bool]:
    """Run Snakemake, which inherits our lock and dies with us; returns its exit code, and whether we were told to stop.

    It runs in a session of its own, so that Ctrl-C and a request to end reach us alone and mean the same: it starts no
    more jobs, trainers save their state and stop. On a cluster Snakemake itself cancels its jobs.
    """
    requests: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: requests.append(number)) for number in REQUESTS}
    try:
        process = subprocess.Popen(
            command,
            env={**os.environ, **variables, **hold.variables},
            pass_fds=[hold.stream.fileno()],
            preexec_fn=die_with_parent,
            start_new_session=True,
        )
        told = False
        while process.poll() is None:
            if requests and not told:
                process.send_signal(signal.SIGINT)
                told = True
                if cluster:
                    print(STOPPING, flush=True)
            elif len(requests) > 1 and cluster:
                process.kill()
            elif requests and not cluster:
                _stop_jobs(process.pid)
            elif not requests:
                tell()
            time.sleep(POLL_SECONDS)
        return process.returncode, told
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
    cells = [cell.on_own for cell in all_cells(configuration)]
    finished = tally(finished_of(configuration, cells), finished_of(configuration, all_others(configuration)))
    figures = [figures_folder(configuration) / f"{label}.pdf" for label in (*configuration.studies, EFFICIENCY)]
    findings = results_folder(configuration) / f"{FINDINGS}.md"
    made = [f"  {file}" for file in (*figures, findings) if file.exists()]
    return [f"{finished} are finished, {minutes}", *made]


def _left(configuration: Configuration) -> list[str]:
    return [
        *failures([*all_cells(configuration), *all_others(configuration)]),
        "Not everything could be made; the same command goes on where this one stopped.",
    ]

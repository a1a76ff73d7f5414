"""Run Snakemake on the studies: one sweep at a time, stale locks cleared, figures whatever happens.

A sweep holds a kernel lock for as long as it or its Snakemake lives, so a second start knows for certain whether the
first one is dead. Only then is a lock that Snakemake left behind removed.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil

from mtpeft.config.load import load
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import EFFICIENCY, all_cells, all_others
from mtpeft.errors import UserError
from mtpeft.front.preview import FIGURES, FINDINGS, make_unfinished, remove_unfinished
from mtpeft.front.progress import Progress
from mtpeft.front.snakemake import snakemake_command
from mtpeft.front.status import failures, finished_of
from mtpeft.front.text import tally
from mtpeft.parent import die_with_parent
from mtpeft.results.notes import FAILURES_FOLDER, any_mistake
from mtpeft.scoring.comet.kept import comet_process
from mtpeft.warm.beside import warm_process

HOLDER = Path("results/.sweep")
SNAKEMAKE_LOCKS = Path(".snakemake/locks")
POLL_SECONDS = 0.2
REQUESTS = (signal.SIGINT, signal.SIGTERM)
MISTAKE = 2
WHOLE = "all"
"""The target of all figures; others make a part of what they need."""


def sweep(targets: Sequence[str], *, overlays: Sequence[Path], options: Sequence[str]) -> int:
    """Make targets; returns Snakemake's exit code, or 2 where a user's mistake is behind it.

    Raises:
        UserError: the configuration is wrong, or another sweep works in this folder.
    """
    configuration = load(overlays)
    started = time.monotonic()
    with _only_sweep() as holder:
        command = snakemake_command(overlays, options)
        if _is_locked():
            _clear_lock(command)
        remove_unfinished()
        shutil.rmtree(FAILURES_FOLDER, ignore_errors=True)
        progress = Progress(configuration, overlays)
        try:
            tell = progress.tell if WHOLE in targets else lambda: None
            with warm_process() as found, comet_process(configuration) as comet:
                code, stopped = _run([*command, *targets], holder, tell, variables=found | comet)
        finally:
            progress.stop()
        if code and not stopped and WHOLE in targets:
            make_unfinished(configuration)
    minutes = f"{(time.monotonic() - started) / 60:.1f} minutes."
    for line in [*_made(configuration, targets, minutes), *(_left(configuration) if code else [])]:
        print(line, flush=True)
    return MISTAKE if code and any_mistake() else code


def _only_sweep() -> IO[str]:
    """Hold the lock of this folder's sweep; the file says who holds it.

    Raises:
        UserError: somebody else does.
    """
    HOLDER.parent.mkdir(parents=True, exist_ok=True)
    holder = HOLDER.open("a+")
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder.seek(0)
        who = holder.read().strip() or "unknown"
        raise UserError(
            f"Another sweep works in this folder ({who}); wait for it, or stop it and start again. "
            "`make status` and `make preview` can be used beside it."
        ) from None
    return holder


def _is_locked() -> bool:
    return SNAKEMAKE_LOCKS.is_dir() and any(SNAKEMAKE_LOCKS.iterdir())


def _clear_lock(command: Sequence[str]) -> None:
    """Remove Snakemake's lock, since its holder is dead: we hold our own lock, and no Snakemake works in this folder.

    Raises:
        UserError: a Snakemake that was not started by us works here, or the last sweep ran on another machine.
    """
    living = [process.pid for process in psutil.process_iter(["cmdline", "cwd"]) if _may_work_here(process)]
    if living:
        raise UserError(f"Snakemake works in this folder already (process {living[0]}); wait for it, or stop it.")
    last = HOLDER.read_text(encoding="utf-8").strip()
    host = json.loads(last)["host"] if last else socket.gethostname()
    if host != socket.gethostname():
        raise UserError(
            f"The last sweep in this folder ran on {host}, where it may live yet; start there, or make sure that it is "
            "dead and run `snakemake --unlock`."
        )
    print("mtpeft: the last run left a lock behind and is dead; clearing it.", flush=True)
    subprocess.run([*command[:-1], "--unlock", "--quiet"], check=True, stdout=subprocess.DEVNULL)


def _may_work_here(process: psutil.Process) -> bool:
    """True for a Snakemake in this folder, and for one whose folder we may not see."""
    words = process.info["cmdline"] or ()
    is_snakemake = any(Path(word).name == "snakemake" for word in words[:3])
    return is_snakemake and process.info["cwd"] in (None, str(Path.cwd())) and process.pid != os.getpid()


def _run(
    command: Sequence[str], holder: IO[str], tell: Callable[[], None], *, variables: Mapping[str, str]
) -> tuple[int, bool]:
    """Run Snakemake, which inherits our lock and dies with us; returns its exit code, and whether we were told to stop.

    It runs in a session of its own, so that Ctrl-C and a request to end reach us alone and mean the same: it starts no
    more jobs, trainers save their state and stop.
    """
    requests: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: requests.append(number)) for number in REQUESTS}
    try:
        process = subprocess.Popen(
            command,
            env={**os.environ, **variables},
            pass_fds=[holder.fileno()],
            preexec_fn=die_with_parent,
            start_new_session=True,
        )
        _sign(holder, process.pid)
        told = False
        while process.poll() is None:
            if requests and not told:
                process.send_signal(signal.SIGINT)
                told = True
            elif requests:
                _stop_jobs(process.pid)
            else:
                tell()
            time.sleep(POLL_SECONDS)
        return process.returncode, told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _sign(holder: IO[str], pid: int) -> None:
    """Write into the lock's file who holds it."""
    holder.seek(0)
    holder.truncate()
    holder.write(json.dumps({"pid": pid, "host": socket.gethostname(), "started": time.strftime("%Y-%m-%d %H:%M:%S")}))
    holder.flush()


def _stop_jobs(snakemake: int) -> None:
    """Ask every job to stop; asking twice does no harm."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for job in psutil.Process(snakemake).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                job.terminate()


def _made(configuration: Configuration, targets: Sequence[str], minutes: str) -> list[str]:
    if WHOLE not in targets:
        return [f"{' '.join(targets)}: {minutes}"]
    cells = [cell.on_own for cell in all_cells(configuration)]
    finished = tally(finished_of(configuration, cells), finished_of(configuration, all_others(configuration)))
    figures = [FIGURES / f"{label}.pdf" for label in (*configuration.studies, EFFICIENCY)]
    made = [f"  {file}" for file in (*figures, FINDINGS.with_suffix(".md")) if file.exists()]
    return [f"{finished} are finished, {minutes}", *made]


def _left(configuration: Configuration) -> list[str]:
    return [
        *failures([*all_cells(configuration), *all_others(configuration)]),
        "Not everything could be made; the same command goes on where this one stopped.",
    ]

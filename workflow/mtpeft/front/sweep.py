"""Run Snakemake on the studies: one sweep at a time, stale locks cleared, figures whatever happens.

A sweep holds a kernel lock for as long as it or its Snakemake lives, so a second start knows for certain whether the
first one is dead. Only then is a lock that Snakemake left behind removed.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import psutil

from mtpeft.config.load import load
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import study_cells
from mtpeft.errors import UserError
from mtpeft.front.preview import draw_finished
from mtpeft.front.status import failures, state_of
from mtpeft.parent import die_with_parent

ROOT = Path(__file__).parents[3]
PROFILE = ROOT / "workflow" / "profiles" / "local"
FIGURES = Path("results/figures")
HOLDER = Path("results/.sweep")
SNAKEMAKE_LOCKS = Path(".snakemake/locks")
POLL_SECONDS = 0.2


def sweep(targets: Sequence[str], *, overlays: Sequence[Path], options: Sequence[str]) -> int:
    """Make targets; returns Snakemake's exit code. Figures of unfinished studies are drawn from what there is.

    Raises:
        UserError: the configuration is wrong, or another sweep works in this folder.
    """
    configuration = load(overlays)
    started = time.monotonic()
    with _only_sweep() as holder:
        command = _command(overlays, options)
        if _is_locked():
            _clear_lock(command)
        code, stopped = _run([*command, *targets], holder)
    if code and not stopped and "all" in targets:
        _draw_unfinished(configuration)
    for line in _told(configuration, code, time.monotonic() - started):
        print(line, flush=True)
    return code


def _command(overlays: Sequence[Path], options: Sequence[str]) -> list[str]:
    files = ["--configfile", *map(str, overlays)] if overlays else []
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    return [*snakemake, "--workflow-profile", str(PROFILE), *files, *options, "--"]


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
    living = [process.pid for process in psutil.process_iter(["cmdline", "cwd"]) if _works_here(process)]
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


def _works_here(process: psutil.Process) -> bool:
    described = process.info
    words = " ".join(described["cmdline"] or ())
    return "snakemake" in words and described["cwd"] == str(Path.cwd()) and process.pid != os.getpid()


def _run(command: Sequence[str], holder: IO[str]) -> tuple[int, bool]:
    """Run Snakemake, which inherits our lock and dies with us; returns its exit code, and whether we were told to stop.

    Ctrl-C reaches Snakemake and its jobs by itself. A request to end reaches us alone, and Snakemake would wait for
    its jobs, so both are told: trainers save their state and stop.
    """
    requests: list[int] = []
    before = {
        number: signal.signal(number, lambda number, frame: requests.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        process = subprocess.Popen(command, pass_fds=[holder.fileno()], preexec_fn=die_with_parent)
        _sign(holder, process.pid)
        while process.poll() is None:
            if signal.SIGTERM in requests:
                _stop(process)
            time.sleep(POLL_SECONDS)
        return process.returncode, bool(requests)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _sign(holder: IO[str], pid: int) -> None:
    """Write into the lock's file who holds it."""
    holder.seek(0)
    holder.truncate()
    holder.write(json.dumps({"pid": pid, "host": socket.gethostname(), "started": time.strftime("%Y-%m-%d %H:%M:%S")}))
    holder.flush()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask Snakemake to start no more jobs, then those that run to stop."""
    process.send_signal(signal.SIGINT)
    time.sleep(POLL_SECONDS)
    with contextlib.suppress(psutil.NoSuchProcess):
        for job in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                job.terminate()


def _draw_unfinished(configuration: Configuration) -> None:
    unfinished = [
        label
        for label, study in configuration.studies.items()
        if any(state_of(cell) not in ("done", "diverged") for cell in study_cells(configuration, study))
    ]
    for _ in draw_finished(configuration, unfinished, folder=FIGURES):
        pass


def _told(configuration: Configuration, code: int, seconds: float) -> list[str]:
    cells = {cell for study in configuration.studies.values() for cell in study_cells(configuration, study)}
    finished = sum(state_of(cell) in ("done", "diverged") for cell in cells)
    lines = [f"{finished} of {len(cells)} cells are finished, {seconds / 60:.1f} minutes."]
    if FIGURES.is_dir():
        lines += [f"  {file}" for file in sorted(FIGURES.glob("*.pdf"))]
    if code:
        lines += failures(cells)
        lines += ["Not everything could be made; the same command goes on where this one stopped."]
    return lines

"""Call Snakemake, read its reports, and remove the lock of a killed one.

It runs as a process of its own and is asked through its command line. Its events (numbers of jobs, errors) come from
`workflow/snakemake_logger_plugin_mtpeft`, by its interface for logger plugins, and not from what it prints for people.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from mtpeft.config.yaml_file import read_profile
from mtpeft.core.errors import UserError
from mtpeft.core.files import PROJECT
from mtpeft.core.wording import listed

PROFILES = PROJECT / "workflow" / "profiles"
LOCAL = "local"
CORES = re.compile(r"(--cores|--jobs|-c|-j)(?:=|(?=-?\d)|$)(.*)")
"""An option that says how many jobs may run at once, and the number where it stands in the same word."""
LOCAL_EXECUTORS = ("local", "touch", "dryrun")
"""Executors whose jobs die with Snakemake."""
PRINTING = (
    *("-n", "--dry-run", "--dryrun", "-p", "--printshellcmds", "-S", "--summary", "-D", "--detailed-summary"),
    *("--dag", "--rulegraph", "--filegraph", "--verbose", "--debug-dag", "--list-rules", "--lint", "--list-changes"),
)
"""Options with which Snakemake is called for what it prints."""
PLUGIN = "mtpeft"
"""Snakemake's name of our logger plugin."""


def snakemake_command(overlays: Sequence[Path], options: Sequence[str], profile: str = LOCAL) -> list[str]:
    """The command up to its targets: this project's Snakefile, a profile, overlays in their order.

    Raises:
        UserError: there is no such profile.
    """
    files = ["--configfile", *map(str, overlays)] if overlays else []
    program = [sys.executable, "-m", "snakemake", "--snakefile", str(PROJECT / "Snakefile")]
    return [*program, "--workflow-profile", str(profile_file(profile).parent), *files, *options, "--"]


def profile_file(profile: str) -> Path:
    """The file of a profile, which is one of the project's by its name, or a folder that holds a profile.yaml.

    Raises:
        UserError: there is no such profile.
    """
    for folder in (PROFILES / profile, Path(profile)):
        if (folder / "profile.yaml").is_file():
            return folder / "profile.yaml"
    names = sorted(file.parent.name for file in PROFILES.glob("*/profile.yaml"))
    raise UserError(
        f"--profile is '{profile}', which is neither a folder with a profile.yaml nor one of the project's; "
        f"write {listed(names)}, or a folder."
    )


def submits_jobs(profile: str) -> bool:
    """Whether the jobs of a profile are submitted to a cluster, where they outlive the Snakemake that submitted them.

    Raises:
        UserError: there is no such profile, or it can't be read.
    """
    return read_profile(profile_file(profile)).get("executor", LOCAL) not in LOCAL_EXECUTORS


def require_cores(options: Sequence[str]) -> None:
    """Refuse a number of cores with which Snakemake would wait for ever.

    Raises:
        UserError: it is none, or not a number.
    """
    for option, following in zip(options, [*options, ""][1:], strict=True):
        found = CORES.match(option)
        given = found.group(2) or following if found else ""
        if found and not re.fullmatch("[1-9][0-9]*|all|unlimited|--.*|", given):
            raise UserError(f"{found.group(1)} is '{given}'; write how many jobs may run at once, such as 2.")


def asks_for_output(options: Sequence[str]) -> bool:
    """Whether options ask Snakemake for what it prints, so that this belongs on the terminal."""
    return any(option in PRINTING or option.startswith(("--dag=", "--rulegraph=")) for option in options)


def jobs_at_once(options: Sequence[str], profile: str) -> int:
    """How many jobs run side by side on this machine, by options or else the profile; 0 where nobody can say.

    Raises:
        UserError: there is no such profile, or it can't be read.
    """
    if submits_jobs(profile):
        return 0
    found = [CORES.match(option) for option in options]
    given = [match[2] or after for match, after in zip(found, [*options, ""][1:], strict=True) if match]
    number = str((given or [read_profile(profile_file(profile)).get("cores", "")])[-1])
    return int(number) if number.isdecimal() else 0


@dataclass(frozen=True)
class Events:
    """The file that a Snakemake writes its events into.

    Attributes:
        file: of the events, one JSON object in a line.
    """

    file: Path

    @property
    def options(self) -> list[str]:
        """Options with which Snakemake has to be called."""
        return ["--logger", PLUGIN, f"--logger-{PLUGIN}-file", str(self.file)]

    @property
    def variables(self) -> dict[str, str]:
        """Environment with which Snakemake finds the plugin, whether the project is installed or not."""
        places = [str(PROJECT / "workflow"), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {"PYTHONPATH": os.pathsep.join(places)}

    def job_counts(self) -> dict[str, int]:
        """Jobs by rule that the run has to make; empty where there is nothing to do."""
        counts = [event["counts"] for event in self._read() if event["event"] == "jobs"]
        return {rule: count for rule, count in counts[-1].items() if rule != "total"} if counts else {}

    def errors(self) -> list[str]:
        """Messages of everything that has failed."""
        return [event["message"] for event in self._read() if event["event"] == "error"]

    def _read(self) -> list[dict]:
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        return [json.loads(line) for line in lines]


@contextlib.contextmanager
def recorded_events() -> Iterator[Events]:
    """Events of one Snakemake, in a file that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="mtpeft-") as folder:
        yield Events(Path(folder) / "events.jsonl")


def events_in(file: Path) -> Events:
    """Events of one Snakemake in a file that stays, without those of the one before."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    return Events(file)


def unlock(overlays: Sequence[Path], variables: Mapping[str, str]) -> None:
    """Remove the lock that a killed Snakemake may have left; whoever calls this holds the lock of the folder.

    Args:
        overlays: files laid over the configuration.
        variables: environment by which Snakemake sees that its caller holds the lock of the folder.

    Raises:
        UserError: a Snakemake of another workflow works here, or Snakemake fails.
    """
    living = [process.pid for process in psutil.process_iter(["cmdline", "cwd"]) if _may_work_here(process)]
    if living:
        raise UserError(f"Snakemake works in this folder already (process {living[0]}); wait for it, or stop it.")
    print("mtpeft: the last run was killed; removing the lock that its Snakemake may have left.", flush=True)
    command = snakemake_command(overlays, ["--unlock", "--quiet"])
    environment = {**os.environ, **variables}
    ran = subprocess.run(command[:-1], env=environment, capture_output=True, text=True, errors="replace", check=False)
    if ran.returncode:
        said = ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"]
        raise UserError(f"Snakemake could not remove its lock ({said[-1]}); delete .snakemake/locks and start again.")


def _may_work_here(process: psutil.Process) -> bool:
    """True for a Snakemake in this folder, and for one whose folder we may not see."""
    words = process.info["cmdline"] or ()
    is_snakemake = any(Path(word).name == "snakemake" for word in words[:3])
    return is_snakemake and process.info["cwd"] in (None, str(Path.cwd())) and process.pid != os.getpid()

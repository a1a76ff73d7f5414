"""How Snakemake is called, and the lock that one leaves behind when it is killed."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from mtpeft.config.yaml_file import read_profile
from mtpeft.core.errors import UserError
from mtpeft.core.wording import listed

ROOT = Path(__file__).parents[3]
PROFILES = ROOT / "workflow" / "profiles"
LOCAL = "local"
LOCKS = Path(".snakemake/locks")
CORES = re.compile(r"(--cores|--jobs|-c|-j)(?:=|(?=-?\d)|$)(.*)")
"""An option that says how many jobs may run at once, and the number where it stands in the same word."""
HERE = ("local", "touch", "dryrun")
"""Executors whose jobs die with Snakemake."""


def snakemake_command(overlays: Sequence[Path], options: Sequence[str], profile: str = LOCAL) -> list[str]:
    """The command up to its targets: this project's Snakefile, a profile, overlays in their order.

    Raises:
        UserError: there is no such profile.
    """
    files = ["--configfile", *map(str, overlays)] if overlays else []
    program = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
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


def runs_elsewhere(profile: str) -> bool:
    """Whether the jobs of a profile are sent to a cluster, where they outlive the Snakemake that sent them.

    Raises:
        UserError: there is no such profile, or it can't be read.
    """
    settings = read_profile(profile_file(profile))
    return settings.get("executor", LOCAL) not in HERE


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


def clear_lock(overlays: Sequence[Path]) -> None:
    """Remove the lock of a Snakemake that was killed; whoever calls this holds the folder, so nobody of ours lives.

    Raises:
        UserError: a Snakemake that was not started by us works here.
    """
    if not (LOCKS.is_dir() and any(LOCKS.iterdir())):
        return
    living = [process.pid for process in psutil.process_iter(["cmdline", "cwd"]) if _may_work_here(process)]
    if living:
        raise UserError(f"Snakemake works in this folder already (process {living[0]}); wait for it, or stop it.")
    print("mtpeft: the last run left a lock behind and is dead; clearing it.", flush=True)
    unlock = snakemake_command(overlays, ["--unlock", "--quiet"])
    subprocess.run(unlock[:-1], check=True, stdout=subprocess.DEVNULL)


def _may_work_here(process: psutil.Process) -> bool:
    """True for a Snakemake in this folder, and for one whose folder we may not see."""
    words = process.info["cmdline"] or ()
    is_snakemake = any(Path(word).name == "snakemake" for word in words[:3])
    return is_snakemake and process.info["cwd"] in (None, str(Path.cwd())) and process.pid != os.getpid()

"""Processor time and memory that Snakemake takes to plan large sweeps with the real Snakefile.

    python tests/benchmarks/workflow.py

Four things are measured, each as a process of its own: dry runs of tiny.yaml with so many seeds that there are
1,000, 5,000 and 20,000 jobs; a dry run in which 5,000 jobs are done; as a baseline, dry runs of a Snakefile with three
trivial rules; and the time for reading our own files beyond that for reading a Snakefile of one rule. The sweep that is
done was never run: its files are empty, and `--touch` made Snakemake record them as its own.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import yaml

ROOT = Path(__file__).parents[2]
TINY = ROOT / "workflow/studies/tiny.yaml"
JOBS = (1_000, 5_000, 20_000)
DONE = 5_000
ROUNDS = 5
TOUCH = (
    "from snakemake.executors import touch; touch.Executor.SLEEPING_TIME = 0; from snakemake.cli import main; main()"
)
"""Snakemake without the tenth of a second that it waits after each file."""
ONE_RULE = "rule all:\n    shell:\n        'true'\n"
THREE_RULES = """
RUNS = range(int(config["runs"]))
rule all:
    input: expand("scores/{run}", run=RUNS)
rule train:
    output: "trained/{run}"
    shell: "train {output}"
rule decode:
    input: "trained/{run}"
    output: "hypotheses/{run}"
    shell: "decode {input} {output}"
rule score:
    input: "hypotheses/{run}"
    output: "scores/{run}"
    shell: "score {input} {output}"
"""
QUIET = ("--quiet", "rules", "reason")


@dataclass(frozen=True)
class Cost:
    """Of a process and its children: seconds of processor time and of the clock, largest resident memory in MB."""

    cpu: float
    wall: float
    megabytes: float
    said: str


def measured(command: Sequence[str]) -> Cost:
    """Run a command to its end.

    Raises:
        SystemExit: it failed.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow"), "PYTHONDONTWRITEBYTECODE": ""}
    begun = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT, text=True)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        cost = Cost(used.ru_utime + used.ru_stime, time.monotonic() - begun, used.ru_maxrss / 1024, said.read())
    if process.returncode:
        sys.exit(cost.said[-3000:])
    return cost


def snakemake(folder: Path, *arguments: str, start: Sequence[str] = ("-m", "snakemake")) -> list[str]:
    """The command of the real workflow with the overlay in a folder, and everything it makes in that folder."""
    where = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    how = ["--workflow-profile", str(ROOT / "workflow" / "profiles" / "local")]
    return [sys.executable, *start, *where, *how, "--configfile", str(TINY), str(folder / "seeds.yaml"), *arguments]


def widen(folder: Path, jobs: int) -> None:
    """Write an overlay with so many seeds that there are about so many jobs, for eight pairs and three methods."""
    seeds = max(3, round((jobs - 250) / (3 * 8 * (1 + 2 * 5))))
    study = {
        "methods": ["full", "adapter", "lora", "none"],
        "budgets": ["b0.5", "b1", "b5", "b10", "b20"],
        "seeds": list(range(1, seeds + 1)),
    }
    (folder / "seeds.yaml").write_text(yaml.safe_dump({"studies": {"languages": study}}), encoding="utf-8")


def jobs_in(said: str) -> int:
    """Jobs of a dry run, as Snakemake counts them."""
    total = re.search(r"^total +(\d+)$", said, flags=re.MULTILINE)
    return int(total[1]) if total else 0


def make_done(folder: Path) -> None:
    """Make every file of the sweep, empty, and have Snakemake record that it made them, in its own order."""
    summary = measured(snakemake(folder, "--summary")).said.splitlines()
    begin = next(number for number, line in enumerate(summary) if line.startswith("output_file\t"))
    for line in summary[begin + 1 :]:
        file = folder / line.split("\t")[0]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch() if file.suffix else file.mkdir(exist_ok=True)
    measured(snakemake(folder, "--touch", "--forceall", "--quiet", "all", start=("-c", TOUCH)))


def plain(folder: Path, jobs: int) -> Cost:
    """A dry run of so many jobs of three trivial rules."""
    (folder / "Snakefile").write_text(THREE_RULES, encoding="utf-8")
    where = ["--snakefile", str(folder / "Snakefile"), "--directory", str(folder), "--scheduler", "greedy"]
    how = ["--cores", "2", "--dry-run", "--config", f"runs={jobs // 3}", "--quiet", "rules", "reason"]
    return measured([sys.executable, "-m", "snakemake", *where, *how])


def row(what: str, jobs: int, cost: Cost) -> str:
    """A row of the table."""
    return f"| {what} | {jobs:,} | {cost.cpu:.1f} s | {cost.wall:.1f} s | {cost.megabytes:.0f} MB |"


def reading() -> float:
    """Seconds of processor time that our own files take to be read, beyond a Snakefile of one rule."""
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / "Snakefile"
        other.write_text(ONE_RULE, encoding="utf-8")
        ours, theirs = (
            [sys.executable, "-m", "snakemake", "--snakefile", str(file), "--directory", folder, "--list-rules"]
            for file in (ROOT / "Snakefile", other)
        )
        measured(ours)  # compiles our modules, which is done once
        pairs = [(measured(ours).cpu, measured(theirs).cpu) for _ in range(ROUNDS)]
    return median(own for own, _ in pairs) - median(one for _, one in pairs)


def main() -> None:
    """Print the table."""
    print("| | jobs | processor time | time | memory |\n|---|---|---|---|---|", flush=True)
    for jobs in JOBS:
        with tempfile.TemporaryDirectory() as name:
            widen(Path(name), jobs)
            cost = measured(snakemake(Path(name), "--dry-run", *QUIET))
            print(row("nothing done", jobs_in(cost.said), cost), flush=True)
    with tempfile.TemporaryDirectory() as name:
        widen(Path(name), DONE)
        planned = measured(snakemake(Path(name), "--dry-run", *QUIET))
        make_done(Path(name))
        cost = measured(snakemake(Path(name), "--dry-run", *QUIET))
        if jobs_in(cost.said):
            sys.exit(f"{jobs_in(cost.said)} jobs are left:\n{cost.said[-3000:]}")
        print(row("all done", jobs_in(planned.said), cost), flush=True)
    for jobs in JOBS:
        with tempfile.TemporaryDirectory() as name:
            cost = plain(Path(name), jobs)
            print(row("baseline", jobs_in(cost.said), cost), flush=True)
    print(f"\nReading our own files: {reading():.2f} s of processor time.")


if __name__ == "__main__":
    main()

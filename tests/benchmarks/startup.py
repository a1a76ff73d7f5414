"""What it costs to start: the command line, the libraries of a training, and Snakemake for each job.

    PYTHONPATH=tests python -m benchmarks.startup

A part of `make bench`. It loads little itself, since the kernel counts the memory of a process into its children's.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.workflow import Cost, jobs_in, measured, plain, snakemake, widen
from mtpeft.core.text_tables import table

STARTS = {
    "Python alone": ("-c", "pass"),
    "`python -m mtpeft --help`": ("-m", "mtpeft", "--help"),
    "torch": ("-c", "import torch"),
    "torch, transformers and peft": ("-c", "import torch, transformers, peft; transformers.AutoModelForSeq2SeqLM"),
    "imports of a training": ("-c", "import mtpeft.training.finetune"),
    "what the fork server loads": ("-c", "from mtpeft.steps.preload import preload; preload()"),
}
"""Arguments of Python, by what they start."""
JOBS = (1_000, 5_000)
"""Numbers of jobs whose difference shows what a job costs."""


def start_costs(repetitions: int) -> dict[str, list[Cost]]:
    """Start each so many times; bytecode is written before the first is measured."""
    for arguments in STARTS.values():
        measured([sys.executable, *arguments])
    return {
        name: [measured([sys.executable, *arguments]) for _ in range(repetitions)] for name, arguments in STARTS.items()
    }


def start_table(found: dict[str, list[Cost]]) -> str:
    """Write the median of processor time, time and memory."""
    rows = [
        [
            name,
            f"{median(cost.cpu for cost in costs):.2f} s",
            f"{median(cost.wall for cost in costs):.2f} s",
            f"{median(cost.megabytes for cost in costs):.0f} MB",
        ]
        for name, costs in found.items()
    ]
    return table(("start", "processor time", "time", "memory"), rows)


def planning_per_job(jobs: Sequence[int] = JOBS) -> tuple[float, float]:
    """Return the milliseconds of processor time that Snakemake takes to plan a job: of ours, and of trivial rules."""
    costs = []
    for count in jobs:
        with TemporaryDirectory() as name:
            widen(Path(name), count)
            ours = measured(snakemake(Path(name), "--dry-run", "--quiet", "rules", "reason"))
        with TemporaryDirectory() as name:
            trivial = plain(Path(name), count)
        costs.append((ours, trivial))
    fewer, more = costs
    return tuple(1000 * (b.cpu - a.cpu) / (jobs_in(b.said) - jobs_in(a.said)) for a, b in zip(fewer, more, strict=True))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=start_costs.__doc__)
    parser.add_argument("--repetitions", type=int, default=5, help="of each start")
    print(f"### Start\n\n{start_table(start_costs(parser.parse_args(arguments).repetitions))}\n", flush=True)
    own, trivial = planning_per_job()
    print(f"Snakemake plans a job in {own:.1f} ms of processor time, and one of trivial rules in {trivial:.1f} ms.")


if __name__ == "__main__":
    main()

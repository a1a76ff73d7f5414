"""The steps of the workflow: what its rules call, and what can be run by hand as Snakemake prints it."""

import argparse
import json
from pathlib import Path

from mtpeft.cells import Cell
from mtpeft.core.failure_notes import CELL_STEPS
from mtpeft.steps.model_steps import GPU_STEPS, MODEL_STEPS, TRAINING_STEPS
from mtpeft.steps.result_steps import RESULT_STEPS
from mtpeft.steps.step import Step
from mtpeft.steps.text_steps import TEXT_STEPS


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add one command per step; libraries are loaded by the step that runs."""
    for name, (run, files, summary) in STEPS.items():
        parser = commands.add_parser(name, help=f"step: {summary}", description=f"Step of the workflow: {summary}.")
        parser.set_defaults(run=run, step=True, name=name)
        parser.add_argument("--settings", required=True, type=json.loads, metavar="JSON", help="what it is told")
        if name in (*CELL_STEPS, "represent", "comet"):
            parser.add_argument("--cell", required=True, type=Cell.parse, metavar="LABELS", help="six labels, with /")
        if name in TRAINING_STEPS:
            _add_execution(parser)
        if name in GPU_STEPS:
            parser.add_argument("--cells-per-gpu", type=int, default=1, metavar="N", help="steps that share its GPU")
        for file in files.split():
            argument, many = file.rstrip("*?"), file.endswith("*")
            parser.add_argument(
                f"--{argument}",
                type=Path,
                nargs="*" if many else None,
                required=not file.endswith(("*", "?")),
                default=[] if many else None,
                metavar="FILE",
            )


def _add_execution(parser: argparse.ArgumentParser) -> None:
    """Add options on which no result depends but for rounding."""
    parser.add_argument("--gpus", type=int, default=1, metavar="N", help="processes, each with a GPU")
    parser.add_argument(
        "--micro-batch-tokens", type=int, default=0, metavar="N", help="padded tokens of a part of an update; 0: all"
    )
    parser.add_argument("--sharded", type=int, default=0, metavar="1", help="1: train whole models in shards (FSDP)")


def starts_slowly(given: argparse.Namespace) -> bool:
    """True for steps that load torch or transformers, and for one that takes longer to start than to run."""
    return given.step and given.name in SLOW_TO_START


def target_of(given: argparse.Namespace) -> Path | None:
    """The file by which a step is known, or None for commands that are no step."""
    if not given.step:
        return None
    made = (getattr(given, name, None) for name in ("record", "output", "folder", "arrays", "scores", "stem"))
    first = next(paths for paths in made if paths)
    return first[0] if isinstance(first, list) else first


def files_read(given: argparse.Namespace) -> list[Path]:
    """The files that a step is given to read."""
    names = (name.rstrip("*?").replace("-", "_") for name in STEPS[given.name][1].split())
    paths = (getattr(given, name) for name in names if name not in MADE)
    return [file for own in paths for file in (own if isinstance(own, list) else [own]) if file]


MADE = ("record", "output", "page", "folder", "archive", "arrays", "scores", "costs", "stem")
"""Arguments that name what a step makes."""
SLOW_TO_START = ("vocabulary", "encode", "pretrain", "extend", "judge", "tune", "train", "decode", "score", "represent")

STEPS: dict[str, Step] = {**TEXT_STEPS, **MODEL_STEPS, **RESULT_STEPS}

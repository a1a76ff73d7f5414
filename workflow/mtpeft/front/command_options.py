"""Options of the commands that people type, for `argparse`."""

import argparse
import contextlib
import math
from pathlib import Path


def add_targets(parser: argparse.ArgumentParser) -> None:
    """Add the option for rules or files to make."""
    parser.add_argument("--target", nargs="+", default=["all"], help="rules or files to make (default: all)")


def add_sweep_options(parser: argparse.ArgumentParser) -> None:
    """Add what `sweep` makes, where its jobs run, and what Snakemake is told besides."""
    add_targets(parser)
    parser.add_argument("--profile", default="local", help="local, slurm, or a folder with a profile.yaml")
    parser.add_argument("snakemake", nargs="*", help="options for Snakemake, after --")


def add_jobs_options(parser: argparse.ArgumentParser) -> None:
    """Add what is done about the jobs of an earlier run."""
    add_targets(parser)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--wait", action="store_true", help="wait for those that run, keep what they make")
    action.add_argument("--cancel", action="store_true", help="end them; trainers save their state first")
    action.add_argument("--forget", action="store_true", help="none is left, and there is no SLURM to ask")


def add_plan_options(parser: argparse.ArgumentParser) -> None:
    """Add what the prices of `plan` rest on, and the hours that a study may take."""
    parser.add_argument("--cores", type=_count, default=2, metavar="N", help="jobs that run at once (default: 2)")
    parser.add_argument("--max-hours", type=_above_zero, metavar="HOURS", help="say what so many hours would leave out")
    parser.add_argument("--calibrate", action="store_true", help="time a few updates of what was never run before")


def _above_zero(text: str) -> float:
    """Read a number, such as one of hours.

    Raises:
        argparse.ArgumentTypeError: it is no number above 0.
    """
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) < math.inf:
            return number
    raise argparse.ArgumentTypeError(f"'{text}' is no number above 0; write one such as 8")


def _count(text: str) -> int:
    """Read a whole number, such as one of cores.

    Raises:
        argparse.ArgumentTypeError: it is no whole number above 0.
    """
    if text.isdecimal() and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(f"'{text}' is no whole number above 0; write one such as 2")


def add_status_options(parser: argparse.ArgumentParser) -> None:
    """Add whether `status` is shown again and again."""
    parser.add_argument(
        "--watch", action="store_true", help="show a sweep that runs, from its files alone; Ctrl-C ends"
    )


def add_track_options(parser: argparse.ArgumentParser) -> None:
    """Add the trackers that `track` writes for."""
    choices = ("tensorboard", "mlflow", "wandb")
    parser.add_argument("--to", required=True, nargs="+", choices=choices, metavar="TRACKER", help=", ".join(choices))


def add_tidy_options(parser: argparse.ArgumentParser) -> None:
    """Add whether `tidy` removes what it lists."""
    parser.add_argument("--remove", action="store_true", help="remove them; without it they are listed")


def add_verify_options(parser: argparse.ArgumentParser) -> None:
    """Add whether `verify` deletes what is damaged."""
    parser.add_argument("--discard", action="store_true", help="delete what is damaged, to have it made anew")


def add_budget_options(parser: argparse.ArgumentParser) -> None:
    """Add the models that `budget` is asked for."""
    parser.add_argument("--model", nargs="+", default=None, metavar="LABEL", help="only these models")


def add_cell_options(parser: argparse.ArgumentParser) -> None:
    """Add the cell that is used, and one of its pairs."""
    parser.add_argument("--cell", required=True, metavar="FOLDER", help="its labels, or its folder under results/cells")
    parser.add_argument("--pair", default=None, metavar="LABEL", help="one of its pairs, if it was trained on several")


def add_curves_options(parser: argparse.ArgumentParser) -> None:
    """Add the cells or the search that `curves` draws, and the file of the figure."""
    parser.add_argument("what", nargs="+", metavar="CELL", help="labels or folder of a cell, or the record of a search")
    parser.add_argument(
        "--to", type=Path, default=Path("curves.pdf"), metavar="FILE", help="a .pdf, .svg or .png (default: curves.pdf)"
    )


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """Add the cell that `export` hands over, its form, and where it goes."""
    add_cell_options(parser)
    parser.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="a new folder")
    parser.add_argument(
        "--as", dest="form", choices=("merged", "peft", "pair", "ctranslate2", "marian", "hub"), default="merged"
    )


def add_upload_options(parser: argparse.ArgumentParser) -> None:
    """Add the folder that `upload` sends, and the repository."""
    parser.add_argument("--folder", required=True, type=Path, help="as `export --as hub` has written it")
    parser.add_argument("--repository", required=True, metavar="OWNER/NAME", help="made if it is not there")
    parser.add_argument("--private", action="store_true", help="a repository that is made is for its owner alone")


def add_init_options(parser: argparse.ArgumentParser) -> None:
    """Add the text and the model that `init` writes a study for."""
    parser.add_argument("--files", required=True, nargs="+", metavar="FILE", help="source and target, or one of both")
    for part in ("dev", "test"):
        parser.add_argument(f"--{part}", default=(), nargs="+", metavar="FILE", help=f"a {part} set, as --files")
    parser.add_argument("--columns", nargs=2, default=(), metavar="NAME", help="source's and target's, of a table")
    parser.add_argument("--source", required=True, metavar="CODE", help="language, such as sw")
    parser.add_argument("--target", required=True, metavar="CODE", help="language, such as en")
    parser.add_argument("--model", required=True, help="a folder, or owner/name@commit of the hub")
    parser.add_argument("--to", type=Path, default=Path("mine.yaml"), metavar="FILE", help="default: mine.yaml")


def add_advise_options(parser: argparse.ArgumentParser) -> None:
    """Add what is asked of `advise`, and the results that it may rest on."""
    parser.add_argument("--model", required=True, metavar="LABEL", help="a label of `models`")
    parser.add_argument("--pair", required=True, metavar="LABEL", help="a label of `pairs`")
    parser.add_argument("--pairs-of-text", required=True, type=_count, metavar="N", help="sentence pairs for training")
    parser.add_argument("--memory", type=_above_zero, metavar="GB", help="most that training may need")
    parser.add_argument("--languages", type=_count, default=1, metavar="N", help="languages to deploy (default: 1)")
    parser.add_argument(
        "--results", type=Path, nargs="+", default=[], metavar="FOLDER", help="your results, such as results/mine"
    )
    parser.add_argument("--metric", default="chrf", metavar="NAME", help="metric of the scores (default: chrf)")
    parser.add_argument("--to", type=Path, metavar="FILE", help="a new file for the overlay of the next cells")

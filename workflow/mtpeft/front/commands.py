"""The commands that people type: what there is, what is planned, how far it is, and a sentence translated."""

import argparse
from collections.abc import Callable
from pathlib import Path

from mtpeft.core.errors import UserError

Run = Callable[[argparse.Namespace], int | None]


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands; each loads what it needs when it runs."""
    for name, run, summary in (
        ("sweep", _sweep, "run the studies and draw the figures, going on where the last run stopped"),
        ("plan", _plan, "count the cells and jobs of each study, and how many are done"),
        ("status", _status, "count done, running, failed and missing cells of each study and method"),
        ("preview", _preview, "figures and findings from what is finished now, into results/<study file>/preview/"),
        ("tidy", _tidy, "list text, models and cells that no study file uses, and remove them with --remove"),
        ("jobs", _jobs, "list this folder's jobs on a cluster; wait for those of a killed run, or cancel them"),
        ("verify", _verify, "compare every file that was made with its record; says what is damaged"),
        ("ship", _ship, "put the models that were pre-trained here into workflow/models/"),
        ("budget", _budget, "print what each method trains at each budget, without weights"),
    ):
        parser = add_command(commands, name, run, summary)
        parser.add_argument(
            "--configfile", type=Path, nargs="+", default=[], metavar="FILE", help="overlays over config.yaml"
        )
        if name == "tidy":
            parser.add_argument("--remove", action="store_true", help="remove them; without it they are listed")
        if name in ("sweep", "jobs"):
            parser.add_argument("--target", nargs="+", default=["all"], help="rules or files to make (default: all)")
        if name == "verify":
            parser.add_argument("--discard", action="store_true", help="delete what is damaged, to have it made anew")
        if name == "jobs":
            doing = parser.add_mutually_exclusive_group()
            doing.add_argument("--wait", action="store_true", help="wait for those that run, keep what they make")
            doing.add_argument("--cancel", action="store_true", help="end them; trainers save their state first")
            doing.add_argument("--forget", action="store_true", help="none is left, and there is no SLURM to ask")
        if name == "sweep":
            parser.add_argument("--profile", default="local", help="local, slurm, or a folder with a profile.yaml")
            parser.add_argument("snakemake", nargs="*", help="options for Snakemake, after --")
        if name == "budget":
            parser.add_argument("--model", nargs="+", default=None, metavar="LABEL", help="only these models")
    add_command(commands, "methods", _methods, "list the methods and the keys of their entries")
    add_command(commands, "schemas", _schemas, "write the JSON schemas of the configuration and of the records")
    parser = add_command(commands, "translate", _translate, "translate lines from standard input with a trained cell")
    parser.add_argument("--cell", required=True, metavar="FOLDER", help="its labels, or its folder under results/cells")
    parser.add_argument("--pair", default=None, metavar="LABEL", help="one of its pairs, if it was trained on several")
    parser = add_command(commands, "init", _init, "write a study for a text and a model of one's own, and check it")
    parser.add_argument("--files", required=True, nargs="+", metavar="FILE", help="source and target, or one of both")
    for part in ("dev", "test"):
        parser.add_argument(f"--{part}", default=(), nargs="+", metavar="FILE", help=f"a {part} set, as --files")
    parser.add_argument("--columns", nargs=2, default=(), metavar="NAME", help="source's and target's, of a table")
    parser.add_argument("--source", required=True, metavar="CODE", help="language, such as sw")
    parser.add_argument("--target", required=True, metavar="CODE", help="language, such as en")
    parser.add_argument("--model", required=True, help="a folder, or owner/name@commit of the hub")
    parser.add_argument("--to", type=Path, default=Path("mine.yaml"), metavar="FILE", help="default: mine.yaml")
    parser = add_command(commands, "export", _export, "write the model of a trained cell for others to use")
    parser.add_argument("--cell", required=True, metavar="FOLDER", help="its labels, or its folder under results/cells")
    parser.add_argument("--pair", default=None, metavar="LABEL", help="one of its pairs, if it was trained on several")
    parser.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="a new folder")
    parser.add_argument("--as", dest="form", choices=("merged", "peft", "ctranslate2"), default="merged")


def add_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, run: Run, summary: str
) -> argparse.ArgumentParser:
    """Add one command, which is no step of the workflow."""
    description = summary[0].upper() + summary[1:] + "."
    parser = commands.add_parser(name, help=summary, description=description)
    parser.set_defaults(run=run, step=None)
    return parser


def _sweep(given: argparse.Namespace) -> int:
    from mtpeft.front.sweep import sweep

    return sweep(given.target, overlays=given.configfile, options=given.snakemake, profile=given.profile)


def _plan(given: argparse.Namespace) -> None:
    from mtpeft.config.load import load
    from mtpeft.front.plan import cells_table, jobs_table
    from mtpeft.front.study_records import changes

    configuration = load(given.configfile)
    for line in changes(configuration):
        print(f"{line}\n")
    print(cells_table(configuration), jobs_table(configuration, given.configfile), sep="\n\n")


def _status(given: argparse.Namespace) -> None:
    from mtpeft.config.load import load
    from mtpeft.front.status import status_table

    print(status_table(load(given.configfile)))


def _preview(given: argparse.Namespace) -> None:
    from mtpeft.config.load import load
    from mtpeft.front.preview import preview

    for line in preview(load(given.configfile)):
        print(line)


def _tidy(given: argparse.Namespace) -> None:
    from mtpeft.config.load import load
    from mtpeft.front.tidy import tidy

    for line in tidy(load(given.configfile), removes=given.remove):
        print(line)


def _jobs(given: argparse.Namespace) -> None:
    from mtpeft.config.load import load
    from mtpeft.front.holder import find_holder, holding
    from mtpeft.front.orphans import jobs_table, settle, take_over
    from mtpeft.front.slurm import jobs_here
    from mtpeft.steps.paths import with_digests

    configuration = load(given.configfile)
    targets = [with_digests(configuration, target) for target in given.target]
    if not (given.wait or given.cancel or given.forget):
        print(f"{find_holder() or 'Nobody has worked in this folder'}.", flush=True)
        print(jobs_table(jobs_here()))
        return
    with holding() as hold:
        if given.forget:
            take_over(configuration, given.configfile, targets, hold=hold)
        else:
            settle(configuration, given.configfile, targets, hold=hold, cancels=given.cancel)
    print("No job of an earlier run is left in this folder.")


def _verify(given: argparse.Namespace) -> int:
    from mtpeft.config.load import load
    from mtpeft.core.checksums import discard_damaged
    from mtpeft.front.holder import holding
    from mtpeft.front.verify import damage, made_records

    configuration = load(given.configfile)
    found = list(damage(configuration))
    for error in found:
        print(error)
    print(f"{len(made_records(configuration))} records were compared; {len(found)} disagree with what is there.")
    if given.discard and found:
        with holding():
            for file in (file for error in found for file in discard_damaged(error)):
                print(f"deleted {file}")
    return 1 if found else 0


def _ship(given: argparse.Namespace) -> None:
    from mtpeft.config.load import load
    from mtpeft.front.ship import ship

    for line in ship(load(given.configfile)):
        print(line)


def _budget(given: argparse.Namespace) -> None:
    from mtpeft.config.load import load
    from mtpeft.config.sentences import unknown
    from mtpeft.front.budgets import budget_table

    configuration = load(given.configfile)
    for mistake in unknown("--model", given.model or (), configuration.models, "models"):
        raise UserError(mistake)
    for model in given.model or configuration.models:
        print(budget_table(configuration, model))


def _methods(given: argparse.Namespace) -> None:
    from mtpeft.front.budgets import methods_table

    print(methods_table())


def _schemas(given: argparse.Namespace) -> None:
    from mtpeft.front.schemas import write_schemas

    write_schemas()


def _translate(given: argparse.Namespace) -> None:
    from mtpeft.front.translate import translate_lines

    translate_lines(given.cell, given.pair)


def _init(given: argparse.Namespace) -> None:
    from mtpeft.front.init import write_study
    from mtpeft.front.overlay import Request

    request = Request(given.files, given.source, given.target, given.model, given.columns, given.dev, given.test)
    for line in write_study(request, given.to):
        print(line)


def _export(given: argparse.Namespace) -> None:
    from mtpeft.front.export import export_cell

    export_cell(given.cell, given.to, given.form, given.pair)
    print(f"The model of {given.cell} is in {given.to}.")

"""The commands that people type, beside the steps: run and plan a sweep, see how far it is, hand a model over.

Each command is declared once, in `COMMANDS`; what it needs is imported when it runs, so that `--help` stays quick.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from mtpeft.core.errors import UserError
from mtpeft.front.command_options import (
    add_advise_options,
    add_budget_options,
    add_cell_options,
    add_curves_options,
    add_export_options,
    add_init_options,
    add_jobs_options,
    add_plan_options,
    add_status_options,
    add_sweep_options,
    add_tidy_options,
    add_track_options,
    add_upload_options,
    add_verify_options,
)

RUN, USE, LOOK, KEEP, DEVELOP = GROUPS = (
    "Run a study",
    "Use what came of it",
    "Look something up",
    "Keep a folder in order",
    "For those who change the project",
)
Run = Callable[[argparse.Namespace], int | None]
Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


@dataclass(frozen=True)
class Command:
    """A command of `python -m mtpeft` that is no step of the workflow.

    Attributes:
        name: as it is typed.
        run: is given the parsed arguments, and returns the exit code, or None for 0.
        summary: a line for `--help`.
        group: under which `--help` lists it.
        add_options: adds the options that it has besides `--configfile`.
        reads_configuration: whether it has the option `--configfile`.
    """

    name: str
    run: Run
    summary: str
    group: str
    add_options: Callable[[argparse.ArgumentParser], None] = lambda parser: None
    reads_configuration: bool = True


def add_commands(commands: Subparsers, given: str) -> None:
    """Add all commands of the table, with options for the one that is given alone, to be quick."""
    for command in COMMANDS:
        parser = add_command(commands, command.name, command.run, command.summary)
        if command.name != given:
            continue
        if command.reads_configuration:
            parser.add_argument(
                "--configfile", type=Path, nargs="+", default=[], metavar="FILE", help="overlays over config.yaml"
            )
        command.add_options(parser)


def add_command(commands: Subparsers, name: str, run: Run, summary: str) -> argparse.ArgumentParser:
    """Add one command, which is no step of the workflow."""
    parser = commands.add_parser(name, description=summary[0].upper() + summary[1:] + ".")
    parser.set_defaults(run=run, step=None)
    return parser


def _sweep(given: argparse.Namespace) -> int:
    from mtpeft.front.sweep import sweep

    return sweep(given.target, overlays=given.configfile, options=given.snakemake, profile=given.profile)


def _plan(given: argparse.Namespace) -> int:
    from mtpeft.config.load import load
    from mtpeft.front.plan import cells_table, jobs_table, prices_text
    from mtpeft.front.study_records import changes

    configuration = load(given.configfile)
    if given.calibrate:
        from mtpeft.front.prices.calibrations import calibrate

        if code := calibrate(configuration, given.configfile, cores=given.cores):
            return code
        configuration = load(given.configfile)  # models may be known by now that were not here before
    for line in changes(configuration):
        print(f"{line}\n")
    print(cells_table(configuration), jobs_table(configuration, given.configfile), sep="\n\n", end="\n\n")
    print(prices_text(configuration, cores=given.cores, max_hours=given.max_hours))
    return 0


def _status(given: argparse.Namespace) -> None:
    if given.watch:
        from mtpeft.config.study_file import study_name
        from mtpeft.front.study_folders import RESULTS, given_or_last
        from mtpeft.front.watch.screen import watch_study

        watch_study(RESULTS / study_name(given_or_last(given.configfile)))
    else:
        from mtpeft.config.load import load
        from mtpeft.front.status import status_table

        print(status_table(load(given.configfile)))


def _report(given: argparse.Namespace) -> int:
    from mtpeft.front.report import write_report
    from mtpeft.front.study_folders import given_or_last

    code, report = write_report(given_or_last(given.configfile))
    print(f"The report is {report}; unpack it and open report.html." if code == 0 else "There is no report.")
    return code


def _track(given: argparse.Namespace) -> None:
    from mtpeft.config.study_file import study_name
    from mtpeft.front.study_folders import RESULTS, given_or_last
    from mtpeft.front.trackers.track import track

    for line in track(RESULTS / study_name(given_or_last(given.configfile)), given.to):
        print(line)


def _preview(given: argparse.Namespace) -> None:
    from mtpeft.config.load import load
    from mtpeft.front.preview import preview

    for line in preview(load(given.configfile)):
        print(line)


def _page(given: argparse.Namespace) -> None:
    from mtpeft.config.load import load
    from mtpeft.front.page.write import write_page
    from mtpeft.front.study_folders import given_or_last

    print(write_page(load(given_or_last(given.configfile))))


def _tidy(given: argparse.Namespace) -> None:
    from mtpeft.config.load import load
    from mtpeft.front.tidy import tidy

    for line in tidy(load(given.configfile), removes=given.remove):
        print(line)


def _jobs(given: argparse.Namespace) -> None:
    from mtpeft.cluster.folder_lock import lock_folder, read_holder
    from mtpeft.cluster.slurm import jobs_here
    from mtpeft.config.load import load
    from mtpeft.front.recovery import keep_finished, queue_table, recover
    from mtpeft.steps.paths import with_digests

    configuration = load(given.configfile)
    targets = [with_digests(configuration, target) for target in given.target]
    if not (given.wait or given.cancel or given.forget):
        print(f"{read_holder() or 'Nobody has worked in this folder'}.", flush=True)
        print(queue_table(jobs_here()))
        return
    with lock_folder() as lock:
        if given.forget:
            keep_finished(configuration, given.configfile, targets, lock=lock)
        else:
            recover(configuration, given.configfile, targets, lock=lock, cancels=given.cancel)
    print("No job of an earlier run is left in this folder.")


def _verify(given: argparse.Namespace) -> int:
    from mtpeft.cluster.folder_lock import lock_folder
    from mtpeft.config.load import load
    from mtpeft.core.checksums import discard_damaged
    from mtpeft.front.verify import damage, made_records

    configuration = load(given.configfile)
    found = list(damage(configuration))
    for error in found:
        print(error)
    print(f"{len(made_records(configuration))} records were compared; {len(found)} disagree with what is there.")
    if given.discard and found:
        with lock_folder():
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
    from mtpeft.core.wording import unknown
    from mtpeft.front.budgets import budget_table

    configuration = load(given.configfile)
    for mistake in unknown("--model", given.model or (), configuration.models, "models"):
        raise UserError(mistake)
    for model in given.model or configuration.models:
        print(budget_table(configuration, model))


def _methods(given: argparse.Namespace) -> None:
    from mtpeft.front.budgets import methods_table

    print(methods_table())


def _docs(given: argparse.Namespace) -> None:
    from mtpeft.front.docs import write_docs

    for page in write_docs():
        print(page)


def _schemas(given: argparse.Namespace) -> None:
    from mtpeft.front.schemas import write_schemas

    write_schemas()


def _translate(given: argparse.Namespace) -> None:
    from mtpeft.front.translate import translate_lines

    translate_lines(given.cell, given.pair)


def _curves(given: argparse.Namespace) -> None:
    from mtpeft.front.curves import draw_curves

    draw_curves(given.what, given.to)
    print(f"The curves are in {given.to}.")


def _init(given: argparse.Namespace) -> None:
    from mtpeft.front.init import write_study
    from mtpeft.front.overlay import Request

    request = Request(given.files, given.source, given.target, given.model, given.columns, given.dev, given.test)
    for line in write_study(request, given.to):
        print(line)


def _advise(given: argparse.Namespace) -> None:
    from mtpeft.front.advise.answer import answer
    from mtpeft.front.advise.request import Request

    request = Request(given.model, given.pair, given.pairs_of_text, given.memory, given.languages, given.metric)
    for line in answer(request, given.results, given.configfile, to=given.to):
        print(line)


def _export(given: argparse.Namespace) -> None:
    from mtpeft.front.export import export_cell

    export_cell(given.cell, given.to, given.form, given.pair)
    print(f"The model of {given.cell} is in {given.to}.")


def _latex(given: argparse.Namespace) -> None:
    from mtpeft.config.load import load
    from mtpeft.front.latex import write_latex

    for file in write_latex(load(given.configfile)):
        print(file)


def _upload(given: argparse.Namespace) -> None:
    from mtpeft.front.upload import upload

    print(f"{given.folder} is at {upload(given.folder, given.repository, is_private=given.private)}.")


COMMANDS = (
    Command(
        "init",
        _init,
        "write a study for a text and a model of one's own, and check it",
        RUN,
        add_init_options,
        reads_configuration=False,
    ),
    Command(
        "plan", _plan, "count the cells and jobs of each study, and price what is left of them", RUN, add_plan_options
    ),
    Command(
        "sweep",
        _sweep,
        "run the studies and draw the figures, going on where the last run stopped",
        RUN,
        add_sweep_options,
    ),
    Command(
        "status",
        _status,
        "count done, running, failed and missing cells of each study and method; watch a sweep with --watch",
        RUN,
        add_status_options,
    ),
    Command(
        "preview", _preview, "figures and findings from what is finished now, into results/<study file>/preview/", RUN
    ),
    Command("page", _page, "write the results page of the study that was run last, or of another, for a browser", USE),
    Command("latex", _latex, "tables of finished studies in LaTeX and a BibTeX file of their methods", USE),
    Command("report", _report, "write Snakemake's report of the study that was run last, or of another", USE),
    Command(
        "curves",
        _curves,
        "draw dev scores and losses of trained cells, or of a search for a learning rate",
        USE,
        add_curves_options,
        reads_configuration=False,
    ),
    Command(
        "translate",
        _translate,
        "translate lines from standard input with a trained cell",
        USE,
        add_cell_options,
        reads_configuration=False,
    ),
    Command(
        "export",
        _export,
        "write the model of a trained cell for others to use",
        USE,
        add_export_options,
        reads_configuration=False,
    ),
    Command(
        "upload",
        _upload,
        "upload an exported folder to a model hub",
        USE,
        add_upload_options,
        reads_configuration=False,
    ),
    Command(
        "advise",
        _advise,
        "say by finished cells which method and budget to take, and which cells to run next",
        USE,
        add_advise_options,
    ),
    Command(
        "track", _track, "write finished cells for TensorBoard, MLflow or Weights & Biases", USE, add_track_options
    ),
    Command("methods", _methods, "list the methods and the keys of their entries", LOOK, reads_configuration=False),
    Command(
        "budget", _budget, "print what each method trains at each budget, without weights", LOOK, add_budget_options
    ),
    Command(
        "jobs",
        _jobs,
        "list this folder's jobs on a cluster; wait for those of a killed run, or cancel them",
        KEEP,
        add_jobs_options,
    ),
    Command(
        "verify",
        _verify,
        "compare every file that was made with its record; says what is damaged",
        KEEP,
        add_verify_options,
    ),
    Command(
        "tidy",
        _tidy,
        "list text, models and cells that no study file uses, and remove them with --remove",
        KEEP,
        add_tidy_options,
    ),
    Command(
        "ship", _ship, "put the models that were pre-trained here, or made smaller, into workflow/models/", DEVELOP
    ),
    Command(
        "schemas",
        _schemas,
        "write the JSON schemas of the configuration and of the records",
        DEVELOP,
        reads_configuration=False,
    ),
    Command(
        "docs", _docs, "write the generated parts of the pages in workflow/docs/", DEVELOP, reads_configuration=False
    ),
)
"""In the order of `--help`."""

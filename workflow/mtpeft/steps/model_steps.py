"""Steps that make models: base models, and cells tuned, decoded, scored and looked into.

Each gets its files and settings as the command line has them, and loads what it needs when it runs. Those that use a
GPU wait for it before they load anything.
"""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from mtpeft.cluster.gpu_slots import take_slots
from mtpeft.core.provenance import Execution
from mtpeft.steps.step import Run, Step
from mtpeft.training.launch import is_launched, launch

if TYPE_CHECKING:
    from mtpeft.training.job import Inputs


def _on_gpus(run: Run) -> Run:
    """A step that trains, with its GPUs held while it runs, in a process for each of several."""

    def start(given: argparse.Namespace) -> None:
        if is_launched():
            from mtpeft.training.ranks import among_ranks

            with among_ranks():
                run(given)
            return
        with take_slots(max(1, given.gpus), given.cells_per_gpu):
            if given.gpus > 1:
                launch(given.arguments, processes=given.gpus)
            else:
                run(given)

    return start


def _execution(given: argparse.Namespace) -> Execution:
    return Execution(given.micro_batch_tokens or None, sharded=bool(given.sharded))


def _pretrain(given: argparse.Namespace) -> None:
    from mtpeft.training.attempts import starting, state_of

    with starting(state_of(given.record)):
        from mtpeft.training.pretrain import pretrain

    pretrain(
        given.settings,
        tokenizer=given.tokenizer,
        train_arrays=given.train,
        dev_arrays=given.dev,
        record=given.record,
        execution=_execution(given),
    )


def _hub(given: argparse.Namespace) -> None:
    from mtpeft.models.hub import fetch_model

    fetch_model(given.settings, record=given.record)


def _extend(given: argparse.Namespace) -> None:
    from mtpeft.steps.extend_model import extend_model

    extend_model(given.settings, base=given.base, texts=given.texts, record=given.record)


def _local(given: argparse.Namespace) -> None:
    from mtpeft.models.local import describe_local

    describe_local(given.settings, record=given.record)


def _train(given: argparse.Namespace) -> None:
    if given.settings["method"]["tuner"] in ("none", "retrieval"):
        from mtpeft.training.untrained import record_untrained

        subset = next(iter(given.subset), None)
        record_untrained(given.settings, given.cell, base=given.base, subset=subset, record=given.record)
        return
    _on_gpus(_finetune)(given)


def _finetune(given: argparse.Namespace) -> None:
    from mtpeft.training.attempts import starting, state_of

    with starting(state_of(given.record)):
        from mtpeft.training.finetune import finetune
        from mtpeft.training.rate_search import chosen_rate

    if given.rate:
        given.settings["optimisation"]["learning_rate"] = chosen_rate(given.rate)
    told = {"inputs": _inputs(given), "execution": _execution(given)}
    finetune(given.settings, given.cell, record=given.record, **told)


def _judge(given: argparse.Namespace) -> None:
    with take_slots(1, given.cells_per_gpu):
        from mtpeft.training.evaluate import judge_base

        judge_base(given.settings, base=given.base, dev=given.dev, dev_text=given.dev_text, record=given.record)


def _tune(given: argparse.Namespace) -> None:
    from mtpeft.cells import label_of
    from mtpeft.config.rates import CLASS
    from mtpeft.training.attempts import search_state_of, starting

    with starting(search_state_of(given.record)):
        from mtpeft.training.rate_search import tune

    *labels, budget = given.record.with_suffix("").parts[-len(CLASS) :]
    labels = dict(zip(CLASS, [*labels, label_of(budget)], strict=True))
    told = {"inputs": _each_inputs(given), "execution": _execution(given)}
    tune(given.settings, labels=labels, record=given.record, **told)


def _rates(given: argparse.Namespace) -> None:
    from mtpeft.analysis.rates_table import write_rates

    write_rates(given.records, given.output)


def _inputs(given: argparse.Namespace) -> "Inputs":
    first, *others = _each_inputs(given)
    return replace(first, others=tuple(others))


def _each_inputs(given: argparse.Namespace) -> "list[Inputs]":
    """Files of each member of a group, or of each trial of a rate."""
    from mtpeft.training.job import Inputs

    files = (given.train, given.dev, given.dev_text, given.subset, given.start or [None] * len(given.train))
    return [Inputs(given.base, *own) for own in zip(*files, strict=True)]


def _decode(given: argparse.Namespace) -> None:
    from mtpeft.core.files import read_record
    from mtpeft.training.kept import forget

    forget(given.trained.parent / "state")
    train = read_record(given.trained)
    tests = {file.stem: file for file in given.tests}
    if train["status"] == "diverged":
        from mtpeft.decoding.retrieval import pass_divergence_on

        pass_divergence_on(given.settings, given.cell, trained=given.trained, tests=tests, record=given.record)
    elif train["settings"]["method"]["tuner"] == "retrieval":
        from mtpeft.decoding.retrieval import retrieve

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
        with take_slots(1, given.cells_per_gpu):
            from mtpeft.decoding.decode import decode

            decode(given.settings, given.cell, trained=given.trained, tests=tests, record=given.record)


def _score(given: argparse.Namespace) -> None:
    from mtpeft.metrics.score import score

    references = {file.stem: file for file in given.references}
    score(given.settings, given.cell, decoded=given.decoded, references=references, record=given.record)


def _represent(given: argparse.Namespace) -> None:
    with take_slots(1, given.cells_per_gpu):
        from mtpeft.decoding.represent import represent

        represent(given.settings, given.cell, trained=given.trained, dev=given.dev, record=given.record)


def _install_comet(given: argparse.Namespace) -> None:
    from mtpeft.metrics.comet.environment import install_comet

    install_comet(given.settings, record=given.record)


def _comet_model(given: argparse.Namespace) -> None:
    from mtpeft.metrics.comet.model import take_in_model

    take_in_model(given.settings, environment=given.environment, record=given.record)


def _comet(given: argparse.Namespace) -> None:
    from mtpeft.metrics.comet.score import score_with_comet

    with take_slots(1):
        score_with_comet(
            given.settings,
            given.cell,
            decoded=given.decoded,
            references={file.stem: file for file in given.references},
            model=given.model,
            environment=given.environment,
            record=given.record,
        )


TRAINING_STEPS = ("pretrain", "tune", "train")
"""Steps that may run on several GPUs."""
GPU_STEPS = ("pretrain", "judge", "tune", "train", "decode", "represent")
"""Steps that use a GPU where there is one, and may share it with others of the same kind."""

MODEL_STEPS: dict[str, Step] = {
    "pretrain": (_on_gpus(_pretrain), "tokenizer train* dev* record", "pre-train a base model"),
    "hub": (_hub, "record", "fetch a base model from a hub"),
    "extend": (_extend, "base texts* record", "add entries to the vocabulary of a base model"),
    "local": (_local, "record", "take in a base model from a folder"),
    "judge": (_judge, "base dev dev-text record", "decode and score the dev set with an untouched base model"),
    "tune": (_on_gpus(_tune), "base train* dev* dev-text* subset* start* record", "search for a learning rate"),
    "rates": (_rates, "records* output", "collect searches for learning rates into a table"),
    "train": (_train, "base? train* dev* dev-text* subset* start* rate? record", "fine-tune a cell"),
    "decode": (_decode, "trained tests* memory? subset? record", "translate the test sets with a cell"),
    "score": (_score, "decoded references* record", "score a cell's hypotheses"),
    "represent": (_represent, "trained dev record", "measure the rank of the hidden states of a cell's layers"),
    "install_comet": (_install_comet, "record", "install COMET beside the workflow"),
    "comet_model": (_comet_model, "environment record", "take in the model that COMET scores with"),
    "comet": (_comet, "decoded references* model environment record", "score a cell's hypotheses with COMET"),
}

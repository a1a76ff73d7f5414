"""What training and decoding took: by the records of finished cells, of searches for rates, and of calibrations."""

import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from mtpeft.cells import CELLS_FOLDER, EXPERTS_FOLDER, OTHERS_FOLDER, Cell, label_of
from mtpeft.config.schema import Configuration
from mtpeft.core.files import read_if_whole
from mtpeft.core.options import DecodingOptions
from mtpeft.front.prices.text import Text, sentences_of, text_in, text_of
from mtpeft.front.prices.work import (
    FLOAT32,
    Kind,
    Trained,
    Work,
    decoding_work,
    evaluation_work,
    kind_of,
    trained_by,
    update_work,
)
from mtpeft.methods import METHODS, method_of
from mtpeft.methods.budget import OutOfReachError
from mtpeft.models.architecture import ModelShape
from mtpeft.models.families import read_shape
from mtpeft.models.operations import ModelSizes, model_sizes
from mtpeft.steps.base_models import model_name

CALIBRATIONS, SEARCHES = Path("results/calibration"), Path("results/rates")
"""Folders of the records of calibrations, `<model>/<method>.json`, and of searches for learning rates."""
MeasuredBy = Literal["cell", "served", "trial", "calibration"]
Record = Mapping[str, Any]


@dataclass(frozen=True)
class _Base:
    """A base model whose folder is still here.

    Attributes:
        name: with its digest.
        shape: by its config.json.
        sizes: the numbers of the shape.
    """

    name: str
    shape: ModelShape
    sizes: ModelSizes


Bases = Callable[[str], _Base | None]
"""Gives a base model by the path of its record."""


@dataclass(frozen=True)
class Measured:
    """Something that was measured.

    Attributes:
        name: of the cell, of the trial, or of the model and the method.
        kind: of its work.
        training: work of its training, with the evaluations on dev.
        train_seconds: what that took, in seconds of one core.
        decoding: work of translating its test sets, or the batch of a calibration; none of a trial.
        decode_seconds: what that took.
        host: machine that it ran on.
        by: what measured it; `served` is a cell that was decoded with some of its experts.
    """

    name: str
    kind: Kind
    training: Work
    train_seconds: float
    decoding: Work
    decode_seconds: float
    host: str
    by: MeasuredBy = "cell"


def measured_here(configuration: Configuration) -> list[Measured]:
    """Return what was measured on this machine or, where nothing was, on others whose results lie here."""
    bases = cache(_base)
    found = [*_finished(configuration, bases), *_searched(configuration, bases), *_calibrated(bases)]
    return [own for own in found if own.host == socket.gethostname()] or found


def _finished(configuration: Configuration, bases: Bases) -> Iterator[Measured]:
    """Yield the finished cells of all studies whose base model is still here."""
    for record in sorted(CELLS_FOLDER.glob("*/*/*/*/*/*/train.json")):
        train = _read(record)
        others = sorted(record.parent.glob(f"{OTHERS_FOLDER}/*/decode.json"))
        decoded = [_read(record.with_name("decode.json")), *(_read(file) for file in others if _is_own(train, file))]
        base = bases(train.get("inputs", {}).get("base", ""))
        if base and (found := _of_cell(configuration, base, train, [own for own in decoded if own])):
            yield found
        if base:
            yield from _served(base, train, record.parent)


def _served(base: _Base, train: Record, folder: Path) -> Iterator[Measured]:
    """Yield the decodings of a cell with some of its experts."""
    for file in sorted(folder.glob(f"{EXPERTS_FOLDER}/*/*/served.json")):
        record = _read(file)
        text = text_in(own["tokens"] for own in record.get("test_sets", {}).values() if "tokens" in own)
        if text is not None and train.get("status") == "ok" and train["params"]["method"]["method"] in METHODS:
            yield Measured(
                name=str(file.parent),
                kind=replace(_kind(base, train), with_experts=True),
                training=Work(),
                train_seconds=0.0,
                decoding=decoding_work(base.sizes, text, _search(record)),
                decode_seconds=_seconds(record, "decode_seconds", "processor_seconds"),
                host=record["execution"]["host"],
                by="served",
            )


def _is_own(train: Record, decoded: Path) -> bool:
    """Return whether a decoding is on a pair of the group that a cell was trained on."""
    return label_of(decoded.parent.name) in train.get("params", {}).get("members", {})


def _of_cell(configuration: Configuration, base: _Base, train: Record, decoded: list[Record]) -> Measured | None:
    """Return what a cell took; None where its records do not say enough."""
    text = text_in(own["tokens"] for record in decoded for own in record["test_sets"].values() if "tokens" in own)
    if text is None or train["status"] != "ok" or train["params"]["method"]["method"] not in METHODS:
        return None
    training = _training(configuration, base, train, text)
    if training is None:
        return None
    return Measured(
        name=Cell(**train["cell"]).path,
        kind=_kind(base, train),
        training=training,
        train_seconds=_seconds(train, "train_seconds", "processor_seconds"),
        decoding=decoding_work(base.sizes, text, _search(train)),
        decode_seconds=sum(_seconds(record, "decode_seconds", "processor_seconds") for record in decoded),
        host=train["execution"]["host"],
    )


def _training(configuration: Configuration, base: _Base, train: Record, text: Text) -> Work | None:
    """Return the work of a training by its record, with the lengths of its test sets; None if its size is unknown."""
    params = train["params"]
    method = method_of(params["method"])
    if method.trains == "none":
        return Work()
    trained = _trained(base, params)
    if trained is None:
        return None
    batch_tokens, pairs = params["optimisation"]["batch_tokens"], train["training_pairs"]
    own = update_work(base.sizes, trained.part, text, batch_tokens=batch_tokens, pairs=pairs)
    dev = sum(sentences_of(configuration, pair, "dev") for pair in params.get("members", [train["cell"]["pair"]]))
    read = evaluation_work(base.sizes, replace(text, sentences=dev), _search(train), params.get("evaluation", {}))
    return own.times(train["updates"]) + read.times(len(train["dev_history"]) - method.starts_as_base)


def _searched(configuration: Configuration, bases: Bases) -> Iterator[Measured]:
    """Yield the trials of searches for the learning rates of models and pairs that the configuration has."""
    for file in sorted(SEARCHES.glob("*/*/*/*.json")):
        record = _read(file)
        base = bases(record.get("inputs", {}).get("base", ""))
        model = record.get("labels", {}).get("model")
        if base and model in configuration.models and model_name(configuration, model) == base.name:
            for trial in record["trials"]:
                if found := _of_trial(configuration, base, record, trial):
                    yield replace(found, name=f"{file.with_suffix('')}/{found.name}")


def _of_trial(configuration: Configuration, base: _Base, record: Record, trial: Record) -> Measured | None:
    """Return what a trial took; None where it has diverged, or the configuration has not its pair."""
    searched, model = record["params"], record["labels"]["model"]
    pair, seed = trial["pair"] or searched["pair"], trial["seed"]
    params = searched["trial"] if "trial" in searched else searched["trials"][f"{pair}/{seed}"]
    trained = _trained(base, params) if trial["status"] == "ok" and pair in configuration.pairs else None
    if trained is None:
        return None
    text, dev = (text_of(configuration, model, pair, part) for part in ("train", "dev"))
    batch_tokens, pairs = params["optimisation"]["batch_tokens"], searched["training_pairs"]
    update = update_work(base.sizes, trained.part, text, batch_tokens=batch_tokens, pairs=pairs)
    search = DecodingOptions.model_validate(params["search"])
    read = evaluation_work(base.sizes, dev, search, params.get("evaluation", {}))
    evaluations = len(trial["dev_history"]) - method_of(params["method"]).starts_as_base
    return Measured(
        name=f"{trial['learning_rate']:g}/{pair}/{seed}",
        kind=_kind(base, {"params": params}),
        training=update.times(trial["dev_history"][-1]["step"]) + read.times(evaluations),
        train_seconds=_seconds({**trial, "execution": record["execution"]}, "seconds", "processor_seconds"),
        decoding=Work(),
        decode_seconds=0.0,
        host=record["execution"]["host"],
        by="trial",
    )


def _calibrated(bases: Bases) -> Iterator[Measured]:
    """Yield the calibrations whose base model is still here."""
    for file in sorted(CALIBRATIONS.glob("*/*.json")):
        record = _read(file)
        base = bases(record.get("inputs", {}).get("base", ""))
        trained = _trained(base, record["params"]) if base else None
        text, decoded = (text_in([record.get(name, {})]) for name in ("trained_text", "decoded_text"))
        if base is None or trained is None or text is None or decoded is None:
            continue
        batch_tokens = record["params"]["optimisation"]["batch_tokens"]
        update = update_work(base.sizes, trained.part, text, batch_tokens=batch_tokens, pairs=record["pairs"])
        yield Measured(
            name="/".join(record["labels"].values()),
            kind=_kind(base, record),
            training=update.times(record["updates"]),
            train_seconds=_seconds(record, "update_seconds", "update_processor_seconds"),
            decoding=decoding_work(base.sizes, decoded, _search(record)),
            decode_seconds=_seconds(record, "decode_seconds", "decode_processor_seconds"),
            host=record["execution"]["host"],
            by="calibration",
        )


def _base(record: str) -> _Base | None:
    """Return a base model by its record; None where the model has gone."""
    config = _read(Path(_read(Path(record)).get("folder", "")) / "config.json")
    if not config:
        return None
    shape = read_shape(config)
    return _Base(Path(record).parent.name, shape, model_sizes(shape))


def _trained(base: _Base, params: Mapping[str, Any]) -> Trained | None:
    """Return what a method trains; None where its present version can't, so that the record is of an earlier one."""
    try:
        return trained_by(params["method"], base.shape, params["budget"])
    except OutOfReachError:
        return None


def _kind(base: _Base, record: Record) -> Kind:
    """Return the kind of a training or a calibration."""
    precision = record["params"].get("optimisation", {}).get("precision", FLOAT32)
    return kind_of(base.name, record["params"]["method"], precision)


def _search(record: Record) -> DecodingOptions:
    return DecodingOptions.model_validate(record["params"]["search"])


def _seconds(record: Record, passed: str, used: str) -> float:
    """Return seconds of one core: those that a processor was used for or, where it waits for a GPU, those that passed.

    Older records say only how many passed, which are more where other work was done beside.
    """
    execution = record["execution"]
    processes = execution.get("processes", 1)
    if execution["device"] == "cpu" and record.get(used) is not None:
        return record[used] * processes
    return record[passed] * execution["threads"] * processes


def _read(file: Path) -> Record:
    """Return a record; an empty one where there is none."""
    read = read_if_whole(file) if file.is_file() else None
    return read[0] if read else {}

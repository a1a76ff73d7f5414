"""Train one cell: a base model, a method at its budget, a subset of a pair's text."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mtpeft.cells import Cell
from mtpeft.corpus.tsv import read_pairs
from mtpeft.decoding.search import Search, translate
from mtpeft.errors import UserError
from mtpeft.execution import describe, peak_memory_mb, versions
from mtpeft.methods import METHODS
from mtpeft.methods.budget import Allocation, allocation_of
from mtpeft.models.languages import language_code
from mtpeft.models.load import load_base, parameters, prepare_torch, random_model
from mtpeft.models.shapes import ModelShape, read_shape
from mtpeft.record_types import TrainRecord
from mtpeft.records import canonical, publish_folder, read_lines, read_record, sha256_of, write_record
from mtpeft.scoring.metrics import chrf
from mtpeft.tokens.arrays import model_inputs, read_arrays
from mtpeft.tokens.encode import load_tokenizer, text_of
from mtpeft.training.batches import BatchOrder
from mtpeft.training.interrupt import watching
from mtpeft.training.loop import Plan, Run, Task, train
from mtpeft.training.resources import resource_failures
from mtpeft.training.state import only_writer

Batch = Callable[[int], Mapping[str, torch.Tensor]]


@dataclass(frozen=True)
class Counted:
    """The base model's shape and what the cell trains of it, known before any weight is loaded."""

    shape: ModelShape
    allocation: Allocation


@dataclass(frozen=True)
class Inputs:
    """Files that a cell is trained from; the test set is not among them."""

    base: Path
    train: Path
    dev: Path
    dev_text: Path
    subset: Path


def finetune(settings: Mapping[str, Any], cell: Cell, *, inputs: Inputs, record: Path) -> None:
    """Train the cell and write `tuned/` and the record.

    Raises:
        TryAgainError: stopped early, with the state saved, or somebody else trains this cell.
    """
    device = prepare_torch(settings["threads"])
    base = read_record(inputs.base)
    config = json.loads((Path(base["folder"]) / "config.json").read_text(encoding="utf-8"))
    counted = Counted(
        shape := read_shape(config),
        allocation_of(METHODS[settings["method"]["tuner"]], settings["method"], shape, share=settings["budget"]),
    )
    hashes = _hashes(base, inputs)
    state = record.parent / "state"
    with resource_failures(), only_writer(state), watching() as clock:
        model = _model(settings, Path(base["folder"]), counted).to(device)
        task = Task(
            model=model,
            batch=_batches(settings, inputs, start=model.config.decoder_start_token_id),
            evaluate=_dev_chrf(settings, model, Path(base["folder"]), inputs),
            identity=canonical({"settings": settings, "inputs": hashes}),
        )
        run = train(task, _plan(settings), state_folder=state, clock=clock)
        tuned = save_tuned(model, record.parent / "tuned", diverged=run.status == "diverged")
        content = _record(
            settings,
            cell,
            run,
            counted=counted,
            inputs={"base": str(inputs.base), **hashes},
            training_pairs=len(read_lines(inputs.subset)),
            tuned=tuned,
        )
        write_record(record, content.model_dump() | {"execution": describe(str(device), settings["threads"])})
        shutil.rmtree(state, ignore_errors=True)


def _hashes(base: Mapping[str, Any], inputs: Inputs) -> dict[str, str]:
    """Hashes of all that is trained on; those of the base model are compared with its record.

    Raises:
        UserError: the base model's files are not those that were recorded.
    """
    folder = Path(base["folder"])
    found = {name: sha256_of(folder / name) for name in base["sha256"]}
    if changed := sorted(name for name, digest in base["sha256"].items() if found[name] != digest):
        raise UserError(f"{folder / changed[0]} has changed since {inputs.base} was written; delete that record.")
    files = {name: file for name, file in vars(inputs).items() if name != "base"}
    return {f"base_{name}_sha256": digest for name, digest in found.items()} | {
        f"{name}_sha256": sha256_of(file) for name, file in files.items()
    }


def _model(settings: Mapping[str, Any], folder: Path, counted: Counted) -> nn.Module:
    """The model to train, which holds exactly the parameters that were counted."""
    method = METHODS[settings["method"]["tuner"]]
    dropout = {"dropout": settings["optimisation"]["dropout"]}
    if method.from_scratch:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        base = random_model(config, seed=settings["seed"], **dropout)
    else:
        base = load_base(folder, **dropout)
    torch.manual_seed(settings["seed"])
    model = method.apply(base, counted.allocation.sizes, settings["method"])
    total, trained = parameters(model)
    built = total if method.trains == "all" else total - trained
    if (built, trained) != (counted.shape.total, counted.allocation.trained):
        raise AssertionError(
            f"counted {counted.allocation.trained} trained of {counted.shape.total} parameters, "
            f"built {trained} of {built}"
        )
    return model


def _batches(settings: Mapping[str, Any], inputs: Inputs, *, start: int) -> Batch:
    pairs = read_arrays(inputs.train)
    rows = [int(line) for line in read_lines(inputs.subset)]
    order = BatchOrder(pairs.longer[rows], settings["optimisation"]["batch_tokens"], settings["seed"])

    def batch(update: int) -> Mapping[str, torch.Tensor]:
        chosen = [rows[index] for index in order.rows(update)]
        return model_inputs([pairs.source[row] for row in chosen], [pairs.target[row] for row in chosen], start=start)

    return batch


def _dev_chrf(settings: Mapping[str, Any], model: nn.Module, folder: Path, inputs: Inputs) -> Callable[[], float]:
    tokenizer = load_tokenizer(folder)
    search = Search(**settings["search"])
    language_token = tokenizer.convert_tokens_to_ids(language_code(settings["languages"]["target"]))
    dev = read_arrays(inputs.dev).source
    sources = [dev[row] for row in range(len(dev))]
    references = [pair.target for pair in read_pairs(inputs.dev_text)]

    def evaluate() -> float:
        hypotheses = translate(model, sources, search, language_token=language_token)
        return chrf(text_of(tokenizer, hypotheses), references)

    return evaluate


def _plan(settings: Mapping[str, Any]) -> Plan:
    optimisation = settings["optimisation"]
    longer = settings["method"].get("longer", 1)
    return Plan(
        updates=longer * optimisation["updates"],
        learning_rate=optimisation["learning_rate"],
        warmup=optimisation["warmup"],
        label_smoothing=optimisation["label_smoothing"],
        weight_decay=optimisation["weight_decay"],
        clip_norm=optimisation["clip_norm"],
        evaluations=longer * optimisation["evaluations"],
        seed=settings["seed"],
        patience=settings["method"].get("patience"),
    )


def save_tuned(model: nn.Module, folder: Path, *, diverged: bool) -> Path:
    """Write the trained weights as a peft folder or a model folder, whole or not at all; nothing where it diverged."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    if not diverged:
        model.save_pretrained(temporary)
        (temporary / "README.md").unlink(missing_ok=True)
        _sort_adapter_config(temporary / "adapter_config.json")
    publish_folder(temporary, folder)
    return folder


def _sort_adapter_config(file: Path) -> None:
    """Peft keeps the target modules in a set, whose order is another in every process."""
    if file.exists():
        config = read_record(file)
        write_record(file, config | {"target_modules": sorted(config["target_modules"])})


def _record(
    settings: Mapping[str, Any],
    cell: Cell,
    run: Run,
    *,
    counted: Counted,
    inputs: dict[str, str],
    training_pairs: int,
    tuned: Path,
) -> TrainRecord:
    return TrainRecord(
        cell=vars(cell),
        status=run.status,
        settings=dict(settings),
        execution={},
        versions=versions(),
        inputs=inputs,
        total_parameters=counted.shape.total,
        trained_parameters=counted.allocation.trained,
        budget_requested=settings["budget"],
        budget_achieved=counted.allocation.trained / counted.shape.total,
        left_over_parameters=counted.allocation.left_over,
        sizes=dict(counted.allocation.sizes),
        training_pairs=training_pairs,
        learning_rate=settings["optimisation"]["learning_rate"],
        updates=run.step,
        best_step=run.best_step if run.status == "ok" else None,
        dev_history=run.history,
        starts=run.starts,
        train_seconds=round(run.seconds, 2),
        tokens_per_second=round(run.tokens / max(run.seconds, 1e-9), 1),
        peak_memory_mb=peak_memory_mb(),
        stored_bytes=sum(file.stat().st_size for file in tuned.rglob("*") if file.is_file()),
    )

"""Fine-tune one cell: a base model, a method at its budget, and a training subset of one or several language pairs."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import nn

from mtpeft.cells import Cell
from mtpeft.cluster.preemption import PreemptionHandler
from mtpeft.core.checksums import checksums_in, require_whole
from mtpeft.core.errors import UserError
from mtpeft.core.files import canonical, new_folder, read_lines, read_record, sha256_of, write_record
from mtpeft.core.provenance import PLAIN, Execution, describe, peak_memory_mb, versions
from mtpeft.core.records import TrainRecord
from mtpeft.data.token_arrays import read_arrays
from mtpeft.methods import bring_in_for, method_for
from mtpeft.methods.base import UpdateHook
from mtpeft.methods.full import ScratchOptions
from mtpeft.methods.sequence_prefix_adapter import target_prefix_length
from mtpeft.methods.staged import StageOptions, stages_of
from mtpeft.methods.task_ids import task_modules
from mtpeft.models.computation import warn_of_slow_precision
from mtpeft.models.families import read_shape
from mtpeft.models.load import device_here, prepare_torch
from mtpeft.models.precision import BasePrecision, precision_of, require_quantisation
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import open_tokenizer, prompt_keys, special_tokens_of
from mtpeft.training.attempt_log import FINISHED, Entry, attempting, state_folder
from mtpeft.training.batches import TrainingText, cell_batches, ready_for, single_sentences
from mtpeft.training.build_model import ParameterCount, build_stages, count_trained, sizes_at_end
from mtpeft.training.contrastive import objective
from mtpeft.training.distributed import is_first, of_the_first, ranks, whole_weights
from mtpeft.training.evaluate import dev_chrf, dev_search, mean_over_pairs, read_dev_set
from mtpeft.training.fused_loss import loss_packages
from mtpeft.training.loop import TrainingPlan, TrainingRun, TrainingTask, train
from mtpeft.training.objective import LossOptions
from mtpeft.training.optimizer import decay_rule_of, rate_factor_of
from mtpeft.training.params import CellParams
from mtpeft.training.result_cache import keep_or_clear, restore

FITTED_ON = 64
"""Sentence pairs of the training text that an initialisation reads, where it reads any."""


@dataclass(frozen=True)
class CellInputs:
    """The files that a cell is trained from; the test set is not among them.

    Of a cell on several language pairs these are the files of the first, and `others` has the files of the other pairs
    in the order of the group.

    Attributes:
        base: record of the base model.
        train: token arrays of the training text.
        dev: token arrays of the dev set.
        dev_text: text of the dev set.
        subset: rows of the training text that the cell reads.
        start: record of the base model's dev score, for methods that start from the base model as it is.
        others: files of the other language pairs.
        parent: record of the training of the cell with whose weights this one begins, if it begins with another's.
    """

    base: Path
    train: Path
    dev: Path
    dev_text: Path
    subset: Path
    start: Path | None = None
    others: tuple["CellInputs", ...] = ()
    parent: Path | None = None

    @property
    def pairs(self) -> "tuple[CellInputs, ...]":
        """Files of each language pair."""
        return (self, *self.others)


@dataclass(frozen=True)
class PreparedTraining:
    """A training before any weight is loaded.

    Attributes:
        params: what the training depends on besides its files.
        learning_rate: peak learning rate: that of the params, or the one that a search has found; None in a search.
        folder: of the base model.
        prompt: keys of the base model that say what is written around a source.
        inputs: files that it reads.
        hashes: hashes of what it reads, by the key that they have in its record.
        counted: what will be trained.
        precision: of the base model's weights.
        device: where it runs.
        execution: how it runs.
    """

    params: CellParams
    learning_rate: float | None
    folder: Path
    prompt: Mapping[str, Any]
    inputs: CellInputs
    hashes: Mapping[str, str]
    counted: ParameterCount
    precision: BasePrecision
    device: torch.device
    execution: Execution


def finetune(
    params: Mapping[str, Any],
    cell: Cell,
    *,
    inputs: CellInputs,
    record: Path,
    rate: Path | None = None,
    execution: Execution = PLAIN,
) -> None:
    """Train the cell and write `tuned/` and the record.

    Args:
        params: of the training.
        cell: whose labels stand in the record.
        inputs: files that are read.
        record: `train.json` of the cell.
        rate: record of the search that has found the learning rate, where the params name a search.
        execution: how it runs.

    Raises:
        TryAgainError: training was stopped early, with its state saved, or another process trains this cell.
    """
    state = state_folder(record)
    with attempting(state) as attempt:
        prepared = prepare_training(params, inputs, execution, rate=rate)
        with attempt.preemption.uninterrupted():
            is_restored = is_first() and restore(state, record, params=params, hashes=prepared.hashes)
        if of_the_first(is_restored):
            return
        model, run = run_training(prepared, state_folder=state, preemption=attempt.preemption)
        finish = method_for(prepared.params.method).finish
        model = finish(model) if finish else model
        sizes = sizes_at_end(prepared.counted, prepared.params.method, model)
        with whole_weights(model) as options:
            if not is_first():
                return
            tuned = save_tuned(model, record.parent / "tuned", diverged=run.status == "diverged", **options)
        content = _record(prepared, cell, run, tuned=tuned, sizes=sizes, attempts=attempt.end(FINISHED))
        write_record(record, content.model_dump())
        keep_or_clear(state, record)


def prepare_training(
    params: Mapping[str, Any], inputs: CellInputs, execution: Execution = PLAIN, *, rate: Path | None = None
) -> PreparedTraining:
    """Parse the params, hash the inputs and count what will be trained.

    Raises:
        DamagedError: the base model's files are not those that were taken in.
        UserError: the method can't meet the budget, or the base model can't be quantised here.
    """
    bring_in_for(params["method"])
    base = require_whole(inputs.base)
    precision = precision_of(params, base["model"])
    require_quantisation(precision, device_here())
    config = json.loads((Path(base["folder"]) / "config.json").read_text(encoding="utf-8"))
    parsed = CellParams.of(params)
    hashes = _hashes(base, inputs, parsed.pairs)
    warn_of_slow_precision("training.precision", parsed.optimisation.precision, device_here())
    return PreparedTraining(
        params=parsed,
        learning_rate=_learning_rate(parsed, rate),
        folder=Path(base["folder"]),
        prompt=prompt_keys(base["params"]),
        inputs=inputs,
        hashes=hashes | ({"rate_sha256": sha256_of(rate)} if rate else {}),
        counted=count_trained(parsed.method, read_shape(config), budget=parsed.budget),
        precision=precision,
        device=prepare_torch(parsed.threads),
        execution=execution,
    )


def run_training(
    prepared: PreparedTraining, *, state_folder: Path, preemption: PreemptionHandler
) -> tuple[nn.Module, TrainingRun]:
    """Train to the end, or on from a saved state; returns the model with the weights of the best dev score.

    A method with stages trains the first, then the first and the second, and so on, for as many updates each.

    Raises:
        StoppedError: training was stopped early, with its state saved.
    """
    runs: list[TrainingRun] = []
    params, stages = prepared.params, len(stages_of(prepared.params.method))
    for number, model in enumerate(stage_models(prepared)):
        folder = state_folder if stages == 1 else state_folder / f"stage{number}"
        folder.mkdir(parents=True, exist_ok=True)
        start = None if number else _start_score(prepared.inputs)
        task = training_task(prepared, model, start=start, first_update=sum(run.step for run in runs))
        if fit := method_for(params.method).fit:
            fit(model, params.method, single_sentences(map(task.batch, count()), FITTED_ON))
        plan = plan_of(params, prepared.learning_rate, stage=number)
        runs.append(train(task, plan, state_folder=folder, preemption=preemption))
        if runs[-1].status != "ok":
            break
    return model, joined_stages(runs)


def stage_models(prepared: PreparedTraining) -> Iterator[nn.Module]:
    """Yield the model to train, once for each stage of the method."""
    return build_stages(
        prepared.folder,
        prepared.params,
        prepared.counted,
        precision=prepared.precision,
        device=prepared.device,
        execution=prepared.execution,
        start=_start_of(prepared.inputs.parent),
    )


def joined_stages(runs: Sequence[TrainingRun]) -> TrainingRun:
    """Join the runs of a method's stages into one.

    If a later stage improves nothing and starts at the best score of the earlier stages, the best step of the earlier
    stages is kept. If it improves nothing but starts at another score, adding the stage has changed the model, and the
    best step is the last update of the earlier stages.
    """
    whole = runs[0]
    for run in runs[1:]:
        kept = run.best_step == 0 and run.best_score == whole.best_score
        whole = replace(
            run,
            step=whole.step + run.step,
            best_step=whole.best_step if kept else whole.step + run.best_step,
            tokens=whole.tokens + run.tokens,
            positions=whole.positions + run.positions,
            padding=whole.padding + run.padding,
            seconds=whole.seconds + run.seconds,
            history=[*whole.history, *({**entry, "step": whole.step + entry["step"]} for entry in run.history)],
            starts=max(whole.starts, run.starts),
            processor_seconds=whole.processor_seconds + run.processor_seconds,
        )
    return whole


def _learning_rate(params: CellParams, rate: Path | None) -> float | None:
    """Return the learning rate of the params, or the one in the record of the search that they name.

    Raises:
        UserError: they name a search, and its record is not given.
    """
    if rate is not None:
        return float(read_record(rate)["learning_rate"])
    known = params.optimisation.learning_rate
    if isinstance(known, dict):
        raise UserError("The params name a search for the learning rate; give its record with '--rate'.")
    return known


def _hashes(base: Mapping[str, Any], inputs: CellInputs, pairs: Collection[str]) -> dict[str, str]:
    """Return the hashes of all that is trained on; those of several language pairs bear their labels."""
    labelled = zip([f"_{label}" for label in pairs] or [""], inputs.pairs, strict=True)
    return {f"base_{name}_sha256": digest for name, digest in base["sha256"].items()} | {
        f"{name}{label}_sha256": sha256_of(file)
        for label, own in labelled
        for name, file in vars(own).items()
        if file and name not in ("base", "others")
    }


def _start_of(parent: Path | None) -> Path | None:
    """Return the folder with the weights of the cell with which a training begins.

    Raises:
        DamagedError: they are not those that were trained.
        UserError: the cell has diverged.
    """
    if parent is None:
        return None
    if require_whole(parent)["status"] == "diverged":
        raise UserError(f"The cell {parent.parent} has diverged, so no training can start from it; name another one.")
    return parent.parent / "tuned"


def _start_score(inputs: CellInputs) -> float | None:
    """Return the dev score of the untouched base model, the mean over its language pairs, where it is known."""
    records = [own.start for own in inputs.pairs if own.start]
    return fmean(read_record(record)["dev_score"] for record in records) if records else None


def training_task(
    prepared: PreparedTraining, model: nn.Module, *, start: float | None, first_update: int
) -> TrainingTask:
    """Return what a stage trains, on which batches, and how it is evaluated.

    Args:
        prepared: the training.
        model: of this stage.
        start: dev score before the first update, where it is known.
        first_update: number of updates that the stages before have made.
    """
    params, optimisation = prepared.params, prepared.params.optimisation
    tokenizers = [
        open_tokenizer(prepared.folder, own, vocabulary=prepared.folder.name, **prepared.prompt)
        for own in params.languages
    ]
    specials = [special_tokens_of(tokenizer, model.config) for tokenizer in tokenizers]
    search = dev_search(params.search, params.evaluation)
    evaluations = [
        dev_chrf(
            model,
            search,
            dev=read_dev_set(own.dev, own.dev_text, params.evaluation.sentences),
            tokenizer=tokenizer,
            special_tokens=special_tokens,
        )
        for own, tokenizer, special_tokens in zip(prepared.inputs.pairs, tokenizers, specials, strict=True)
    ]
    texts = training_texts(prepared.inputs, specials)
    require_room_for_prefix(target_prefix_length(model), texts)
    batch = cell_batches(
        texts, batch_tokens=optimisation.batch_tokens, temperature=optimisation.temperature, seed=params.seed
    )
    hook, minimised = method_for(params.method).hook, objective(params.method.losses)
    identity = {"params": params.plain, "inputs": prepared.hashes, "learning_rate": prepared.learning_rate}
    return TrainingTask(
        model=model,
        batch=ready_for(prepared.device, lambda update: batch(first_update + update)),
        evaluate=mean_over_pairs(model, evaluations),
        start=start,
        identity=canonical(identity),
        rate_factor=rate_factor_of(params.method),
        decays=decay_rule_of(params.method),
        objective=lambda update: minimised,
        task_modules=task_modules(model),
        hook=hook(model) if hook else UpdateHook(),
        execution=prepared.execution,
    )


def training_texts(inputs: CellInputs, specials: Sequence[SpecialTokens]) -> list[TrainingText]:
    """Return what is read of each language pair, given the special tokens for each target language."""
    return [
        TrainingText(read_arrays(own.train), [int(line) for line in read_lines(own.subset)], special_tokens)
        for own, special_tokens in zip(inputs.pairs, specials, strict=True)
    ]


def require_room_for_prefix(prefix_length: int, texts: Sequence[TrainingText]) -> None:
    """Refuse targets that don't fit into the model behind a trained prefix of the target.

    Args:
        prefix_length: positions that the prefix takes, 0 for most methods.
        texts: training text of each language pair.

    Raises:
        UserError: the longest target and the prefix have more positions than the model.
    """
    if not prefix_length:
        return
    for text in texts:
        longest = (
            max((len(text.pairs.target[row]) for row in text.rows), default=0) + len(text.special_tokens.begin) - 1
        )
        if longest + prefix_length > text.special_tokens.max_length:
            raise UserError(
                f"A prefix of {prefix_length} positions and a target of {longest} tokens don't fit into the "
                f"{text.special_tokens.max_length} positions of this model; write a smaller budget, or a smaller "
                "'clean.max_words' of the corpus."
            )


def plan_of(params: CellParams, learning_rate: float | None, *, stage: int) -> TrainingPlan:
    """Return the hyperparameters of a stage: stages share the updates and the evaluations."""
    assert learning_rate is not None
    optimisation, method = params.optimisation, params.method
    longer, patience = (
        (method.longer, method.patience) if isinstance(method, ScratchOptions) else (1, optimisation.patience)
    )
    factor = method.rate_factors[stage] if isinstance(method, StageOptions) else 1.0
    stages = len(stages_of(method))
    return TrainingPlan(
        updates=longer * optimisation.updates // stages,
        learning_rate=learning_rate * factor,
        warmup=optimisation.warmup,
        loss=LossOptions(optimisation.label_smoothing, optimisation.precision),
        weight_decay=optimisation.weight_decay,
        clip_norm=optimisation.clip_norm,
        evaluations=max(1, longer * optimisation.evaluations // stages),
        seed=params.seed,
        patience=patience,
    )


def save_tuned(model: nn.Module, folder: Path, *, diverged: bool, **options: Any) -> Path:
    """Write the trained weights as a PEFT folder or a model folder, whole or not at all; nothing where it diverged."""
    with new_folder(folder) as temporary:
        if not diverged:
            model.save_pretrained(temporary, **options)
        for page in list(temporary.rglob("README.md")):
            page.unlink()
        for config in temporary.rglob("adapter_config.json"):
            _sort_adapter_config(config)
    return folder


def _sort_adapter_config(file: Path) -> None:
    """Sort the target modules, which peft keeps in a set whose order is another one in every process."""
    config = read_record(file)
    write_record(file, config | {"target_modules": sorted(config["target_modules"])})


def _parent_of(inputs: CellInputs) -> dict[str, str]:
    return {"parent": str(inputs.parent)} if inputs.parent else {}


def _record(
    prepared: PreparedTraining,
    cell: Cell,
    run: TrainingRun,
    *,
    tuned: Path,
    sizes: Mapping[str, int],
    attempts: list[Entry],
) -> TrainRecord:
    params, counted = prepared.params, prepared.counted
    total, allocation = counted.shape.total, counted.allocation
    return TrainRecord(
        cell=cell.named,
        status=run.status,
        params=dict(params.plain),
        execution=describe(str(prepared.device), params.threads)
        | {"processes": ranks().count, "micro_batch_tokens": run.micro_batch_tokens, "attempts": attempts},
        versions=versions(more=(*prepared.precision.packages, *loss_packages(prepared.device))),
        inputs={"base": str(prepared.inputs.base), **_parent_of(prepared.inputs), **prepared.hashes},
        total_parameters=total,
        trained_parameters=allocation.trained,
        budget_requested=params.budget,
        budget_achieved=allocation.trained / total,
        left_over_parameters=allocation.left_over,
        sizes=dict(sizes),
        places=counted.modules_used(sizes),
        training_pairs=sum(len(read_lines(own.subset)) for own in prepared.inputs.pairs),
        draw=params.draw,
        learning_rate=prepared.learning_rate,
        updates=run.step,
        best_step=run.best_step if run.status == "ok" else None,
        dev_history=run.history,
        starts=run.starts,
        train_seconds=round(run.seconds, 2),
        processor_seconds=round(run.processor_seconds, 2),
        tokens_per_second=round(run.tokens / max(run.seconds, 1e-9), 1),
        padding=round(run.padding / run.positions, 3) if run.positions else None,
        peak_memory_mb=peak_memory_mb(),
        stored_bytes=sum(file.stat().st_size for file in tuned.rglob("*") if file.is_file()),
        made=checksums_in(tuned, beside=tuned),
    )

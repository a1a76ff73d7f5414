"""Train one cell: a base model, a method at its budget, a subset of the text of a pair or of each of a group."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from mtpeft.cells import Cell
from mtpeft.core.checksums import checksums_in
from mtpeft.core.files import publish_folder, read_lines, read_record, write_record
from mtpeft.core.provenance import PLAIN, Execution, describe, peak_memory_mb, versions
from mtpeft.core.records import TrainRecord
from mtpeft.methods import METHODS
from mtpeft.training.attempt_log import FINISHED, Entry, attempting, state_of
from mtpeft.training.distributed import is_first, of_the_first, ranks, whole_weights
from mtpeft.training.job import Inputs, Job, open_job, train_job
from mtpeft.training.loop import Run
from mtpeft.training.peft_model import sizes_at_end
from mtpeft.training.result_cache import bring_back, keep_or_clear


def finetune(
    settings: Mapping[str, Any], cell: Cell, *, inputs: Inputs, record: Path, execution: Execution = PLAIN
) -> None:
    """Train the cell and write `tuned/` and the record.

    Raises:
        TryAgainError: stopped early, with the state saved, or somebody else trains this cell.
    """
    state = state_of(record)
    with attempting(state) as attempt:
        job = open_job(settings, inputs, execution)
        with attempt.clock.undisturbed():
            back = is_first() and bring_back(state, record, settings=settings, hashes=job.hashes)
        if of_the_first(back):
            return
        model, run = train_job(job, state_folder=state, clock=attempt.clock)
        finish = METHODS[settings["method"]["method"]].finish
        model = finish(model) if finish else model
        sizes = sizes_at_end(job.counted, settings["method"], model)
        with whole_weights(model) as told:
            if not is_first():
                return
            tuned = save_tuned(model, record.parent / "tuned", diverged=run.status == "diverged", **told)
        write_record(
            record, _record(job, cell, run, tuned=tuned, sizes=sizes, attempts=attempt.end(FINISHED)).model_dump()
        )
        keep_or_clear(state, record)


def save_tuned(model: nn.Module, folder: Path, *, diverged: bool, **told: Any) -> Path:
    """Write the trained weights as a peft folder or a model folder, whole or not at all; nothing where it diverged."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    if not diverged:
        model.save_pretrained(temporary, **told)
        for page in list(temporary.rglob("README.md")):
            page.unlink()
        for config in temporary.rglob("adapter_config.json"):
            _sort_adapter_config(config)
    publish_folder(temporary, folder)
    return folder


def _sort_adapter_config(file: Path) -> None:
    """Peft keeps the target modules in a set, whose order is another in every process."""
    config = read_record(file)
    write_record(file, config | {"target_modules": sorted(config["target_modules"])})


def _record(
    job: Job, cell: Cell, run: Run, *, tuned: Path, sizes: Mapping[str, int], attempts: list[Entry]
) -> TrainRecord:
    settings, total, allocation = job.settings, job.counted.shape.total, job.counted.allocation
    return TrainRecord(
        cell=cell.named,
        status=run.status,
        settings=dict(settings),
        execution=describe(str(job.device), settings["threads"])
        | {"processes": ranks().count, "micro_batch_tokens": run.micro_batch_tokens, "attempts": attempts},
        versions=versions(more=job.frozen.packages),
        inputs={"base": str(job.inputs.base), **job.hashes},
        total_parameters=total,
        trained_parameters=allocation.trained,
        budget_requested=settings["budget"],
        budget_achieved=allocation.trained / total,
        left_over_parameters=allocation.left_over,
        sizes=dict(sizes),
        places=job.counted.places_of(sizes),
        training_pairs=sum(len(read_lines(own.subset)) for own in job.inputs.members),
        draw=str(settings.get("draws", settings["seed"])),
        learning_rate=settings["optimisation"]["learning_rate"],
        updates=run.step,
        best_step=run.best_step if run.status == "ok" else None,
        dev_history=run.history,
        starts=run.starts,
        train_seconds=round(run.seconds, 2),
        tokens_per_second=round(run.tokens / max(run.seconds, 1e-9), 1),
        peak_memory_mb=peak_memory_mb(),
        stored_bytes=sum(file.stat().st_size for file in tuned.rglob("*") if file.is_file()),
        made=checksums_in(tuned, beside=tuned),
    )

"""Heal a model that was made smaller: full fine-tuning, as in a cell, on text for pre-training."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpeft.cells import ALL, Cell, label_of
from mtpeft.core.errors import UserError
from mtpeft.core.files import new_folder, read_record, sha256_of, write_text
from mtpeft.core.provenance import PLAIN, Execution
from mtpeft.data.token_arrays import read_arrays
from mtpeft.models.derived import ModelSource
from mtpeft.models.local import record_folder, tokenizer_files
from mtpeft.training.distributed import first_before_others, is_first
from mtpeft.training.finetune import CellInputs, finetune

HEALING = "healing"
"""Folder beside the record with what is being healed, which is removed at the end."""


@dataclass(frozen=True)
class Cut:
    """How a model is made smaller before it is healed.

    Attributes:
        source: the source of models that it belongs to.
        copy: copies the model in a folder into another one, smaller; returns what the record says about it.
    """

    source: ModelSource
    copy: Callable[[Path, Path], Mapping[str, Any]]


@dataclass(frozen=True)
class HealingInputs:
    """Files that a healing reads.

    Attributes:
        base: `base.json` of the model that is made smaller.
        train: token arrays of the text.
        dev: token arrays of the dev set.
        dev_text: text of the dev set.
    """

    base: Path
    train: Path
    dev: Path
    dev_text: Path


def heal(
    params: Mapping[str, Any], cut_by: Cut, *, inputs: HealingInputs, record: Path, execution: Execution = PLAIN
) -> None:
    """Write the folder of the source of models beside the record, a whole model with its tokenizer, and the record.

    Args:
        params: of the step; `heal` holds those of the full fine-tuning.
        cut_by: how the model is made smaller.
        inputs: files that are read.
        record: `base.json` of the smaller model.
        execution: how it runs.

    Raises:
        UserError: the model can't be made smaller so, or training has diverged.
        TryAgainError: training was stopped early, with its state saved.
    """
    origin, label = read_record(inputs.base), label_of(record.parent.name)
    key, work = f"models.{label}.{cut_by.source.name}", record.parent / HEALING
    cut, rows, trained = work / "cut/base.json", work / "rows.txt", work / "cell/train.json"
    with first_before_others():
        if is_first() and not cut.exists():
            with new_folder(cut.parent / "model") as temporary:
                described = cut_by.copy(Path(origin["folder"]), temporary)
            write_text(rows, "".join(f"{row}\n" for row in range(len(read_arrays(inputs.train).source))))
            record_folder(params, cut.parent / "model", key=key, record=cut, origin=described)
    if not trained.exists():
        # The labels are those of no cell, since none may have the base model's own text.
        cell = Cell(label, inputs.dev_text.parent.name, HEALING, "full", ALL, str(params["heal"]["seed"]))
        files = CellInputs(base=cut, train=inputs.train, dev=inputs.dev, dev_text=inputs.dev_text, subset=rows)
        finetune(params["heal"], cell, inputs=files, record=trained, execution=execution)
    if not is_first():
        return
    found = read_record(trained)
    if found["status"] != "ok":
        raise UserError(f"Healing has diverged; write a smaller rate in '{key}.heal.learning_rate'.")
    folder = record.parent / str(cut_by.source.folder)
    with new_folder(folder) as temporary:
        shutil.copytree(trained.parent / "tuned", temporary, dirs_exist_ok=True)
        for file in tokenizer_files(cut.parent / "model"):
            shutil.copyfile(file, temporary / file.name)
    described = {
        "model": origin["model"],
        "base_sha256": sha256_of(inputs.base),
        "texts": {str(file): sha256_of(file) for file in (inputs.train, inputs.dev, inputs.dev_text)},
        "total_parameters_before": origin["total_parameters"],
        **read_record(cut)["origin"],
        "dev_history": found["dev_history"],
        "train_seconds": found["train_seconds"],
    }
    record_folder(params, folder, key=key, record=record, origin=described, exposure=origin["exposure"])
    shutil.rmtree(work)

"""Heal a model whose layers were dropped: full fine-tuning, as in a cell, on text for pre-training."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.cells import ALL, Cell, label_of
from mtpeft.core.errors import UserError
from mtpeft.core.files import new_folder, read_record, sha256_of, write_text
from mtpeft.core.provenance import PLAIN, Execution
from mtpeft.data.token_arrays import read_arrays
from mtpeft.models.derived.drop_layers import DROP_LAYERS, copy_with_layers
from mtpeft.models.local import record_folder, tokenizer_files
from mtpeft.training.distributed import first_before_others, is_first
from mtpeft.training.finetune import CellInputs, finetune

HEALING = "healing"
"""Folder beside the record with what is being healed, which is removed at the end."""


def heal(
    params: Mapping[str, Any],
    *,
    base: Path,
    train: Path,
    dev: Path,
    dev_text: Path,
    record: Path,
    execution: Execution = PLAIN,
) -> None:
    """Write `healed/` beside the record, a whole model with its tokenizer, and the record.

    Args:
        params: `encoder` and `decoder`, the layers that stay; `heal`, the params of the full fine-tuning.
        base: `base.json` of the model whose layers are dropped.
        train: token arrays of the text.
        dev: token arrays of the dev set.
        dev_text: text of the dev set.
        record: `base.json` of the model with fewer layers.
        execution: how it runs.

    Raises:
        UserError: the model has fewer layers than are to stay, or training has diverged.
        TryAgainError: training was stopped early, with its state saved.
    """
    origin, label = read_record(base), label_of(record.parent.name)
    key, work = f"models.{label}.drop_layers", record.parent / HEALING
    cut, rows, trained = work / "cut/base.json", work / "rows.txt", work / "cell/train.json"
    with first_before_others():
        if is_first() and not cut.exists():
            with new_folder(cut.parent / "model") as temporary:
                kept = {"encoder": params["encoder"], "decoder": params["decoder"]}
                copy_with_layers(Path(origin["folder"]), temporary, kept, key=key)
            write_text(rows, "".join(f"{row}\n" for row in range(len(read_arrays(train).source))))
            record_folder(params, cut.parent / "model", key=key, record=cut)
    if not trained.exists():
        # The labels are those of no cell, since none may have the base model's own text.
        cell = Cell(label, dev_text.parent.name, HEALING, "full", ALL, str(params["heal"]["seed"]))
        files = CellInputs(base=cut, train=train, dev=dev, dev_text=dev_text, subset=rows)
        finetune(params["heal"], cell, inputs=files, record=trained, execution=execution)
    if not is_first():
        return
    found = read_record(trained)
    if found["status"] != "ok":
        raise UserError(f"Healing has diverged; write a smaller rate in '{key}.heal.learning_rate'.")
    folder = record.parent / str(DROP_LAYERS.folder)
    with new_folder(folder) as temporary:
        shutil.copytree(trained.parent / "tuned", temporary, dirs_exist_ok=True)
        for file in tokenizer_files(cut.parent / "model"):
            shutil.copyfile(file, temporary / file.name)
    described = {
        "model": origin["model"],
        "base_sha256": sha256_of(base),
        "texts": {str(file): sha256_of(file) for file in (train, dev, dev_text)},
        "total_parameters_before": origin["total_parameters"],
        "dev_history": found["dev_history"],
        "train_seconds": found["train_seconds"],
    }
    record_folder(params, folder, key=key, record=record, origin=described, exposure=origin["exposure"])
    shutil.rmtree(work)

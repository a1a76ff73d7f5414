"""Runs of the training engine, and how the tests stop them."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mtpeft import cli as command
from mtpeft.core.files import canonical
from mtpeft.training import loop
from support.model import cell, files_of, inputs, pretrain_base, pretrain_params, train_cell, train_params

ROOT = Path(__file__).parents[2]
PARAMS = {
    "full": train_params("full", learning_rate=0.03),
    "adapter": train_params("adapter", learning_rate=0.1),
    "lora": train_params("lora", learning_rate=0.1),
    "lora_8_bits": train_params("lora", learning_rate=0.1) | {"quantised": 8},
    "scratch": train_params("scratch", learning_rate=0.03),
    "translation": pretrain_params(updates=20),
    "denoising": pretrain_params("denoising", updates=20),
}
STAGED = train_params("prefix_then_lora", learning_rate=0.05)
OF_THE_PROCESS = (
    *("execution", "starts", "train_seconds", "processor_seconds", "tokens_per_second", "peak_memory_mb"),
    *("model", "folder"),
)
"""Keys of records that differ between equal runs: how long they took, and the folder in which a test ran them."""


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "workflow"), "MTPEFT_SAVE_SECONDS": "0", "OMP_NUM_THREADS": "1"}


def build(sweep: Path, folder: Path, kind: str) -> None:
    """Train a cell, or pre-train a base model, into a folder."""
    if kind in ("translation", "denoising"):
        pretrain_base(sweep, folder / "base.json", PARAMS[kind])
    else:
        train_cell(sweep, folder, PARAMS[kind])


def results(folder: Path) -> dict[str, Any]:
    """All that a run leaves, without what depends on the process; the state must be gone."""
    found: dict[str, Any] = files_of(folder)
    assert not [name for name in found if name.startswith("state")]
    for name in ("train.json", "base.json"):
        if name in found:
            record = json.loads(found.pop(name))
            training = record.get("training", {})
            found[name] = {key: value for key, value in record.items() if key not in OF_THE_PROCESS}
            found[name]["training"] = {key: training[key] for key in sorted({*training} - {"seconds", "starts"})}
    return found


@contextlib.contextmanager
def at_update(wanted: int, do: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Do something while an update is computed, before it is made."""
    real = loop._update

    def update(*given: Any, number: int) -> Any:
        if number == wanted:
            do()
        return real(*given, number=number)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_update", update)
        yield


def trainer(sweep: Path, record: Path, params: dict[str, Any]) -> list[str]:
    """The command that trains a cell, as a rule calls it."""
    files = {name.replace("_", "-"): str(file) for name, file in vars(inputs(sweep)).items() if file}
    options = [part for name, file in files.items() for part in (f"--{name}", file)]
    label = cell(params["method"]["method"]).path
    return ["train", "--cell", label, "--params", canonical(params), *options, "--record", str(record)]


def run_command(arguments: list[str], capsys: Any) -> tuple[int, str]:
    """Exit code of a command that runs in this process, and what it says."""
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    return ended.value.code or 0, capsys.readouterr().err

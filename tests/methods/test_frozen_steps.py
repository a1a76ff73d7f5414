"""Frozen base models in reduced precision, in the steps of the workflow: params, messages, refusals and records."""

import io
import re
import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

import mtpeft
from mtpeft.cells import Cell
from mtpeft.config.load import merge, validate
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.core.files import canonical, read_record
from mtpeft.front.export import export_cell
from mtpeft.models.load import load_base, parameters
from mtpeft.steps.base_models import base_file
from mtpeft.training.attempt_log import ATTEMPTS_FILE
from mtpeft.training.checkpoint import LOCK_FILE
from support.adapter import base_folder, batch, logits
from support.config import DEFAULT
from support.model import arrays, cell, decode_params, files_of, inputs, train_cell, train_params
from support.steps import params_of, train_inputs
from support.training import run_command, trainer

BITSANDBYTES = "bitsandbytes"
PARAMS = train_params("lora", learning_rate=0.1) | {"quantised": 4, "precision": "bfloat16"}
COMMANDS = ("evaluate_base", "train", "search_rate", "decode", "translate", "export")


@pytest.fixture(scope="module")
def trained(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a cell that was trained beside a 4-bit base."""
    return train_cell(sweep, tmp_path_factory.mktemp("trained"), PARAMS).parent


def _commands(sweep: Path, trained: Path, to: Path) -> dict[str, list[str]]:
    """Every command that opens a base, as it is typed."""
    given, label = inputs(sweep), cell("lora").path
    told = canonical(decode_params() | {"quantised": 4, "precision": "bfloat16"})
    search = canonical({"pair": "es-en", "trial": PARAMS, "candidates": [0.1], "extensions": 0})
    dev = ["--base", str(given.base), "--dev", str(given.dev), "--dev-text", str(given.dev_text)]
    files = ["--train", str(given.train), "--subset", str(given.subset)]
    decoded = ["--trained", str(trained / "train.json"), "--tests", str(arrays(sweep, "test"))]
    rate = str(to / "tiny/n44/lora/b5.json")
    return {
        "evaluate_base": ["evaluate_base", "--params", told, *dev, "--record", str(to / "start.json")],
        "train": trainer(sweep, to / "train.json", PARAMS),
        "search_rate": ["search_rate", "--params", search, *dev, *files, "--record", rate],
        "decode": ["decode", "--cell", label, "--params", told, *decoded, "--record", str(to / "decode.json")],
        "translate": ["translate", "--cell", str(trained)],
        "export": ["export", "--cell", str(trained), "--to", str(to / "part"), "--as", "peft"],
    }


def _fail(*given: Any) -> None:
    raise RuntimeError("no kernel image is available\nCompile with TORCH_USE_CUDA_DSA")


LACKS = {
    "not installed": r"bitsandbytes is not installed; run `pip install -r envs/quantised\.txt`, or take the key out\.",
    "no kernels": r"bitsandbytes [\d.]+ does not work on this machine's cpu \(no kernel image is available\); run it "
    r"where it does, or take the key out\.",
}


@pytest.mark.usefixtures("own_life")
@pytest.mark.parametrize(("command", "lack"), [*product(COMMANDS, ["not installed"]), ("train", "no kernels")])
def test_a_machine_that_can_not_quantise_gives_an_error_before_anything_is_made(
    sweep: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, *, command: str, lack: str
) -> None:
    arguments = _commands(sweep, trained, tmp_path)[command]
    monkeypatch.chdir(trained)  # where a step that fails leaves a note of why
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Abre la puerta\n")))
    if lack == "no kernels":
        monkeypatch.setattr(sys.modules[BITSANDBYTES].nn.Linear4bit, "forward", _fail)
    else:
        monkeypatch.setitem(sys.modules, BITSANDBYTES, None)
    code, said = run_command(arguments, capsys)
    assert code == 2
    assert re.fullmatch(f"mtpeft: 'models.tiny.quantised' is 4, but {LACKS[lack]}", said.splitlines()[-1])
    written = {file.name for file in tmp_path.rglob("*") if file.is_file()}
    assert written <= {"failed.json", ATTEMPTS_FILE, LOCK_FILE}


@pytest.mark.usefixtures("own_life")
def test_records_have_the_precision_of_the_base_and_a_run_repeats(
    sweep: Path, trained: Path, tmp_path: Path, capsys: Any
) -> None:
    commands = _commands(sweep, trained, tmp_path)
    for command in ("evaluate_base", "train", "search_rate", "decode"):
        assert run_command(commands[command], capsys)[0] == 0
    start, rate, decode = (
        read_record(tmp_path / name) for name in ("start.json", "tiny/n44/lora/b5.json", "decode.json")
    )
    train = read_record(trained / "train.json")
    told = [start["params"], rate["params"]["trial"], train["params"], decode["params"]]
    assert [(given["quantised"], given["precision"]) for given in told] == [(4, "bfloat16")] * 4
    assert all(BITSANDBYTES in record["versions"] for record in (rate, train, decode))
    assert train["total_parameters"] == parameters(load_base(base_folder(sweep)))[0]
    assert train["best_step"] > 0
    assert rate["trials"][0]["dev_history"] == train["dev_history"]
    assert start["dev_score"] == train["dev_history"][0]["score"]
    assert files_of(tmp_path / "tuned") == files_of(trained / "tuned")


@pytest.mark.parametrize("form", ["merged", "ctranslate2"])
def test_a_cell_on_a_quantised_base_is_not_merged(trained: Path, tmp_path: Path, form: str) -> None:
    with pytest.raises(UserError, match=r"'models\.tiny\.quantised' holds the base of .* Write `--as peft`\."):
        export_cell(str(trained), tmp_path / "model", form)
    assert list(tmp_path.iterdir()) == []


def test_a_peft_folder_says_how_to_open_its_base(
    sweep: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_cell(str(trained), tmp_path / "part", "peft")
    page = (tmp_path / "part/README.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path / "part")
    exec(lines, names := {})
    assert torch.equal(logits(names["model"], batch(sweep)), logits(mtpeft.load(trained).model, batch(sweep)))


def configured(**keys: Any) -> Configuration:
    """The default configuration with a study of its own, of a model with these keys."""
    mine = {"figure": "budgets", "models": ["mine"], "pairs": ["pt-en"], "sizes": ["n100"], "methods": ["lora", "none"]}
    overlay = {
        "models": {"mine": {"path": "workflow/models/small", **keys}},
        "studies": {"mine": {**mine, "budgets": ["b5"], "seeds": [1]}},
    }
    return validate(merge(DEFAULT, overlay))


def _told(configuration: Configuration, model: str) -> dict[str, Mapping[str, Any]]:
    lora, none = (Cell(model, "pt-en", *rest) for rest in (("n100", "lora", "b5", "1"), ("any", "none", "any", "any")))
    return {
        "tokens": params_of("encode_pair", configuration, model, "pt-en"),
        "local": params_of("take_in_model", configuration, model),
        "evaluate_base": params_of("evaluate_base", configuration, model, "pt-en"),
        "search_rate": params_of("search_rate", configuration, model, "n100", "lora", "b5")["trial"],
        "train": params_of("train", configuration, lora),
        "decode": params_of("decode", configuration, lora),
        "untouched": params_of("decode", configuration, none),
    }


def test_only_steps_that_open_the_base_have_its_precision_in_their_params() -> None:
    precision = {"quantised": 4, "precision": "bfloat16"}
    plain, reduced = configured(), configured(**precision)
    before, after = _told(plain, "mine"), _told(reduced, "mine")
    for step in before:
        # A rate that was not searched for yet is named by a digest of the params of the search.
        for told in (before[step], after[step]):
            told.get("optimisation", {}).pop("learning_rate", None)
        assert after[step] == before[step] | ({} if step in ("tokens", "local") else precision), step
    assert _told(reduced, "small") == _told(plain, "small")
    assert configured(quantised=None, precision="float32").model_dump() == plain.model_dump()


@pytest.mark.parametrize("method", ["full", "scratch"])
def test_a_cell_that_trains_a_frozen_base_is_refused_when_it_is_asked_for_by_name(method: str) -> None:
    asked = Cell("mine", "pt-en", "n100", method, "all", "1").named
    assert train_inputs(configured(), asked)["base"] == [base_file(configured(), "mine")]
    with pytest.raises(
        UserError, match=r"needs the weights of the base model, but 'models\.mine\.quantised' keeps it frozen; name a"
    ):
        train_inputs(configured(quantised=8), asked)

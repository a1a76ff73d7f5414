"""The training engine: what it repeats exactly, and how it stops, fails and goes on."""

import contextlib
import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from model_material import (
    UPDATES,
    arrays,
    cell,
    decode_settings,
    files_of,
    inputs,
    pretrain_base,
    pretrain_settings,
    train_cell,
    train_settings,
)
from mtpeft.commands import main as command
from mtpeft.errors import TryAgainError
from mtpeft.records import canonical, read_record
from mtpeft.tokens.arrays import read_arrays
from mtpeft.training import finetune as finetuning
from mtpeft.training import loop
from mtpeft.training.batches import BatchOrder
from mtpeft.training.loop import evaluation_steps
from mtpeft.training.schedule import learning_rate
from mtpeft.training.state import STATE_FILE

ROOT = Path(__file__).parents[1]
SETTINGS = {
    "full": train_settings("full", learning_rate=0.03),
    "adapter": train_settings("adapter", learning_rate=0.1),
    "lora": train_settings("lora", learning_rate=0.1),
    "scratch": train_settings("scratch", learning_rate=0.03),
    "translation": pretrain_settings(updates=20),
    "denoising": pretrain_settings("denoising", updates=20),
}
OF_THE_PROCESS = ("execution", "starts", "train_seconds", "tokens_per_second", "peak_memory_mb", "model", "folder")
"""Keys of records that differ between equal runs: how long they took, and the folder in which a test ran them."""

LENGTHS = np.random.default_rng(2).integers(3, 40, size=700)


def build(sweep: Path, folder: Path, kind: str) -> None:
    """Train a cell, or pre-train a base model, into a folder."""
    if kind in ("translation", "denoising"):
        pretrain_base(sweep, folder / "base.json", SETTINGS[kind])
    else:
        train_cell(sweep, folder, SETTINGS[kind])


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


@pytest.fixture(scope="module")
def uninterrupted(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Results of a run from end to end, made once per kind."""
    made: dict[str, dict[str, Any]] = {}

    def of(kind: str) -> dict[str, Any]:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            build(sweep, folder, kind)
            made[kind] = results(folder)
        return made[kind]

    return of


@contextlib.contextmanager
def at_update(number: int, do: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Do something while an update is computed, before it is made."""
    real = loop._update

    def update(task: Any, plan: Any, optimizer: Any, step: int) -> Any:
        if step == number:
            do()
        return real(task, plan, optimizer, step)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_update", update)
        yield


# --- Batches and schedule


def test_every_row_comes_once_per_epoch() -> None:
    order = BatchOrder(LENGTHS, 256, seed=1)
    seen: list[int] = []
    update = 0
    while len(seen) < 3 * len(LENGTHS):
        seen.extend(order.rows(update).tolist())
        update += 1
    epochs = np.reshape(seen, (3, len(LENGTHS)))
    assert (np.sort(epochs) == np.arange(len(LENGTHS))).all()
    assert not (epochs[0] == epochs[1]).all()


@pytest.mark.parametrize("batch_tokens", [30, 64, 1000, 10**6])
def test_batches_keep_to_their_tokens(batch_tokens: int) -> None:
    order = BatchOrder(LENGTHS, batch_tokens, seed=1)
    for rows in (order.rows(update) for update in range(60)):
        assert len(rows) * LENGTHS[rows].max() <= batch_tokens or len(rows) == 1


def test_batches_are_functions_of_seed_and_update() -> None:
    forward = [BatchOrder(LENGTHS, 256, seed=1).rows(update).tolist() for update in (0, 40, 200, 333)]
    order = BatchOrder(LENGTHS, 256, seed=1)
    assert [order.rows(update).tolist() for update in (333, 200, 40, 0)] == forward[::-1]
    assert [BatchOrder(LENGTHS, 256, seed=2).rows(update).tolist() for update in (0, 40, 200, 333)] != forward


def test_batches_hold_sentences_of_like_length() -> None:
    order = BatchOrder(LENGTHS, 256, seed=1)
    batches = [LENGTHS[order.rows(update)] for update in range(40)]
    padded = sum(len(batch) * batch.max() for batch in batches)
    assert sum(batch.sum() for batch in batches) > 0.9 * padded


def test_learning_rate_rises_and_falls_in_straight_lines() -> None:
    rates = [learning_rate(update, peak=1.0, updates=20, warmup=0.25) for update in range(20)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert np.diff(rates[5:]) == pytest.approx([-1 / 15] * 14)
    assert rates[-1] > 0


@pytest.mark.parametrize(("updates", "evaluations"), [(12, 3), (7, 3), (2, 8), (1, 1)])
def test_dev_is_judged_before_and_after(updates: int, evaluations: int) -> None:
    marks = evaluation_steps(updates, evaluations)
    assert {0, updates} <= marks <= set(range(updates + 1))
    assert len(marks) == min(updates, evaluations) + 1


# --- Stopping and going on


@pytest.mark.parametrize("kind", SETTINGS)
def test_resumed_run_ends_with_the_same_bytes(
    sweep: Path, uninterrupted: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    stops = [(1, signal.SIGTERM), (4, signal.SIGINT), (5, signal.SIGUSR1), (6, signal.SIGTERM)]
    for update, number in stops:
        with (
            at_update(update, lambda number=number: signal.raise_signal(number), monkeypatch),
            pytest.raises(TryAgainError, match=rf"stopped at update {update + 1} .*{number.name}; the state is saved"),
        ):
            build(sweep, tmp_path, kind)
    build(sweep, tmp_path, kind)
    record = read_record(tmp_path / ("base.json" if kind in ("translation", "denoising") else "train.json"))
    assert record.get("training", record)["starts"] == 1 + len(stops)
    expected = uninterrupted(kind)
    assert results(tmp_path) == expected
    assert any(name.endswith("model.safetensors") for name in expected)
    assert record.get("training", record)["best_step"] > 0


def test_time_budget_stops_at_an_update_and_the_next_start_goes_on(
    sweep: Path, uninterrupted: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("MTPEFT_SECONDS", "0.0001")
        with pytest.raises(TryAgainError, match=r"stopped at update 0 of 12: the time budget of 0\.0001 s is used up"):
            build(sweep, tmp_path, "lora")
    build(sweep, tmp_path, "lora")
    assert results(tmp_path) == uninterrupted("lora")


def test_state_of_other_settings_is_discarded_with_a_message(
    sweep: Path, uninterrupted: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    other = train_settings("adapter", learning_rate=0.05)
    with at_update(5, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch), pytest.raises(TryAgainError):
        train_cell(sweep, tmp_path, other)
    build(sweep, tmp_path, "adapter")
    assert "belongs to other settings; starting anew" in capsys.readouterr().out
    assert results(tmp_path) == uninterrupted("adapter")
    assert read_record(tmp_path / "train.json")["starts"] == 1


def trainer(sweep: Path, record: Path, settings: dict[str, Any]) -> list[str]:
    """The command that trains a cell, as a rule calls it."""
    files = {name.replace("_", "-"): str(file) for name, file in vars(inputs(sweep)).items()}
    options = [part for name, file in files.items() for part in (f"--{name}", file)]
    label = cell(settings["method"]["tuner"]).path
    return ["train", "--cell", label, "--settings", canonical(settings), *options, "--record", str(record)]


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "workflow"), "MTPEFT_SAVE_SECONDS": "0", "OMP_NUM_THREADS": "1"}


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def gone(process: int) -> bool:
    """True when the process is dead, also where nobody has collected it yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_killed_parent_takes_its_trainer_with_it_and_the_state_is_whole(
    sweep: Path, tmp_path: Path, uninterrupted: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trainer is killed while it saves after every update; what it left is resumed to the same bytes."""
    long = json.loads(canonical(SETTINGS["lora"]))
    long["optimisation"] |= {"updates": 3000}
    arguments = [sys.executable, "-m", "mtpeft", *trainer(sweep, tmp_path / "killed/train.json", long)]
    start = f"import subprocess, time; print(subprocess.Popen({arguments!r}).pid, flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as parent:
        child = int(parent.stdout.readline())
        state = tmp_path / "killed/state" / STATE_FILE
        wait_for(lambda: state.exists() and _step(state) >= 10)
        parent.kill()
    wait_for(lambda: gone(child), 5)
    reached = _step(state)
    marked = files_of(tmp_path / "killed/state")
    assert reached < 3000

    def stop() -> None:
        signal.raise_signal(signal.SIGTERM)

    with at_update(reached + 20, stop, monkeypatch), pytest.raises(TryAgainError):
        train_cell(sweep, tmp_path / "killed", long)
    with at_update(reached + 20, stop, monkeypatch), pytest.raises(TryAgainError):
        train_cell(sweep, tmp_path / "whole", long)
    assert marked != files_of(tmp_path / "killed/state")
    killed, whole = (load_file(tmp_path / name / "state" / STATE_FILE) for name in ("killed", "whole"))
    assert killed.keys() == whole.keys()
    assert all(torch.equal(killed[name], whole[name]) for name in whole)


def _step(state: Path) -> int:
    from safetensors import safe_open

    with safe_open(state, framework="pt") as archive:
        return json.loads(archive.metadata()["progress"])["step"]


# --- Failures


def run_command(arguments: list[str], capsys: Any) -> tuple[int, str]:
    """Exit code of a command that runs in this process, and what it says."""
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    return ended.value.code or 0, capsys.readouterr().err


@pytest.fixture
def _own_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command run inside the tests must not bind them to their parent."""
    monkeypatch.setattr(command, "die_with_parent", lambda: None)


@pytest.mark.usefixtures("_own_life")
def test_second_trainer_of_a_cell_waits_its_turn(sweep: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "state").mkdir()
    arguments = trainer(sweep, tmp_path / "train.json", SETTINGS["lora"])
    with open(tmp_path / "state/lock", "a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        code, said = run_command(arguments, capsys)
    assert code == os.EX_TEMPFAIL == 75
    assert f"mtpeft: {tmp_path}/state is being written by another process." in said
    assert not (tmp_path / "train.json").exists()
    assert run_command(arguments, capsys)[0] == 0


@contextlib.contextmanager
def no_room(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: writing fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("_own_life")
@pytest.mark.parametrize("kind", ["full", "adapter"])
def test_full_disk_keeps_the_last_state_and_goes_on_when_there_is_room(
    sweep: Path, uninterrupted: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, kind: str
) -> None:
    arguments = trainer(sweep, tmp_path / "train.json", SETTINGS[kind])
    with at_update(5, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch):
        assert run_command(arguments, capsys)[0] == os.EX_TEMPFAIL
    state = files_of(tmp_path / "state")
    with no_room(8192):
        code, said = run_command(arguments, capsys)
    assert code == os.EX_TEMPFAIL
    assert "File too large" in said.splitlines()[-1]
    assert "the last whole state is kept" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert files_of(tmp_path / "state") == state
    assert not (tmp_path / "train.json").exists()
    assert run_command(arguments, capsys)[0] == 0
    assert results(tmp_path) == uninterrupted(kind)


@pytest.mark.usefixtures("_own_life")
def test_full_disk_at_the_very_end_costs_no_training(
    sweep: Path, uninterrupted: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    arguments = trainer(sweep, tmp_path / "train.json", SETTINGS["full"])
    real = finetuning.save_tuned

    def save_without_room(*given: Any, **named: Any) -> Path:
        with no_room(8192):
            return real(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(finetuning, "save_tuned", save_without_room)
        assert run_command(arguments, capsys)[0] == os.EX_TEMPFAIL
    assert not (tmp_path / "tuned").exists()
    with at_update(0, lambda: pytest.fail("trained again"), monkeypatch):
        assert run_command(arguments, capsys)[0] == 0
    assert results(tmp_path) == uninterrupted("full")


@pytest.mark.usefixtures("_own_life")
@pytest.mark.parametrize(
    ("kind", "rate", "beam_size"),
    [("full", 1e4, 1), ("full", 1e30, 4), ("lora", 1e4, 4), ("lora", 1e30, 1), ("adapter", 1e30, 1)],
)
def test_divergence_is_a_result(
    sweep: Path, tmp_path: Path, capsys: Any, kind: str, rate: float, beam_size: int
) -> None:
    settings = train_settings(kind, learning_rate=rate, evaluations=UPDATES)
    settings["search"]["beam_size"] = beam_size
    assert run_command(trainer(sweep, tmp_path / "train.json", settings), capsys)[0] == 0
    record = read_record(tmp_path / "train.json")
    assert (record["status"], record["best_step"], record["stored_bytes"]) == ("diverged", None, 0)
    assert list((tmp_path / "tuned").iterdir()) == []
    label = ["--cell", cell(kind).path]
    decoding = ["--settings", canonical(decode_settings()), "--trained", str(tmp_path / "train.json")]
    tests = ["--tests", str(arrays(sweep, "test")), "--record", str(tmp_path / "decode.json")]
    assert run_command(["decode", *label, *decoding, *tests], capsys)[0] == 0
    scoring = ["--settings", canonical({"target": "en"}), "--decoded", str(tmp_path / "decode.json")]
    references = ["--references", str(sweep / "data/pairs/es-en/test.tsv"), "--record", str(tmp_path / "score.json")]
    assert run_command(["score", *label, *scoring, *references], capsys)[0] == 0
    assert read_record(tmp_path / "score.json")["status"] == "diverged"
    assert read_record(tmp_path / "score.json")["test_sets"] == {}


# --- Choices


def test_harm_without_divergence_ends_with_the_base(sweep: Path, tmp_path: Path) -> None:
    """The norms behind an adapter keep the loss finite at any rate: nothing explodes, and step 0 is the best."""
    record = read_record(train_cell(sweep, tmp_path, train_settings("adapter", learning_rate=1e4)))
    assert (record["status"], record["best_step"], record["updates"]) == ("ok", 0, UPDATES)
    tuned = load_file(tmp_path / "tuned/adapter_model.safetensors")
    assert all(not tensor.any() for name, tensor in tuned.items() if "bottleneck_up" in name)


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_of_equal_scores_the_first_is_best_and_step_0_is_a_candidate(sweep: Path, tmp_path: Path, kind: str) -> None:
    record = read_record(train_cell(sweep, tmp_path, train_settings(kind, learning_rate=1e-12)))
    assert record["best_step"] == 0
    assert record["updates"] == UPDATES
    base = load_file(sweep / "results/models/tiny/checkpoint/model.safetensors")
    if kind == "full":
        tuned = load_file(tmp_path / "tuned/model.safetensors")
        assert tuned.keys() == base.keys()
        assert all(torch.equal(tuned[name], base[name]) for name in base)
    else:
        tuned = load_file(tmp_path / "tuned/adapter_model.safetensors")
        assert all(not tensor.any() for name, tensor in tuned.items() if "lora_B" in name)


def test_patience_stops_training_from_scratch(sweep: Path, tmp_path: Path) -> None:
    record = read_record(train_cell(sweep, tmp_path, train_settings("scratch", learning_rate=1e-12)))
    longest = 2 * UPDATES
    assert record["updates"] == 2 * longest // (2 * 3)
    assert record["best_step"] == 0
    steps = [entry["step"] for entry in record["dev_history"]]
    assert steps == [0, longest // 6, 2 * longest // 6]


def test_scratch_starts_from_the_seed_and_not_from_the_base(sweep: Path, tmp_path: Path) -> None:
    weights = []
    for seed in (1, 1, 2):
        settings = train_settings("scratch", learning_rate=1e-12) | {"seed": seed}
        folder = tmp_path / str(len(weights))
        train_cell(sweep, folder, settings)
        weights.append(load_file(folder / "tuned/model.safetensors")["model.shared.weight"])
    base = load_file(sweep / "results/models/tiny/checkpoint/model.safetensors")["model.shared.weight"]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], base)


def test_another_seed_gives_another_result(sweep: Path, uninterrupted: Callable, tmp_path: Path) -> None:
    train_cell(sweep, tmp_path, SETTINGS["adapter"] | {"seed": 2})
    name = "tuned/adapter_model.safetensors"
    assert files_of(tmp_path)[name] != uninterrupted("adapter")[name]


@pytest.mark.parametrize("kind", ["full", "adapter", "lora", "scratch"])
def test_train_record_follows_its_schema_and_counts(sweep: Path, uninterrupted: Callable, kind: str) -> None:
    record = uninterrupted(kind)["train.json"]
    total, trained = record["total_parameters"], record["trained_parameters"]
    if kind in ("adapter", "lora"):
        assert int(record["budget_requested"] * total) == trained + record["left_over_parameters"]
    else:
        assert trained == total
    assert record["budget_achieved"] == trained / total
    assert record["training_pairs"] == len(read_arrays(arrays(sweep, "train")).source)
    stored = sum(len(content) for name, content in uninterrupted(kind).items() if name.startswith("tuned/"))
    assert record["stored_bytes"] == stored


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_whole_record_is_valid(sweep: Path, tmp_path: Path, kind: str) -> None:
    record = read_record(train_cell(sweep, tmp_path, train_settings(kind, updates=1, evaluations=1)))
    schema = json.loads((ROOT / "workflow/schemas/train.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(record, schema)


def test_a_count_that_is_not_what_was_built_is_a_fault(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = finetuning.parameters
    monkeypatch.setattr(finetuning, "parameters", lambda model: (real(model)[0], real(model)[1] + 1))
    with pytest.raises(AssertionError, match=r"counted \d+ trained of \d+ parameters, built \d+"):
        train_cell(sweep, tmp_path, SETTINGS["lora"])
    assert not (tmp_path / "train.json").exists()

"""Pre-training with a teacher: nearer to it, gone after `until` without a trace, resumed to the same bits."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional

from mtpeft.config.load import merge, validate
from mtpeft.core.errors import TryAgainError, UserError
from mtpeft.core.files import read_record
from mtpeft.data.batch_layout import model_inputs
from mtpeft.data.token_arrays import IGNORED, read_arrays
from mtpeft.models.load import load_base
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import load_tokenizer
from mtpeft.steps import pretrain as pretrain_step
from mtpeft.steps.base_models import base_file
from mtpeft.training import pretrain as pretraining
from mtpeft.training.checkpoint import CHECKPOINT_FILE, Checkpoint, write_checkpoint
from mtpeft.training.inherit import inheriting, open_teacher
from mtpeft.training.objective import TARGET_POSITIONS, LossOptions, likelihood, target_positions
from mtpeft.training.pretrain import pretrain
from support.config import DEFAULT
from support.family import build_checkpoint
from support.method import Subject, batch, write_base
from support.model import arrays, files_of, pretrain_params
from support.training import at_update

KEY = "models.pupil.pretrain.inherit.model"
CALM = dict.fromkeys(("begin", "joined", "masked_source", "masked_target"), 0.0)
UPDATES = 8


def _params(*, seed: int = 7, **inherit: float) -> dict[str, Any]:
    params = pretrain_params(updates=UPDATES, seed=seed, noise=CALM, learning_rate=0.01)
    return params | ({"inherit": {"model": "tiny", **inherit}} if inherit else {})


def _pretrained(sweep: Path, folder: Path, params: dict[str, Any]) -> Path:
    """The record of a student of the tiny sweep's base model, where the params say that it is one."""
    record = folder / "results/models/pupil-01234567/base.json"
    pretrain(
        params,
        tokenizer=sweep / "data/vocabularies/tiny",
        train_arrays=[arrays(sweep, "train")],
        dev_arrays=[arrays(sweep, "dev")],
        record=record,
        teacher=sweep / "results/models/tiny/base.json" if "inherit" in params else None,
    )
    return record


def _divergence(sweep: Path, record: Path) -> float:
    """KL from the teacher to a student per target token of the dev set."""
    teacher, student = (
        load_base(Path(read_record(own)["folder"])).eval() for own in (sweep / "results/models/tiny/base.json", record)
    )
    frame = SpecialTokens(pad=1, end=2, begin=(2,), max_length=48)
    dev = read_arrays(arrays(sweep, "dev"))
    rows = range(len(dev.source))
    inputs = dict(
        model_inputs([dev.source[row] for row in rows], [dev.target[row] for row in rows], special_tokens=frame)
    )
    positions = inputs.pop("labels").flatten() != IGNORED
    with torch.inference_mode():
        wanted, found = (
            functional.log_softmax(model(**inputs, use_cache=False).logits.flatten(0, 1)[positions], -1)
            for model in (teacher, student)
        )
    return functional.kl_div(found, wanted, reduction="batchmean", log_target=True).item()


def test_a_student_comes_nearer_to_its_teacher_in_as_many_updates(sweep: Path, tmp_path: Path) -> None:
    taught = _pretrained(sweep, tmp_path / "taught", _params(weight=2.0, until=1.0))
    alone = _pretrained(sweep, tmp_path / "alone", _params())
    assert _divergence(sweep, taught) < 0.9 * _divergence(sweep, alone)
    content = read_record(taught)
    assert content["origin"]["teacher"] == "tiny"
    assert [entry["step"] for entry in content["training"]["dev_history"]][-1] == UPDATES


def test_gradient_is_that_of_cross_entropy_and_divergence(tmp_path: Path) -> None:
    folders = [write_base("mbart", tmp_path / name) for name in ("student", "teacher")]
    student, teacher = (load_base(folder).eval() for folder in folders)
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.mul_(1.3)
    inputs = batch(Subject.frame_of(student.config))
    given = {**inputs, TARGET_POSITIONS: target_positions(inputs["labels"])}
    options, whole = LossOptions(label_smoothing=0.1), likelihood.sizes(inputs)
    found = inheriting(teacher, 0.0).backward(student, given, options, whole)
    gradient = student.lm_head.weight.grad.clone()
    student.zero_grad()
    torch.testing.assert_close(found, likelihood.backward(student, given, options, whole))
    torch.testing.assert_close(gradient, student.lm_head.weight.grad)
    # A student that is its teacher has no divergence from it.
    torch.testing.assert_close(inheriting(student, 3.0).backward(student, given, options, whole), found)
    assert inheriting(teacher, 3.0).backward(student, given, options, whole) > found + 0.01
    assert all(parameter.grad is None for parameter in teacher.parameters())


def _stopped(sweep: Path, folder: Path, params: dict[str, Any], update: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that was stopped after so many updates, with its state in it."""
    stop = at_update(update - 1, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch)
    with stop, pytest.raises(TryAgainError, match=f"stopped at update {update} "):
        _pretrained(sweep, folder, params)
    return folder / "results/models/pupil-01234567/state"


def _weights(record: Path) -> dict[str, bytes]:
    files = files_of(Path(read_record(record)["folder"]))
    return {name: content for name, content in files.items() if name.endswith(".safetensors")}


@pytest.mark.parametrize("stop", [2, 6])
def test_a_stopped_run_ends_with_the_same_bits(
    stop: int, sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped once while the teacher is there, and once when it is gone."""
    params = _params(weight=1.0, until=0.5)
    whole = _pretrained(sweep, tmp_path / "whole", params)
    _stopped(sweep, tmp_path / "stopped", params, stop, monkeypatch)
    resumed = _pretrained(sweep, tmp_path / "stopped", params)
    assert read_record(resumed)["training"]["starts"] == 2
    assert _weights(resumed) == _weights(whole)


def test_after_until_updates_are_those_without_a_teacher(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state in which the teacher goes is handed to a training that never had one."""
    with_teacher, without = _params(weight=1.0, until=0.5), _params()
    whole, alone = (_pretrained(sweep, tmp_path / name, own) for name, own in (("a", with_teacher), ("b", without)))
    handed, own = (
        _stopped(sweep, tmp_path / name, params, UPDATES // 2, monkeypatch)
        for name, params in (("handed", with_teacher), ("own", without))
    )
    with safe_open(own / CHECKPOINT_FILE, framework="pt") as archive:
        identity = archive.metadata()["identity"]
    with safe_open(handed / CHECKPOINT_FILE, framework="pt") as archive:
        theirs = archive.metadata()
        tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118 - it is no mapping
    write_checkpoint(own, Checkpoint(identity, json.loads(theirs["progress"]), tensors))
    resumed = _pretrained(sweep, tmp_path / "own", without)
    assert read_record(resumed)["training"]["starts"] == 2
    assert _weights(resumed) == _weights(whole) != _weights(alone)


def test_the_teacher_runs_in_its_updates_alone(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[nn.Module] = []
    calls: list[int] = []

    def watched(*given: Any, **keys: Any) -> nn.Module:
        opened.append(open_teacher(*given, **keys))
        opened[-1].register_forward_pre_hook(lambda *_: calls.append(1))
        return opened[-1]

    monkeypatch.setattr(pretraining, "open_teacher", watched)
    _pretrained(sweep, tmp_path, _params(weight=1.0, until=0.25))
    assert len(opened) == 1
    assert len(calls) == UPDATES // 4


def test_a_teacher_with_another_vocabulary_is_refused(sweep: Path, tmp_path: Path) -> None:
    folder = build_checkpoint("mbart50", tmp_path / "other")
    tokenizer = load_tokenizer(sweep / "data/vocabularies/tiny")
    with pytest.raises(UserError, match=r"pretrain\.inherit\.model' names the model in .*whose vocabulary"):
        open_teacher(folder, tokenizer, max_positions=48, device=torch.device("cpu"), key=KEY)
    own = sweep / "results/models/tiny/checkpoint"
    with pytest.raises(UserError, match=r"which reads 48 tokens, where its student reads 64"):
        open_teacher(own, tokenizer, max_positions=64, device=torch.device("cpu"), key=KEY)


SMALL = {
    "objective": "translation",
    "pairs": ["es-en"],
    "vocabulary": 1000,
    "layers": 1,
    "d_model": 32,
    "heads": 2,
    "feed_forward": 64,
    "updates": 10,
    "learning_rate": 1.0e-3,
}
PUPIL = {**SMALL, "layers": 2, "inherit": {"model": "first"}}
MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no such model": ({"pupil": {"pretrain": PUPIL}}, r"'models\.pupil\.pretrain\.inherit\.model' names 'first'"),
    "another vocabulary": (
        {"first": {"pretrain": {**SMALL, "vocabulary": 900}}, "pupil": {"pretrain": PUPIL}},
        "'first', which has another vocabulary; write the same",
    ),
    "a trimmed vocabulary": (
        {"first": {"trim": {"model": "small", "pairs": ["es-en"], "entries": 900}}, "pupil": {"pretrain": PUPIL}},
        "'first', whose vocabulary was changed",
    ),
    "each other": (
        {"first": {"pretrain": {**PUPIL, "inherit": {"model": "pupil"}}}, "pupil": {"pretrain": PUPIL}},
        "'models.first' is made from itself, by way of 'first', 'pupil'",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_name_their_key(case: str) -> None:
    models, expected = MISTAKES[case]
    with pytest.raises(UserError, match=expected):
        validate(merge(DEFAULT, {"models": models}))


def test_the_teacher_is_an_input_and_part_of_the_name() -> None:
    models = {"first": {"pretrain": SMALL}, "pupil": {"pretrain": PUPIL}, "alone": {"pretrain": {**SMALL, "layers": 2}}}
    wider = {**models, "first": {"pretrain": {**SMALL, "seed": 2}}}
    configuration, other = (validate(merge(DEFAULT, {"models": own})) for own in (models, wider))
    read = pretrain_step.inputs(configuration, "pupil")
    assert read["teacher"] == base_file(configuration, "first")
    assert "teacher" not in pretrain_step.inputs(configuration, "alone")
    assert base_file(configuration, "pupil") != base_file(other, "pupil")
    assert base_file(configuration, "alone") == base_file(other, "alone")

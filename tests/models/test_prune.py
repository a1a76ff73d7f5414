"""Pruned base models: exact shares, matrices that are cut, zeros that stay, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mtpeft.cells import Cell
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record, write_record
from mtpeft.core.provenance import PLAIN, Execution
from mtpeft.models.architecture import ModelShape
from mtpeft.models.config_json import read_folder_shape
from mtpeft.models.derived.prune import copy_pruned, kept_of, pruned_shape
from mtpeft.models.families.module_names import is_last_of_block
from mtpeft.models.load import load_base, parameters
from mtpeft.models.marian_conversion import to_marian
from mtpeft.models.operations import decoding_operations, model_sizes
from mtpeft.models.precision import WHOLE
from mtpeft.steps.devices import Devices
from mtpeft.steps.prune_model import run as prune_model
from mtpeft.training.build_model import build_stages, count_trained
from mtpeft.training.finetune import finetune
from mtpeft.training.params import CellParams
from support.family import family_inputs, family_params
from support.method import FAMILIES, Subject, batch, write_base

CELL = Cell("half", "es-en", "few", "full", "all", "1")
OPTIMISATION = {"batch_tokens": 128, "label_smoothing": 0.0, "dropout": 0.0, "warmup": 0.1, "weight_decay": 0.01}
HEAL = {
    "method": {"method": "full"},
    "languages": {"source": "es", "target": "en"},
    "budget": None,
    "optimisation": {**OPTIMISATION, "clip_norm": 1.0, "evaluations": 2, "updates": 10, "learning_rate": 0.01},
    "search": {"beam_size": 1, "length_penalty": 1.0, "max_length_ratio": 2.0},
    "seed": 1,
    "threads": 1,
}
WITH_HEADS = ("student", "t5", "mt5")
SLICED = [*((family, "feed_forward") for family in FAMILIES), *((family, "heads") for family in WITH_HEADS)]


def _pruned(family: str, kind: str, folder: Path, *, share: float = 0.5, layers: int = 2) -> tuple[Path, Path]:
    """A random model of a family, and the same without a share of a kind."""
    base, pruned = write_base(family, folder / "base", layers=layers), folder / "pruned"
    pruned.mkdir()
    copy_pruned(base, pruned, kind=kind, share=share, key="models.half.prune.kind")
    return base, pruned


def _shape(folder: Path) -> ModelShape:
    return read_folder_shape(folder, key="models.half.path")


def _weights(model: nn.Module, shape: ModelShape) -> torch.Tensor:
    return torch.cat([model.get_submodule(own.module).weight.detach().flatten() for own in shape.linears])


def _logits(model: nn.Module) -> torch.Tensor:
    tokens = {"input_ids": torch.tensor([[7, 8, 9, 2]]), "decoder_input_ids": torch.tensor([[3, 10, 11]])}
    with torch.inference_mode():
        return model.eval()(**tokens, use_cache=False).logits


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_smallest_weights_of_all_linear_layers_are_zero(family: str, share: float, tmp_path: Path) -> None:
    base, pruned = _pruned(family, "weights", tmp_path, share=share)
    whole, left = (_weights(load_base(folder), _shape(folder)) for folder in (base, pruned))
    zeros = left == 0
    assert int(zeros.sum()) == round(share * len(whole))
    assert whole[zeros].abs().max() <= whole[~zeros].abs().min()
    assert torch.equal(left[~zeros], whole[~zeros])
    assert _shape(pruned) == _shape(base)


def _without_neurons(model: nn.Module, shape: ModelShape, kept: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Make the inputs of each closing layer zero that are not kept, given the magnitudes of the neurons."""
    opening: list[nn.Linear] = []
    for own in (own for own in shape.linears if own.role == "feed_forward"):
        layer = model.get_submodule(own.module)
        if not is_last_of_block(own.module):
            opening.append(layer)
            continue
        magnitude = layer.weight.norm(dim=0)
        for other in opening:
            bias = other.bias[:, None] if other.bias is not None else other.weight[:, :0]
            magnitude = magnitude * torch.cat([other.weight, bias], dim=1).norm(dim=1)
        layer.weight[:, ~kept(magnitude)] = 0
        opening = []


def _without_heads(model: nn.Module, shape: ModelShape, left: int) -> None:
    """Make the outputs of heads zero that are not kept; those of T5's self-attention are chosen for a whole side."""
    modules = {name: model.get_submodule(name) for name in shape.attentions}
    magnitudes = {}
    for name, module in modules.items():
        value, output = (module.v_proj, module.out_proj) if hasattr(module, "v_proj") else (module.v, module.o)
        bias = value.bias[:, None] if value.bias is not None else value.weight[:, :0]
        values = torch.cat([value.weight, bias], dim=1).view(shape.heads, -1).norm(dim=1)
        magnitudes[name] = values * output.weight.T.reshape(shape.heads, -1).norm(dim=1)
    for name, module in modules.items():
        magnitude = magnitudes[name]
        if name.endswith("SelfAttention"):
            side = name.split(".")[0]
            magnitude = sum(own for key, own in magnitudes.items() if key.startswith(side) and "SelfAtt" in key)
        gone = magnitude.argsort()[: shape.heads - left]
        output = module.out_proj if hasattr(module, "out_proj") else module.o
        output.weight.view(len(output.weight), shape.heads, -1)[:, gone] = 0


@pytest.mark.parametrize(("family", "kind"), SLICED)
def test_what_is_sliced_computes_what_is_masked(family: str, kind: str, tmp_path: Path) -> None:
    base, pruned = _pruned(family, kind, tmp_path)
    masked, shape = load_base(base), _shape(base)
    with torch.no_grad():
        if kind == "heads":
            _without_heads(masked, shape, kept_of(shape.heads, 0.5))
        else:
            _without_neurons(masked, shape, lambda own: own >= own.sort().values[len(own) - kept_of(len(own), 0.5)])
    found = _logits(load_base(pruned))
    torch.testing.assert_close(found, _logits(masked))
    assert not torch.allclose(found, _logits(load_base(base)), atol=1e-3)


@pytest.mark.parametrize(("family", "kind"), SLICED)
def test_taking_out_what_is_dead_changes_nothing(family: str, kind: str, tmp_path: Path) -> None:
    base, pruned = write_base(family, tmp_path / "base"), tmp_path / "pruned"
    model, shape = load_base(base), _shape(base)
    with torch.no_grad():
        if kind == "heads":
            _without_heads(model, shape, kept_of(shape.heads, 0.5))
        else:
            _without_neurons(model, shape, lambda own: own >= own.median())
    model.save_pretrained(tmp_path / "dead")
    pruned.mkdir()
    copy_pruned(tmp_path / "dead", pruned, kind=kind, share=0.3, key="models.half.prune.kind")
    torch.testing.assert_close(_logits(load_base(pruned)), _logits(model))


@pytest.mark.parametrize(("family", "kind"), SLICED)
def test_shape_and_operations_follow_the_slice(family: str, kind: str, tmp_path: Path) -> None:
    base, pruned = map(_shape, _pruned(family, kind, tmp_path))
    assert pruned == pruned_shape(base, kind=kind, share=0.5)
    assert pruned.total == parameters(load_base(tmp_path / "pruned"))[0]
    before, after = (decoding_operations(model_sizes(own), source=10, target=10, beam_size=1) for own in (base, pruned))
    whole, left = (sum(own.inputs * own.outputs for own in shape.linears) for shape in (base, pruned))
    assert base.total > pruned.total
    assert before - after >= 2 * 10 * (whole - left)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in WITH_HEADS])
def test_heads_that_must_fill_the_width_are_refused(family: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'models\.half\.prune\.kind' is 'heads', but the heads of .* always fill"):
        _pruned(family, "heads", tmp_path)


def _taken_in(sweep: Path, folder: Path, kind: str, *, family: str = "student", **more: Any) -> tuple[Any, Path]:
    """The files of a cell on a pruned model, and its record."""
    own, record = family_inputs(family, sweep, folder), folder / "results/models/half-01234567/base.json"
    prune_model({"model": family, "kind": kind, "share": 0.5, **more}, base=own.base, record=record, devices=Devices())
    return own, record


CASES = [
    *(
        ("student", kind, method)
        for kind in ("weights", "feed_forward", "heads")
        for method in ("full", "lora", "adapter")
    ),
    ("student", "heads", "prefix"),
    ("t5", "heads", "prefix"),
    ("t5", "heads", "lora"),
    ("mbart50", "feed_forward", "adapter"),
    ("nllb", "weights", "full"),
]


@pytest.mark.parametrize(("family", "kind", "method"), CASES)
def test_methods_train_on_pruned_models(family: str, kind: str, method: str, sweep: Path, tmp_path: Path) -> None:
    own, base = _taken_in(sweep, tmp_path, kind, family=family)
    # A dev score that all trained weights beat, so that they are what is kept.
    write_record(tmp_path / "start.json", {"dev_score": -1.0})
    files = replace(own, base=base, start=tmp_path / "start.json")
    finetune(family_params(method), CELL, inputs=files, record=tmp_path / "cell/train.json")
    trained, described = read_record(tmp_path / "cell/train.json"), read_record(base)
    folder = Path(described["folder"])
    assert trained["status"] == "ok"
    assert trained["total_parameters"] == described["total_parameters"] == _shape(folder).total
    if method == "full":
        tuned = _weights(load_base(tmp_path / "cell/tuned"), _shape(folder))
        before = _weights(load_base(folder), _shape(folder))
        assert torch.equal(tuned == 0, before == 0)
        assert not torch.equal(tuned, before)


def test_zeros_have_no_gradient_where_the_base_or_a_copy_is_trained(tmp_path: Path) -> None:
    _, pruned = _pruned("student", "weights", tmp_path)
    for method in ({"method": "full"}, {"method": "part", "part": "decoder"}):
        params = {**family_params("full"), "method": method}
        parsed = CellParams.of(params)
        counted = count_trained(parsed.method, _shape(pruned), budget=None)
        options = {"precision": WHOLE, "device": torch.device("cpu"), "execution": PLAIN}
        (model,) = build_stages(pruned, parsed, counted, **options)
        inputs = batch(Subject.frame_of(model.config))
        model(**inputs, use_cache=False).loss.backward()
        trained = [own for name, own in model.named_parameters() if own.grad is not None and own.dim() == 2]
        linears = [own for own in trained if (own == 0).float().mean() > 0.2]
        assert linears
        assert all(not own.grad[own == 0].any() for own in linears)
        assert any(own.grad.any() for own in linears)


def test_shards_of_weights_that_stay_zero_are_refused(tmp_path: Path) -> None:
    _, pruned = _pruned("student", "weights", tmp_path)
    parsed = CellParams.of(family_params("full"))
    counted = count_trained(parsed.method, _shape(pruned), budget=None)
    options = {"precision": WHOLE, "device": torch.device("cpu"), "execution": Execution(sharded=True)}
    with pytest.raises(UserError, match="can't be kept at zero in shards"):
        next(build_stages(pruned, parsed, counted, **options))


def test_marian_has_no_place_for_fewer_heads(tmp_path: Path) -> None:
    _, pruned = _pruned("student", "heads", tmp_path)
    with pytest.raises(UserError, match="The heads of Marian always fill its width"):
        to_marian(load_base(pruned))


def test_a_pruned_model_is_healed_and_recorded(sweep: Path, tmp_path: Path) -> None:
    own, record = family_inputs("student", sweep, tmp_path), tmp_path / "results/models/half-01234567/base.json"
    params = {"model": "student", "kind": "weights", "share": 0.5, "heal": HEAL}
    files = {"base": own.base, "train": own.train, "dev": own.dev, "dev_text": own.dev_text}
    prune_model(params, **files, record=record, devices=Devices())
    content = read_record(record)
    assert {path.name for path in record.parent.iterdir()} == {"pruned", "base.json"}
    assert len(content["origin"]["dev_history"]) == 3
    weights = _weights(load_base(Path(content["folder"])), _shape(Path(content["folder"])))
    assert int((weights == 0).sum()) == content["origin"]["zeros"] == round(0.5 * content["origin"]["weights"])

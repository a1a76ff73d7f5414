"""Models with fewer layers than the one that they are made from, healed by training."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record
from mtpeft.models.architecture import shape_with_layers
from mtpeft.models.config_json import read_folder_shape
from mtpeft.models.derived.drop_layers import copy_with_layers, kept_layers
from mtpeft.models.load import load_base, parameters
from mtpeft.steps.devices import Devices
from mtpeft.steps.drop_layers import run as drop_layers
from support.family import family_inputs
from support.method import TWO_STACKS, write_base

LAYERS = 4
KEPT = {"encoder": 3, "decoder": 1}


@pytest.mark.parametrize(
    ("layers", "kept", "expected"),
    [(6, 6, [0, 1, 2, 3, 4, 5]), (6, 3, [0, 2, 5]), (12, 4, [0, 4, 7, 11]), (6, 2, [0, 5]), (2, 1, [0]), (1, 1, [0])],
)
def test_layers_stay_at_even_distances_from_the_first_to_the_last(layers: int, kept: int, expected: list[int]) -> None:
    assert kept_layers(layers, kept) == expected


def _cut(family: str, folder: Path) -> tuple[Path, Path]:
    """A random model of a family with four layers on each side, and the same with three and one."""
    base, cut = write_base(family, folder / "base", layers=LAYERS), folder / "cut"
    cut.mkdir()
    copy_with_layers(base, cut, KEPT, key="models.cut.drop_layers")
    return base, cut


@pytest.mark.parametrize("family", TWO_STACKS)
def test_the_layers_that_stay_compute_what_they_did(family: str, tmp_path: Path) -> None:
    whole, cut = (load_base(folder).eval() for folder in _cut(family, tmp_path))
    for side, kept in KEPT.items():
        stack = whole.get_submodule(side if hasattr(whole, side) else f"model.{side}")
        name = "block" if hasattr(stack, "block") else "layers"
        setattr(stack, name, nn.ModuleList(getattr(stack, name)[place] for place in kept_layers(LAYERS, kept)))
    tokens = {"input_ids": torch.tensor([[7, 8, 9, 2]]), "decoder_input_ids": torch.tensor([[3, 10, 11]])}
    with torch.inference_mode():
        expected, found = (model(**tokens, use_cache=False).logits for model in (whole, cut))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("family", TWO_STACKS)
def test_the_shape_follows_in_closed_form(family: str, tmp_path: Path) -> None:
    base, cut = _cut(family, tmp_path)
    shape = shape_with_layers(read_folder_shape(base, key="models.base.path"), **KEPT)
    assert shape == read_folder_shape(cut, key="models.cut.path")
    assert shape.total == parameters(load_base(cut))[0]


def test_more_layers_than_there_are_are_refused(tmp_path: Path) -> None:
    base = write_base("student", tmp_path / "base", layers=2)
    (tmp_path / "cut").mkdir()
    with pytest.raises(UserError, match=r"'models\.cut\.drop_layers\.decoder' is 3, but the model has 2 layers there"):
        copy_with_layers(base, tmp_path / "cut", {"encoder": 1, "decoder": 3}, key="models.cut.drop_layers")


def _params(updates: int, rate: float) -> dict[str, Any]:
    optimisation = {"batch_tokens": 128, "label_smoothing": 0.0, "dropout": 0.0, "warmup": 0.1, "weight_decay": 0.0}
    heal = {
        "method": {"method": "full"},
        "languages": {"source": "es", "target": "en"},
        "budget": None,
        "optimisation": {**optimisation, "clip_norm": 1.0, "evaluations": 2, "updates": updates, "learning_rate": rate},
        "search": {"beam_size": 1, "length_penalty": 1.0, "max_length_ratio": 2.0},
        "seed": 1,
        "threads": 1,
    }
    return {"model": "student", "encoder": 1, "decoder": 1, "heal": heal}


def _healed(sweep: Path, folder: Path, *, rate: float) -> tuple[Path, Path]:
    """The records of a model and of the same with fewer layers."""
    own, record = family_inputs("student", sweep, folder), folder / "results/models/shallow-01234567/base.json"
    files = {"base": own.base, "train": own.train, "dev": own.dev, "dev_text": own.dev_text}
    drop_layers(_params(300, rate), **files, record=record, devices=Devices())
    return own.base, record


def test_a_model_is_healed_and_recorded(sweep: Path, tmp_path: Path) -> None:
    base, record = _healed(sweep, tmp_path, rate=0.01)
    content = read_record(record)
    assert {path.name for path in record.parent.iterdir()} == {"healed", "base.json"}
    history = content["origin"]["dev_history"]
    assert max(own["score"] for own in history[1:]) > history[0]["score"]
    whole = read_folder_shape(Path(read_record(base)["folder"]), key="models.whole.path")
    assert content["total_parameters"] == shape_with_layers(whole, encoder=1, decoder=1).total
    assert content["origin"]["total_parameters_before"] == whole.total


def test_a_rate_at_which_healing_diverges_is_named(sweep: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"write a smaller rate in 'models\.shallow\.drop_layers\.heal\.learning_rate'"):
        _healed(sweep, tmp_path, rate=1e6)

"""Every family's checkpoint is taken in as it is, and refused with one sentence in each form in which it is broken."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record
from mtpeft.models.load import load_base, parameters
from mtpeft.models.local import take_in_folder, tokenizer_files
from support.broken_folders import (
    BART,
    CASES,
    TENSORS,
    Break,
    config_of,
    keys_of,
    put_in_two,
    renamed,
    then,
    weights_of,
    without,
)
from support.family import CHECKPOINTS, build_checkpoint


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint of every family."""
    folder = tmp_path_factory.mktemp("whole")
    for name in CHECKPOINTS:
        build_checkpoint(name, folder / name)
    return folder


def _take_in(folder: Path) -> dict[str, Any]:
    record = folder.parent / "results/models/own/base.json"
    take_in_folder({"step_version": 1, "path": str(folder)}, record=record)
    return read_record(record)


QUICK = ("nllb", "marian", "t5")
"""Families that are tried in every form by `make test`; `make test-all` tries all."""


def of_family(family: str, *values: Any, label: str) -> Any:
    """A case of a family."""
    return pytest.param(*values, id=label, marks=() if family in QUICK else pytest.mark.slow)


@pytest.mark.parametrize(
    ("family", "label", "case"),
    [of_family(family, family, label, case, label=f"{family}: {label}") for family, label, case in CASES],
)
def test_a_broken_folder_is_refused_with_a_sentence(
    checkpoints: Path, tmp_path: Path, family: str, label: str, case: tuple[Break, str]
) -> None:
    folder = Path(shutil.copytree(checkpoints / family, tmp_path / "mine"))
    change, sentence = case
    change(folder)
    with pytest.raises(UserError, match=sentence) as told:
        _take_in(folder)
    assert str(told.value).endswith((".", "?"))
    assert "\n" not in str(told.value)
    assert str(folder) in str(told.value)


def _spare_rows(folder: Path) -> None:
    """Eight rows more than there are tokens, as published models have them to fill up a round number."""

    def longer(name: str, tensor: torch.Tensor) -> torch.Tensor:
        if name == "final_logits_bias":
            return torch.cat([tensor, tensor.new_zeros(1, 8)], dim=1)
        is_matrix = name.endswith(("shared.weight", "lm_head.weight", "embed_tokens.weight"))
        return torch.cat([tensor, tensor.new_zeros(8, tensor.shape[1])]) if is_matrix else tensor

    entries = json.loads((folder / "config.json").read_text())["vocab_size"] + 8
    weights_of(lambda all_: {name: longer(name, tensor) for name, tensor in all_.items()})(folder)
    config_of(vocab_size=entries, decoder_vocab_size=entries)(folder)


def _of_older_format(folder: Path) -> None:
    """Tables and numbers that older checkpoints hold and nothing reads."""
    unread = {"model.encoder.version": torch.ones(1), "model.decoder.version": torch.ones(1)}
    tables = {f"model.{side}.embed_positions.weights": torch.zeros(66, 32) for side in ("encoder", "decoder")}
    is_sinusoidal = json.loads((folder / "config.json").read_text())["model_type"] == "m2m_100"
    weights_of(lambda all_: all_ | unread | (tables if is_sinusoidal else {}))(folder)


WHOLE: dict[str, tuple[Break, tuple[str, ...]]] = {
    "as it is": (lambda folder: None, tuple(CHECKPOINTS)),
    "in two files": (put_in_two, tuple(CHECKPOINTS)),
    "with spare rows": (_spare_rows, tuple(CHECKPOINTS)),
    "in 16 bits": (weights_of(lambda all_: {name: tensor.half() for name, tensor in all_.items()}), ("nllb", "t5")),
    "without the head's prefix": (renamed(lambda name: name.removeprefix("model.")), BART),
    "of an older format": (_of_older_format, ("mbart50", "m2m100", "nllb")),
    "with a bias that is zero": (
        weights_of(lambda all_: all_ | {"final_logits_bias": torch.zeros(1, 7)}),
        ("nllb", "m2m100"),
    ),
    "with the matrix under both names": (
        weights_of(lambda all_: all_ | {"lm_head.weight": all_["model.shared.weight"].clone()}),
        BART,
    ),
    "with its start in the generation's settings": (
        then(config_of(decoder_start_token_id=...), keys_of("generation_config.json", decoder_start_token_id=0)),
        ("t5", "mt5"),
    ),
    "without a start that nobody reads": (
        then(config_of(decoder_start_token_id=None), without("generation_config.json")),
        ("mbart25",),
    ),
}


@pytest.mark.parametrize(
    ("label", "family"),
    [
        of_family(family, label, family, label=f"{label}-{family}")
        for label, (_, families) in WHOLE.items()
        for family in families
    ],
)
def test_a_whole_folder_is_taken_in_and_opens_with_its_weights(
    checkpoints: Path, tmp_path: Path, label: str, family: str
) -> None:
    folder = Path(shutil.copytree(checkpoints / family, tmp_path / "mine"))
    WHOLE[label][0](folder)
    record = _take_in(folder)
    one, two = load_base(folder), load_base(folder)
    assert parameters(one)[0] == record["total_parameters"]
    assert all(torch.equal(*pair) for pair in zip(one.parameters(), two.parameters(), strict=True))
    assert (one.config.decoder_start_token_id is None) == (label == "without a start that nobody reads")
    read = {file.name for file in (*folder.glob("*.safetensors"), *tokenizer_files(folder))} | {"config.json"}
    assert {*record["sha256"]} == read


@pytest.mark.parametrize("change", [TENSORS["module."][0], TENSORS["one tensor less"][0], TENSORS["another shape"][0]])
def test_no_step_opens_weights_that_are_not_all_the_models_own(
    checkpoints: Path, tmp_path: Path, change: Break
) -> None:
    folder = Path(shutil.copytree(checkpoints / "nllb", tmp_path / "mine"))
    change(folder)
    with pytest.raises(UserError, match=r"names such as|lack|of the shape"):
        load_base(folder)

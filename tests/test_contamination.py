"""A model that comes with its data record is tested on nothing that it may have seen."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from config_material import PRETRAINED
from mtpeft.config.load import merge, validate
from mtpeft.config.resolve import model_shape
from mtpeft.config.settings import split_settings
from mtpeft.errors import UserError
from mtpeft.models.describe import DATA_RECORD
from mtpeft.record_types import DataRecord
from mtpeft.records import write_record

SHIPPED = Path(__file__).parents[1] / "workflow" / "models" / "small"
KEPT_OUT = split_settings(validate(PRETRAINED), "interface")


def overlay(folder: Path, kept_out: dict[str, dict[str, Any]], changes: dict[str, Any]) -> dict[str, Any]:
    """The default study on a model in a folder whose data record has the splits given."""
    shutil.copy(SHIPPED / "config.json", folder)
    corpora = {corpus: {"split": split, "split_sha256": "0" * 64} for corpus, split in kept_out.items()}
    write_record(folder / DATA_RECORD, DataRecord(pairs={}, corpora=corpora).model_dump())
    return merge({"models": {"small": {"path": str(folder), "pretrain": None}}}, changes)


@pytest.mark.parametrize(
    ("kept_out", "changes"),
    [
        ({"interface": KEPT_OUT}, {}),
        ({"interface": KEPT_OUT}, {"pairs": {"it-en": {"corpus": "interface"}}}),
        ({"interface": KEPT_OUT}, {"corpora": {"interface": {"clean": {"max_words": 20}}}}),
        ({"interface": KEPT_OUT, "another": {"test": 7}}, {}),
        ({"another": {"test": 7}}, {}),
    ],
    ids=["the same split", "a pair more", "cleaned otherwise", "of two corpora", "of other text"],
)
def test_a_model_is_tested_on_what_was_kept_out_of_it(
    kept_out: dict[str, dict[str, Any]], changes: dict[str, Any], tmp_path: Path
) -> None:
    assert validate(merge(PRETRAINED, overlay(tmp_path, kept_out, changes))).models["small"].path == str(tmp_path)


@pytest.mark.parametrize(
    ("kept_out", "changes"),
    [
        (KEPT_OUT | {"test": KEPT_OUT["test"] - 1}, {}),
        (KEPT_OUT | {"near_duplicate": 0.9}, {}),
        (KEPT_OUT | {"recipe": 0}, {}),
        (KEPT_OUT, {"corpora": {"interface": {"split": {"test": KEPT_OUT["test"] + 1}}}}),
        (KEPT_OUT, {"corpora": {"interface": {"split": {"present_in": ["es", "de"]}}}}),
    ],
    ids=["fewer test sentences", "nearer duplicates", "another recipe", "more test sentences", "other languages"],
)
def test_a_model_of_another_split_is_refused(kept_out: dict[str, Any], changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        validate(merge(PRETRAINED, overlay(tmp_path, {"interface": kept_out}, changes)))

    assert str(caught.value) == (
        "'models.small' may have seen test sentences: it was pre-trained for another split of 'corpora.interface'; "
        "leave 'corpora.interface.split' as it comes, or pre-train it again with this one, as "
        "workflow/studies/pretrain.yaml does."
    )


def test_a_model_that_no_study_uses_is_not_asked(tmp_path: Path) -> None:
    content = overlay(tmp_path, {"interface": {"test": 7}}, {})
    content["models"] = {"other": {"path": content["models"]["small"]["path"]}}

    assert "other" in validate(merge(PRETRAINED, content)).models


@pytest.mark.parametrize("label", ["small", "small2", "large", "denoiser"])
def test_a_shipped_folder_holds_the_model_that_its_overlay_describes(label: str) -> None:
    shipped = {"models": {label: {"path": f"workflow/models/{label}", "pretrain": None}}}

    assert model_shape(validate(merge(PRETRAINED, shipped)), label) == model_shape(validate(PRETRAINED), label)

"""A model that comes with its data record is tested on nothing that it may have seen."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from mtpeft.config.held_out import held_out_params
from mtpeft.config.load import merge, validate
from mtpeft.config.model_shapes import model_shape
from mtpeft.core.errors import UserError
from mtpeft.core.files import sha256_of, write_record
from mtpeft.front.ship import data_record
from mtpeft.models.config_json import DATA_RECORD
from support.config import PRETRAINED
from support.record import schema_mistakes

SHIPPED = Path(__file__).parents[2] / "workflow" / "models" / "small"
NOW = held_out_params(validate(PRETRAINED), "interface")
SPLIT, CLEAN, WHEELS = NOW["split"], NOW["clean"], NOW["wheels"]
DJANGO = WHEELS["django"]


def overlay(folder: Path, kept_out: dict[str, dict[str, Any]], changes: dict[str, Any]) -> dict[str, Any]:
    """The default study on a model in a folder whose data record says this of each corpus."""
    shutil.copy(SHIPPED / "config.json", folder)
    write_record(folder / DATA_RECORD, {"pairs": {}, "corpora": kept_out})
    return merge({"models": {"small": {"path": str(folder), "pretrain": None}}}, changes)


def in_corpus(**changes: Any) -> dict[str, Any]:
    return {"corpora": {"interface": changes}}


@pytest.mark.parametrize(
    ("kept_out", "changes"),
    [
        ({"interface": NOW}, {}),
        ({"interface": NOW}, {"pairs": {"it-en": {"corpus": "interface"}}}),
        ({"interface": NOW}, in_corpus(wheels={"django": {"languages": {"it": "it_IT"}}})),
        ({"interface": NOW}, in_corpus(wheels={"django": {"python": "3.12"}})),
        ({"interface": NOW, "another": {"split": {"test": 7}}}, {}),
        ({"another": {"split": {"test": 7}}}, {}),
    ],
    ids=["the same", "a pair more", "a name of its language", "another download", "of two corpora", "of other text"],
)
def test_a_model_is_tested_on_what_was_kept_out_of_it(
    kept_out: dict[str, dict[str, Any]], changes: dict[str, Any], tmp_path: Path
) -> None:
    assert validate(merge(PRETRAINED, overlay(tmp_path, kept_out, changes))).models["small"].path == str(tmp_path)


def refused(kept_out: dict[str, Any], changes: dict[str, Any], folder: Path) -> str:
    """The message about a model whose held-out text is known to be this."""
    with pytest.raises(UserError) as caught:
        validate(merge(PRETRAINED, overlay(folder, {"interface": kept_out}, changes)))
    return str(caught.value)


@pytest.mark.parametrize(
    ("then", "changes", "keys"),
    [
        ({"split": SPLIT | {"test": SPLIT["test"] - 1}}, {}, ["split"]),
        ({"split": SPLIT | {"near_duplicate": 0.9}}, {}, ["split"]),
        ({"split": SPLIT | {"step_version": 0}}, {}, ["split"]),
        ({}, in_corpus(split={"test": SPLIT["test"] + 1}), ["split"]),
        ({}, in_corpus(split={"present_in": ["es", "pt"]}), ["split"]),
        ({}, in_corpus(clean={"max_words": 12}), ["clean"]),
        ({"clean": CLEAN | {"step_version": 0}}, {}, ["clean"]),
        ({}, in_corpus(wheels={"django": {"sha256": "0" * 64}}), ["wheels"]),
        ({}, in_corpus(wheels={"django": {"version": "5.0.0"}}), ["wheels"]),
        ({}, in_corpus(wheels={"django": {"members": "django/{language}/*.po"}}), ["wheels"]),
        ({}, in_corpus(wheels={"django": {"languages": {"pt": "pt_BR"}}}), ["wheels"]),
        ({}, in_corpus(wheels={"django": None}), ["wheels"]),
        ({"wheels": WHEELS | {"one more": DJANGO}, "clean": CLEAN | {"max_words": 9}}, {}, ["clean", "wheels"]),
        ({"files": {"files": {"tsv": "text.tsv"}}}, {}, ["files"]),
    ],
    ids=[
        "fewer test sentences",
        "nearer duplicates",
        "another version of the split",
        "more test sentences",
        "other languages",
        "shorter sentences",
        "another version of the cleaning",
        "another wheel",
        "another version",
        "other members",
        "another Portuguese",
        "a wheel less",
        "a wheel more and cleaned otherwise",
        "own files",
    ],
)
def test_a_model_of_other_text_is_refused(
    then: dict[str, Any], changes: dict[str, Any], keys: list[str], tmp_path: Path
) -> None:
    differing = " and another ".join(f"'corpora.interface.{key}'" for key in keys)
    assert refused(NOW | then, changes, tmp_path) == (
        f"'models.small' may have seen test sentences: it was pre-trained with another {differing}; keep the values "
        "that come with it, or pre-train it again with these, as workflow/studies/pretrain.yaml does."
    )


def test_a_model_whose_record_leaves_open_what_it_was_made_from_is_refused(tmp_path: Path) -> None:
    assert refused({"split": SPLIT, "files": {}}, {}, tmp_path) == (
        f"'models.small' may have seen test sentences: {tmp_path / DATA_RECORD} does not say with which "
        "'corpora.interface.clean' and 'corpora.interface.wheels' it was pre-trained; pre-train it again, as "
        "workflow/studies/pretrain.yaml does."
    )


def test_the_data_record_holds_what_a_study_is_compared_with(tmp_path: Path) -> None:
    split = tmp_path / "split.json"
    write_record(split, {})
    record = data_record({}, {"interface": split}, held_out={"interface": NOW}).model_dump()
    assert schema_mistakes(record, "data") == []
    assert record["corpora"]["interface"] == NOW | {"split_sha256": sha256_of(split)}


def test_a_model_that_no_study_uses_is_not_asked(tmp_path: Path) -> None:
    content = overlay(tmp_path, {"interface": {"split": {"test": 7}}}, {})
    content["models"] = {"other": {"path": content["models"]["small"]["path"]}}

    assert "other" in validate(merge(PRETRAINED, content)).models


@pytest.mark.parametrize("label", ["small", "small2", "large", "denoiser"])
def test_a_shipped_folder_holds_the_model_that_its_overlay_describes(label: str) -> None:
    shipped = {"models": {label: {"path": f"workflow/models/{label}", "pretrain": None}}}

    assert model_shape(validate(merge(PRETRAINED, shipped)), label) == model_shape(validate(PRETRAINED), label)

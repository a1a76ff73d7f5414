"""Results count while the text and the base model that they came from are those of the configuration."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtpeft.config.load import load
from mtpeft.config.schema import Configuration
from mtpeft.core.files import read_record, write_record
from mtpeft.front.status import is_finished
from mtpeft.steps.cells_of_studies import placed_cells
from support.sweep import copy, located, write_study

pytestmark = pytest.mark.sweep

LORA = "small/es-en/n200/lora/b5/1"
ADAPTER = "small/es-en/n200/adapter/b5/1"
OF_N200 = {
    LORA,
    ADAPTER,
    "small/es-en/n200/full/all/1",
    "small/de-en/n200/full/all/1",
    "small/es-en/n200/scratch/all/1",
    "denoiser/es-en/n200/full/all/1",
    "any/es-en/n200/retrieval/any/any",
}
OF_N100 = {"small/es-en/n100/full/all/1", "any/es-en/n100/retrieval/any/any"}
ALL = {*OF_N200, *OF_N100, "small/es-en/any/none/any/any"}
OF_SMALL = {cell for cell in ALL if cell.startswith("small/")}
SPANISH = {cell for cell in ALL if "/es-en/" in cell}
WITHOUT_BASE = {cell for cell in SPANISH if cell.startswith("any/")}
"""Cells of Spanish that read no base model; both base models were pre-trained on text of German, too."""


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a finished run, to change."""
    monkeypatch.chdir(copy(finished, tmp_path / "run"))
    return Path()


def configured(overlay: dict[str, Any] | None = None) -> Configuration:
    return load([write_study(Path(), overlay)])


def stale(configuration: Configuration) -> set[str]:
    """Cells that are not finished."""
    return {cell.path for cell in placed_cells(configuration) if not is_finished(configuration, cell)}


def in_corpus(**changes: Any) -> dict[str, Any]:
    return {"corpora": {"interface": changes}}


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        ({}, set()),
        ({"pairs": {"it-en": {"corpus": "interface"}}}, set()),
        ({"sizes": {"n200": {"pairs": 150}}}, OF_N200),
        (in_corpus(clean={"max_words": 12}), ALL),
        (in_corpus(split={"near_duplicate": 0.7}), ALL),
        (in_corpus(wheels={"django": {"sha256": "0" * 64}}), ALL),
        ({"models": {"small": {"pretrain": {"updates": 300}}}}, OF_SMALL),
        ({"models": {"small": {"pretrain": None, "path": "elsewhere"}}}, OF_SMALL),
        ({"methods": {"adapter": {"learning_rate": {"search": [0.002, 0.004, 0.008]}}}}, {ADAPTER}),
        ({"rate_search": {"seed": 7}}, {ADAPTER}),
    ],
    ids=[
        "nothing",
        "a pair more",
        "the number of pairs",
        "cleaning",
        "split",
        "a wheel",
        "pre-training",
        "another base model",
        "candidates",
        "search",
    ],
)
def test_records_with_other_params_are_not_finished(overlay: dict[str, Any], expected: set[str], folder: Path) -> None:
    shutil.copytree(located(Path(), "results/models/small/checkpoint"), "elsewhere")
    assert stale(configured(overlay)) == expected


def rewrite(file: str, **changes: Any) -> Callable[[], None]:
    def rewritten() -> None:
        path = located(Path(), file)
        write_record(path, read_record(path) | changes)

    return rewritten


def append(file: str) -> Callable[[], None]:
    def changed() -> None:
        with located(Path(), file).open("ab") as stream:
            stream.write(b"1\n")

    return changed


def remove(pattern: str) -> Callable[[], None]:
    def removed() -> None:
        file = located(Path(), pattern)
        shutil.rmtree(file) if file.is_dir() else file.unlink()

    return removed


def remove_arrays() -> None:
    (file,) = Path().glob("data/tokens/*/de-en-*/train.safetensors")
    file.unlink()


def train_base_anew() -> None:
    """Leave the files of a sweep that has made a base model from other text and ended before its cells."""
    base = located(Path(), "results/models/small")
    weights, record = base / "checkpoint/model.safetensors", base / "base.json"
    append(str(weights))()
    hashes = read_record(record)["sha256"] | {"model.safetensors": "0" * 64}
    write_record(record, read_record(record) | {"sha256": hashes})
    os.utime(record, ns=(time := weights.stat().st_mtime_ns + 1, time))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (append("data/pairs/es-en/subsets/1/n200.txt"), {c for c in OF_N200 & SPANISH if not c.startswith("any/")}),
        (append("data/pairs/de-en/dev.tsv"), ALL - WITHOUT_BASE),
        (append("data/pairs/de-en/test.tsv"), ALL - SPANISH),
        (append("data/corpora/interface/split.json"), ALL),
        # The corpus is split by the clean text of both pairs.
        (rewrite("data/pairs/de-en/clean.json", sha256="0" * 64), ALL),
        (rewrite("data/wheels/interface/django.json", archive_sha256="0" * 64), ALL),
        (train_base_anew, OF_SMALL),
        (append("results/models/small/checkpoint/model.safetensors"), OF_SMALL),
        (remove("data/corpora/interface/split.json"), ALL),
        (remove("data/pairs/de-en/clean.json"), ALL),
        (remove_arrays, ALL - SPANISH),
        (remove("results/models/denoiser/base.json"), {cell for cell in ALL if cell.startswith("denoiser/")}),
        (remove("results/rates/small/n200/adapter/b5.json"), {ADAPTER}),
        (remove("data"), set()),
        (remove("data/pairs"), set()),
        (remove("data/tokens"), set()),
        (remove("data/wheels"), set()),
    ],
    ids=[
        "subset",
        "dev text",
        "test text",
        "split",
        "clean text",
        "wheel",
        "base model",
        "weights",
        "no split",
        "no clean text",
        "no arrays",
        "no base model",
        "no rate",
        "no data folder",
        "no folder of pairs",
        "no folder of arrays",
        "no folder of wheels",
    ],
)
def test_records_that_follow_from_remade_files_are_not_finished(
    change: Callable[[], None], expected: set[str], folder: Path
) -> None:
    change()
    assert stale(configured()) == expected


def test_a_process_that_has_looked_before_sees_a_change_far_behind_a_cell(folder: Path) -> None:
    configuration = configured()
    assert stale(configuration) == set()
    rewrite("data/wheels/interface/django.json", archive_sha256="0" * 64)()
    assert stale(configuration) == ALL


def test_a_search_on_older_text_gives_no_rate(folder: Path) -> None:
    record = located(Path(), "results/rates/small/n200/adapter/b5.json")
    inputs = read_record(record)["inputs"]
    rewrite(str(record), inputs=inputs | {"train_sha256": "0" * 64})()
    assert stale(configured()) == {ADAPTER}

"""Cells: their labels, and the studies that ask for them."""

import json
import re
from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest

from mtpeft.cells import CELL_TEMPLATE, Cell, cell_blocks, unfold
from mtpeft.config.corpora import all_downloads
from mtpeft.config.load import merge, validate
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.steps.cells_of_studies import placed_cells, placed_study_cells
from mtpeft.steps.decontaminate_pair import pair_name
from mtpeft.steps.downloads import download_name
from mtpeft.steps.paths import constraints
from support.config import DEFAULT

QUESTION = {
    "models": ["small"],
    "pairs": ["pt-en"],
    "sizes": ["n4800"],
    "methods": ["full", "adapter", "none", "scratch", "retrieval"],
    "budgets": ["b1", "b5", "b20"],
    "seeds": [1, 2],
    "also": [],
}
ADAPTER = Cell("small", "pt-en", "n4800", "adapter", "b1", "2")


def configured(overlay: Mapping[str, Any] | None = None) -> Configuration:
    return validate(merge(DEFAULT, overlay or {}))


@pytest.mark.parametrize(
    "path",
    [
        "small/pt-en/n4800/adapter/b1/2",
        "/small/pt-en/n4800/adapter/b1/2/",
        "results/cells/small/pt-en/n4800/adapter/b1/2",
        "/home/me/run/results/cells/small/pt-en/n4800/adapter/b1/2/tuned/adapter_model.safetensors",
    ],
)
def test_a_cell_is_known_by_its_labels_and_by_any_of_its_files(path: str) -> None:
    assert Cell.parse(path) == ADAPTER


def test_labels_survive_the_way_through_a_path() -> None:
    for cell in placed_cells(configured()):
        assert Cell.parse(cell.path) == cell
        assert Cell.parse(str(cell.folder / "train.json")) == cell
        assert Cell.parse(str(cell.folder / "train.json")).digest == cell.digest
        labels = cell.named | {"seed": f"{cell.seed}-{cell.digest}"}
        assert CELL_TEMPLATE.format(**labels) == str(cell.folder)


@pytest.mark.parametrize("path", ["", "small", "small/pt-en/n4800/adapter/b1", "../../../../etc/x/y", "a/b/c/d/e/-f"])
def test_a_path_without_six_safe_labels_is_refused(path: str) -> None:
    with pytest.raises(UserError, match="names no cell; write its six labels as model/pair/size/method/budget/seed"):
        Cell.parse(path)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("adapter", {("small", "pt-en", "n4800", budget, seed) for budget, seed in product(("b1", "b5", "b20"), "12")}),
        ("full", {("small", "pt-en", "n4800", "all", "1"), ("small", "pt-en", "n4800", "all", "2")}),
        ("scratch", {("small", "pt-en", "n4800", "all", "1"), ("small", "pt-en", "n4800", "all", "2")}),
        ("none", {("small", "pt-en", "any", "any", "any")}),
        ("retrieval", {("any", "pt-en", "n4800", "any", "any")}),
    ],
)
def test_a_study_becomes_cells_and_its_reference_rows_are_made_once(
    method: str, expected: set[tuple[str, ...]]
) -> None:
    configuration = configured({"studies": {"budgets": QUESTION}})
    cells = placed_study_cells(configuration, configuration.studies["budgets"])
    found = [(cell.model, cell.pair, cell.size, cell.budget, cell.seed) for cell in cells if cell.method == method]

    assert set(found) == expected
    assert len(found) == len(expected)


BLOCKS = {
    "more seeds of a method": (
        [{"methods": ["adapter"], "budgets": ["b1"], "seeds": [3, 4]}],
        {("n4800", "adapter", "b1", "3"), ("n4800", "adapter", "b1", "4")},
    ),
    "another size, where seeds mean nothing to some": (
        [{"sizes": ["n100"], "methods": ["full", "retrieval", "none"], "seeds": [1]}],
        {("n100", "full", "all", "1"), ("n100", "retrieval", "any", "any")},
    ),
    "two blocks that overlap": (
        [{"methods": ["full"], "seeds": [2, 3]}, {"methods": ["full", "scratch"], "seeds": [3]}],
        {("n4800", "full", "all", "3"), ("n4800", "scratch", "all", "3")},
    ),
    "nothing new": ([{"methods": ["full"]}, {"seeds": [2]}], set()),
}


@pytest.mark.parametrize("case", BLOCKS)
def test_further_cells_come_after_those_of_the_study_and_each_once(case: str) -> None:
    blocks, expected = BLOCKS[case]
    study = configured({"studies": {"budgets": QUESTION}}).studies["budgets"]
    configuration = configured({"studies": {"budgets": {**QUESTION, "also": blocks}}})
    own, cells = (placed_study_cells(configuration, entry) for entry in (study, configuration.studies["budgets"]))

    assert cells[: len(own)] == own
    added = [(cell.size, cell.method, cell.budget, cell.seed) for cell in cells[len(own) :]]
    assert set(added) == expected
    assert len(added) == len(expected)
    assert set(cells) <= set(placed_cells(configuration))


def test_a_block_takes_from_its_study_what_it_does_not_say() -> None:
    blocks = [{"methods": ["adapter"], "budgets": ["b1"]}, {"seeds": [3]}]
    study = configured({"studies": {"budgets": {**QUESTION, "also": blocks}}}).studies["budgets"]
    lists = [(block.sizes, block.methods, block.budgets, block.seeds, block.also) for block in study.blocks]

    assert lists == [
        (study.sizes, study.methods, study.budgets, study.seeds, []),
        (study.sizes, ["adapter"], ["b1"], study.seeds, []),
        (study.sizes, study.methods, study.budgets, [3], []),
    ]


def test_studies_share_their_cells() -> None:
    wider = {**QUESTION, "figure": "budgets", "sizes": ["n100", "n4800"], "seeds": [1]}
    configuration = configured({"studies": {"budgets": QUESTION, "wider": wider}})
    configuration = configuration.model_copy(
        update={"studies": {label: configuration.studies[label] for label in ("budgets", "wider")}}
    )
    first, second = (placed_study_cells(configuration, study) for study in configuration.studies.values())

    assert (len(first), len(second)) == (12, 13)
    assert list(placed_cells(configuration)) == [*first, *(cell for cell in second if cell not in first)]
    assert {cell.method for cell in set(first) & set(second)} == {"full", "adapter", "none", "scratch", "retrieval"}


def some_cells(step: int) -> list[Cell]:
    labels = product(("a", "b"), ("x-y", "y-x"), ("s", "m", "l"), ("full", "lora"), ("b1", "all"), ("1", "10", "2"))
    return [Cell(*row) for index, row in enumerate(labels) if index % step != 1]


@pytest.mark.parametrize(
    "cells",
    [[], [ADAPTER], placed_cells(configured()), *(some_cells(step) for step in (1, 2, 3, 5, 7, 11))],
    ids=lambda cells: str(len(cells)),
)
def test_folded_cells_unfold_to_the_same(cells: list[Cell]) -> None:
    blocks = json.loads(json.dumps(cell_blocks(cells)))

    assert sorted(unfold(blocks)) == sorted(set(cells))
    assert {cell: cell.folder for cell in unfold(blocks)} == {cell: cell.folder for cell in cells}
    assert cell_blocks([*reversed(cells), *cells]) == cell_blocks(cells)
    assert len(blocks) <= len(cells)


NAMED_PAIR = pair_name(configured(), "pt-en")
NAMED_WHEEL = download_name(all_downloads(configured())["data/wheels/interface", "django"])


@pytest.mark.parametrize(
    ("name", "known", "unknown"),
    [
        ("model", ["small", "any"], ["smal", "small/x", "all", ""]),
        ("pair", [NAMED_PAIR], ["pt-en", "en-es", "any", "es-en-x", "es-en-01234567", f"{NAMED_PAIR}0"]),
        ("size", ["n100", "any"], ["n1000", "100"]),
        ("budget", ["b1", "b20", "all", "any", "native"], ["b2", "0.01"]),
        ("seed", ["1-01234567", "12-89abcdef", "any-01234567"], ["1", "any", "x-01234567", "1-0123456", "1-0123456x"]),
        ("study", ["data_sizes"], ["efficiency"]),
        ("wheel", [NAMED_WHEEL], ["django", "flask", "django-01234567"]),
    ],
)
def test_wildcards_match_labels_and_names_with_their_own_digest_alone(
    name: str, known: list[str], unknown: list[str]
) -> None:
    pattern = constraints(configured())[name]

    assert all(re.fullmatch(pattern, label) for label in known)
    assert not any(re.fullmatch(pattern, label) for label in unknown)


def test_a_dot_in_a_label_is_a_dot() -> None:
    pattern = constraints(configured())["budget"]

    assert re.fullmatch(pattern, "b0.5")
    assert not re.fullmatch(pattern, "b0x5")

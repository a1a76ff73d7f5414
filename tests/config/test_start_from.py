"""A cell that begins with the weights of another: which one that is, what of it counts, and what is refused."""

from typing import Any

import pytest

from mtpeft.cells import Cell
from mtpeft.config.load import merge, validate
from mtpeft.config.start_from import parent_of
from mtpeft.config.studies import all_cells, rate_classes
from mtpeft.core.errors import UserError
from mtpeft.steps import search_rate, train
from support.config import DEFAULT, STUDY

RATE = {"learning_rate": 1e-3}
SEARCH = {"search": [1e-3, 2e-3, 4e-3]}
ENTRIES = {
    "ia3": {"method": "IA3", **RATE},
    "lora": {"method": "lora", "learning_rate": 1e-3},
    "full": {"method": "full", "learning_rate": 1e-3},
}


def configuration(methods: dict[str, Any], *, budgets: tuple[str, ...] = ("b1",), **sections: Any) -> Any:
    study = {**STUDY, "pairs": ["es-en"], "figure": "budgets", "methods": list(methods), "budgets": list(budgets)}
    overlay = {
        "findings": dict.fromkeys(DEFAULT["findings"]),
        "methods": {label: None for label in DEFAULT["methods"] if label not in ("none",)} | ENTRIES | methods,
        "studies": dict.fromkeys(DEFAULT["studies"]) | {"mine": study},
    }
    return validate(merge(DEFAULT, overlay | sections))


def child(kind: str = "IA3", **start: Any) -> dict[str, Any]:
    return {"child": {"method": kind, **RATE, "start_from": start}}


def cell(pair: str, size: str, system: str, seed: int = 2) -> Cell:
    return Cell.parse(f"small/{pair}/{size}/{system}/{seed}")


@pytest.mark.parametrize(
    ("entry", "own", "parent"),
    [
        (child(method="ia3", pair="de-en"), "child/native", cell("de-en", "n400", "ia3/native")),
        (child(method="ia3", size="n100", seed=7), "child/native", cell("es-en", "n100", "ia3/native", 7)),
        (child("lora", method="lora", pair="de-en+tr-en"), "child/b1", cell("de-en+tr-en", "n400", "lora/b1")),
        (child("full", method="full", pair="de-en"), "child/all", cell("de-en", "n400", "full/all")),
    ],
    ids=["pair", "size", "group", "full"],
)
def test_labels_that_are_left_out_are_those_of_the_cell(entry: dict[str, Any], own: str, parent: Cell) -> None:
    assert parent_of(configuration(entry), cell("es-en", "n400", own)) == parent


def test_a_cell_that_no_study_has_belongs_to_the_sweep_and_is_an_input() -> None:
    chain = child(method="middle", pair="cs-en") | {
        "middle": {"method": "IA3", **RATE, "start_from": {"method": "ia3", "pair": "de-en"}}
    }
    found = configuration(chain)
    pairs = {(cell.method, cell.pair) for cell in all_cells(found)}
    assert {("child", "es-en"), ("middle", "cs-en"), ("ia3", "de-en")} <= pairs
    own = next(cell for cell in all_cells(found) if cell.method == "child")
    parent = train.placed(found, parent_of(found, own))
    assert train.inputs(found, own)["parent"] == [f"{parent.folder}/train.json"]
    assert "start" not in train.inputs(found, own)  # what is untouched is not where it starts
    assert "start" in train.inputs(found, parent_of(found, parent))


def test_the_folder_of_a_cell_changes_with_what_it_starts_from() -> None:
    entry = child(method="ia3", pair="de-en")
    own = cell("es-en", "n400", "child/native")
    digests = {
        train.placed(configuration(entry | more), own).digest
        for more in ({}, {"ia3": {"method": "IA3", "learning_rate": 2e-3}}, child(method="ia3", pair="cs-en"))
    }
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (child(method="ai3"), r"'methods\.child\.start_from\.method' .*'ai3'"),
        (child(method="ia3", pair="xx-en"), r"'methods\.child\.start_from\.pair' .*'xx-en'"),
        (child(method="ia3", size="n7"), r"'methods\.child\.start_from\.size' .*'n7'"),
        (child(method="lora"), r"is 'lora', which trains other parameters than 'child' \(method.*\); name one whose"),
        (
            child("lora", method="other") | {"other": {"method": "lora", "rank": 2, **RATE}},
            r"is 'other', which trains other parameters than 'child' \(rank\)",
        ),
        (child(method="child"), r"'methods\.child\.start_from' leads back to 'child' itself"),
        (
            child(method="other") | {"other": {"method": "IA3", **RATE, "start_from": {"method": "child"}}},
            r"'methods\.child\.start_from' leads back to 'child' itself",
        ),
        (child("ADALORA", method="other") | {"other": {"method": "ADALORA", **RATE}}, "loses parameters while"),
        (
            child("lora", method="other") | {"other": {"method": "lora", "initialisation": "pissa", **RATE}},
            r"is 'other', which stores twice the rank",
        ),
        (
            child("lora", method="lora", budget="b10"),
            r"'methods\.child\.start_from\.budget' is 'b10', but 'studies\.mine'",
        ),
        (
            {"child": {**child(method="ia3", pair="de-en")["child"], "learning_rate": SEARCH}},
            r"'methods\.child\.learning_rate' asks for a search, .*; write its 'pair' and its 'seed' there",
        ),
    ],
)
def test_what_is_no_start_is_named(entry: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        configuration(entry)


def test_trials_of_a_search_start_from_the_cell_from_which_all_cells_do() -> None:
    entry = {"child": {**child(method="ia3", pair="de-en", seed=5)["child"], "learning_rate": SEARCH}}
    found = configuration(entry)
    children = [cell for cell in all_cells(found) if cell.method == "child"]
    (parent,) = {train.placed(found, parent_of(found, cell)) for cell in children}
    assert parent.labels == ("small", "de-en", children[0].size, "ia3", "native", "5")
    labels = next(labels for labels in rate_classes(found) if labels[2] == "child")
    read = search_rate.inputs(found, *labels)
    assert read["parent"] == [f"{parent.folder}/train.json"] == train.inputs(found, children[0])["parent"]
    assert len(read["train"]) == len(found.rate_search.pair) * len(found.rate_search.seed)
    plain = configuration({"own": {"method": "IA3", "learning_rate": SEARCH}})
    assert "parent" not in search_rate.params(plain, "small", "n100", "own", "native")
    # Another parent is another search, whatever a table of earlier ones holds.
    other = configuration(entry | {"ia3": {"method": "IA3", "learning_rate": 2e-3}})
    files = {search_rate.rates_file(own, search_rate.any_cell(*labels)) for own in (found, other)}
    assert len(files) == 2


def test_a_pair_to_start_from_in_a_language_without_a_token_is_named() -> None:
    with pytest.raises(
        UserError, match=r"'methods\.child\.start_from' names 'eu-en', but the vocabulary of 'small' has"
    ):
        configuration(child(method="ia3", pair="eu-en"), pairs={"eu-en": {"corpus": "interface"}})

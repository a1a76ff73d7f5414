"""In-context learning in a configuration: its cells, what they read, and the claim that fine-tuning beats it."""

from typing import Any

import pytest

from mtpeft.cells import ANY
from mtpeft.config.contrasts import finding_params
from mtpeft.config.load import merge, validate
from mtpeft.config.studies import study_cells
from mtpeft.core.errors import UserError
from mtpeft.steps import decode, train
from support.config import DEFAULT, STUDY

FINDING = {"claim": "beats_in_context", "study": "mine", "method": "lora", "budget": "b10", "in_context": "five"}


def configuration(**finding: Any) -> Any:
    named = {"pairs": ["es-en", "pt-en"], "seeds": [1, 2], "methods": ["full", "lora", "five"], "budgets": ["b10"]}
    return validate(
        merge(
            DEFAULT,
            {
                "methods": {"five": {"method": "in_context", "shots": 5}},
                "findings": dict.fromkeys(DEFAULT["findings"]) | {"few": {**FINDING, **finding}},
                "studies": dict.fromkeys(DEFAULT["studies"]) | {"mine": {**STUDY, "figure": "budgets", **named}},
            },
        )
    )


def test_each_seed_has_its_own_examples_and_they_are_inputs_of_decoding() -> None:
    found = configuration()
    cells = [cell for cell in study_cells(found, found.studies["mine"]) if cell.method == "five"]
    assert {(cell.pair, cell.seed, cell.budget) for cell in cells} == {
        (pair, seed, ANY) for pair in ("es-en", "pt-en") for seed in ("1", "2")
    }
    read = decode.inputs(found, cells[0])
    assert read["memory"].endswith("/train.tsv")
    assert "/subsets/1/" in read["subset"] == train.inputs(found, cells[0])["subset"][0]
    assert all(file.endswith(".tsv") for file in read["tests"])


def test_the_claim_compares_the_method_with_it_on_each_pair_over_the_seeds_of_both() -> None:
    params = finding_params(configuration(), "few")
    assert params["lacks"] == []
    assert [member["name"] for member in params["members"]] == ["es-en", "pt-en"]
    for member in params["members"]:
        (own,), other = member["peft"], member["full"]
        assert (own[3], own[4], own[5]) == (["lora"], ["b10"], ["1", "2"])
        assert (other[3], other[4], other[5]) == (["five"], [ANY], ["1", "2"])


@pytest.mark.parametrize(
    ("finding", "sentence"),
    [
        ({"in_context": "six"}, r"'findings\.few\.in_context' names 'six'|'findings\.few\.in_context' .*'six'"),
        ({"method": "five"}, r"'findings\.few\.method' names 'five', which is not parameter-efficient"),
        ({"budget": None}, r"'findings\.few\.budget' is missing"),
    ],
)
def test_what_can_not_be_compared_is_named(finding: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        configuration(**finding)

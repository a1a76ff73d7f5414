"""In-context learning in a configuration: its cells, what they read, and the claim that fine-tuning beats it."""

from typing import Any

import pytest

from mtpeft.cells import ANY
from mtpeft.config.contrasts import finding_params
from mtpeft.config.load import merge, validate
from mtpeft.config.studies import study_cells
from mtpeft.core.errors import UserError
from mtpeft.figures.plotting.style import method_styles, named_by_examples
from mtpeft.steps import decode, draw_figure, train
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


def study_of(figure: str, *methods: str, more: dict[str, Any] | None = None) -> Any:
    """A configuration with one study, which has examples in two ways."""
    study = {**STUDY, "pairs": ["es-en"], "seeds": [1], "figure": figure, "methods": list(methods), "budgets": ["b10"]}
    entries = {
        "five": {"method": "in_context", "shots": 5},
        "drawn": {"method": "in_context", "shots": 2, "choose": "random"},
    }
    content = {
        "methods": entries,
        "findings": dict.fromkeys(DEFAULT["findings"]) | (more or {}),
        "studies": dict.fromkeys(DEFAULT["studies"]) | {"mine": study},
    }
    return validate(merge(DEFAULT, content))


@pytest.mark.parametrize(
    ("methods", "finding", "sentence"),
    [
        (
            ("lora", "none", "five"),
            {},
            r"'studies\.mine\.methods' names 'five', which is the untouched model with",
        ),
        (
            ("lora", "none", "retrieval"),
            {},
            r"'studies\.mine\.methods' names 'retrieval', which has no model and so",
        ),
        *(
            (
                ("lora", "none"),
                {"claim": "keeps_rank", "study": "mine", "methods": ["lora"], "margin": 0.05, "metric": metric},
                rf"'findings\.kept\.metric' is '{metric}', but 'keeps_rank' compares ranks, no scores; take",
            )
            for metric in ("bleu", "chrf")
        ),
    ],
    ids=["examples", "no model", "bleu", "chrf"],
)
def test_what_has_no_ranks_or_no_scores_is_refused(
    methods: tuple[str, ...], finding: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        study_of("representations", *methods, more={"kept": finding} if finding else None)


@pytest.mark.parametrize(
    ("methods", "examples"),
    [
        (("lora", "none", "five", "drawn"), {"drawn": "2 random", "five": "5 nearest"}),
        (("lora", "none", "five"), None),
        (("lora", "none"), None),
    ],
)
def test_a_figure_says_which_examples_are_read_where_it_has_several_kinds(
    methods: tuple[str, ...], examples: dict[str, str] | None
) -> None:
    assert draw_figure.params(study_of("budgets", *methods), "mine").get("examples") == examples
    names = {method: style.name for method, style in named_by_examples(method_styles(methods), examples or {}).items()}
    assert names["lora"] == "LoRA" and names.get("five") == ("five (5 nearest)" if examples else names.get("five"))

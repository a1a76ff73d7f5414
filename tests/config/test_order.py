"""The order of jobs: studies as they are written, and every cell to its end."""

from collections.abc import Mapping

import pytest

from mtpeft.cells import Cell
from mtpeft.config.load import merge, validate
from mtpeft.steps.cells_of_studies import FIRST, places, priority
from support.config import DEFAULT

OF_THE_FIRST = Cell("small", "pt-en", "n1600", "lora", "b5", "1")
OF_THE_SECOND = Cell("small", "tr-en", "n1600", "adapter", "b10", "1")
OF_BOTH = Cell("small", "pt-en", "n1600", "adapter", "b10", "1")
FURTHER_SEED = Cell("small", "pt-en", "n1600", "lora", "b5", "2")
OF_NONE = Cell("small", "pt-en", "n1600", "lora", "b5", "77")

Places = Mapping[tuple[str, ...], int]


@pytest.fixture(scope="module")
def known() -> Places:
    studies = {label: study for label, study in DEFAULT["studies"].items() if label in ("budgets", "languages")}
    gone = {"studies": None, "findings": None}
    return places(validate(merge(merge(DEFAULT, gone), {"studies": studies, "findings": {}})))


@pytest.mark.parametrize(
    ("sooner", "later"),
    [
        (("train", OF_THE_FIRST), ("score", OF_THE_SECOND)),
        (("score", OF_THE_FIRST), ("decode", OF_THE_FIRST)),
        (("decode", OF_THE_FIRST), ("train", OF_THE_FIRST)),
        (("search_rate", OF_THE_FIRST), ("train", OF_THE_FIRST)),
        (("train", OF_THE_FIRST), ("score", FURTHER_SEED)),
        (("train", FURTHER_SEED), ("score", OF_THE_SECOND)),
        (("train", OF_THE_SECOND), ("score", OF_NONE)),
    ],
    ids=str,
)
def test_priorities_follow_the_order_of_studies_and_steps(
    known: Places, sooner: tuple[str, Cell], later: tuple[str, Cell]
) -> None:
    first, second = (priority(known, step, vars(cell)) for step, cell in (sooner, later))
    assert first > second


def test_a_rate_is_searched_for_when_the_first_cell_needs_it(known: Places) -> None:
    assert priority(known, "search_rate", vars(OF_THE_SECOND)) == priority(known, "search_rate", vars(OF_BOTH))


def test_a_cell_of_two_studies_has_its_turn_with_the_first(known: Places) -> None:
    assert priority(known, "train", vars(OF_BOTH)) == priority(known, "train", vars(OF_THE_FIRST))


def test_another_pair_has_its_turn_with_the_study_that_scores_it(known: Places) -> None:
    wildcards = {**vars(OF_BOTH), "other": "tr-en"}
    costs = {"figure": "forgetting", "models": ["small"], "pairs": ["pt-en"], "sizes": ["n1600"]}
    costs |= {"methods": ["adapter"], "budgets": ["b10"], "seeds": [1], "also_score": ["tr-en"]}
    later = places(validate(merge(DEFAULT, {"studies": {"forgetting": costs}})))
    own, other = (priority(later, step, wildcards) for step in ("decode", "decode_other"))
    assert priority(later, "train", vars(OF_THE_FIRST)) > other
    assert own > other > priority(later, "train", vars(OF_NONE))
    assert priority(later, "score_other", wildcards) > other


def test_text_models_and_figures_come_before_all_cells(known: Places) -> None:
    assert (
        max(priority(known, step, vars(OF_THE_FIRST)) for step in ("train", "decode", "score", "search_rate")) < FIRST
    )

"""The draws of sentence pairs that cells are trained on: nested, one for each seed, and the same for all pairs."""

from collections import Counter
from typing import Any

import pytest

from mtpeft.cells import Cell
from mtpeft.config.load import merge, validate
from mtpeft.config.sizes import draw_of
from mtpeft.core import files
from mtpeft.data import tsv
from mtpeft.data.subsets import choose_subset
from mtpeft.steps.choose_subset import size_name, subset_file
from mtpeft.steps.decontaminate_pair import pair_folder
from support.config import DEFAULT


@pytest.fixture
def train(tmp_path):
    """Training text whose rows stand in some order."""
    rows = [tsv.SentencePair(f"{(37 * n) % 101:016x}", f"Fuente {n}", f"Source {n}") for n in range(40)]
    tsv.write_pairs(tmp_path / "text.tsv", rows)
    return tmp_path / "text.tsv"


def subset(train, tmp_path, **params):
    """The rows that a subset has, in the order in which they are drawn."""
    choose_subset(
        {"step_version": 1, **params}, train=train, output=tmp_path / "rows.txt", record=tmp_path / "rows.json"
    )
    return [int(line) for line in files.read_lines(tmp_path / "rows.txt")]


@pytest.mark.parametrize("draw", [{}, {"seed": 1}, {"seed": 2}], ids=str)
def test_smaller_sizes_are_parts_of_larger_ones_of_the_same_draw(train, tmp_path, draw):
    subsets = [subset(train, tmp_path, pairs=pairs, **draw) for pairs in (3, 6, 9)]
    assert [len(set(rows)) for rows in subsets] == [3, 6, 9]
    assert subsets[0] == subsets[1][:3] and subsets[1] == subsets[2][:6]
    assert set(subsets[2]) <= set(range(len(tsv.read_pairs(train))))


def test_seeds_draw_different_rows_and_the_fixed_draw_is_the_first_ones(train, tmp_path):
    draws = [{}, {"seed": 1}, {"seed": 2}, {"seed": 12}]
    drawn = [subset(train, tmp_path, pairs=9, **draw) for draw in draws]
    assert drawn[0] == list(range(9))
    assert len({frozenset(rows) for rows in drawn}) == len(drawn)


def test_a_row_that_goes_moves_no_other_into_or_out_of_a_draw(train, tmp_path):
    rows = tsv.read_pairs(train)
    kept = [row for number, row in enumerate(rows) if number not in (2, 5)]
    tsv.write_pairs(tmp_path / "train.tsv", [tsv.SentencePair(*row) for row in kept])
    every = [rows[index] for index in subset(train, tmp_path, pairs=len(rows), seed=3)]
    fewer = [kept[index] for index in subset(tmp_path / "train.tsv", tmp_path, pairs=len(kept), seed=3)]
    assert fewer == [row for row in every if row in kept]


def test_the_draws_of_seeds_are_fair(tmp_path):
    """Over 400 seeds each of 40 rows is drawn about as often, 100 times for 10 of 40, with a deviation of 8.7."""
    tsv.write_pairs(
        tmp_path / "train.tsv", [tsv.SentencePair(f"{n:016x}", f"Fuente {n}", f"Source {n}") for n in range(40)]
    )
    drawn = Counter(row for seed in range(400) for row in subset(tmp_path / "train.tsv", tmp_path, pairs=10, seed=seed))
    assert len(drawn) == 40
    assert all(100 - 4 * 8.7 < count < 100 + 4 * 8.7 for count in drawn.values())


def test_pairs_of_a_corpus_get_the_same_sentences(train, tmp_path):
    rows = tsv.read_pairs(train)
    other = [tsv.SentencePair(row.id, "Quelle", row.target) for number, row in enumerate(rows) if number % 9]
    tsv.write_pairs(tmp_path / "other.tsv", other)
    drawn = [rows[index].id for index in subset(train, tmp_path, pairs=40, seed=2)]
    known = {row.id for row in other}
    found = [other[index].id for index in subset(tmp_path / "other.tsv", tmp_path, pairs=len(other), seed=2)]
    assert found == [key for key in drawn if key in known]


@pytest.mark.parametrize(
    ("draws", "labels", "draw"),
    [
        ({}, {"seed": "3"}, "3"),
        ({"draws": "by_seed"}, {"seed": "0"}, "0"),
        ({"draws": "fixed"}, {"seed": "3"}, "fixed"),
        ({}, {"model": "any", "method": "retrieval", "budget": "any", "seed": "any"}, "fixed"),
    ],
    ids=str,
)
def test_a_cell_is_trained_on_the_draw_of_its_seed(draws: dict[str, Any], labels: dict[str, str], draw: str) -> None:
    configuration = validate(merge(DEFAULT, {"sizes": {"n100": draws}}))
    cell = Cell(
        **{
            **dict(
                zip(
                    ("model", "pair", "size", "method", "budget", "seed"),
                    ("small", "pt-en", "n100", "full", "all", "1"),
                    strict=True,
                )
            ),
            **labels,
        }
    )
    assert draw_of(configuration, cell) == draw
    folder = f"{pair_folder(configuration, 'pt-en')}/subsets/{draw}"
    assert subset_file(configuration, cell, "pt-en") == f"{folder}/{size_name(configuration, 'n100')}.txt"

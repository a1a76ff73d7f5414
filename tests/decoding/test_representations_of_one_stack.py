"""Representations of decoder-only models: the states that predict targets, with one side in tables and figures."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtpeft.analysis.representations import layer_lines, read_ranks, write_representations
from mtpeft.cells import Cell
from mtpeft.core.files import read_record, write_record
from mtpeft.core.records import RepresentationRecord
from mtpeft.data.batch_layout import model_inputs
from mtpeft.data.token_arrays import IGNORED, TokenPairs, read_arrays
from mtpeft.decoding.representations import (
    TokenStates,
    hooked_layers,
    layer_states,
    measure_representations,
    rank_of,
)
from mtpeft.figures.draw import draw_figure
from mtpeft.methods.sequence_prefix_adapter import target_prefix_length
from mtpeft.models.load import load_base
from mtpeft.models.tokenizer import open_tokenizer, special_tokens_of
from mtpeft.training.finetune import CellInputs, finetune
from mtpeft.training.untrained import record_untrained
from support.family import LANGUAGES, family_inputs, family_params
from support.figures import svg, system_row, write_table
from support.method import Subject, prompts_known
from support.method_cases import CASES

METHODS = ("lora", "context_lora", "prompt", "adapter", "prefix")
"""One that treats source and target apart, one that has vectors before the text, and others."""
LAST = "model.layers.1"


@pytest.fixture(scope="module")
def prepared(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[CellInputs, Path]]:
    """Inputs of a cell of a family and the folder of its checkpoint, made once."""

    def of(name: str) -> tuple[CellInputs, Path]:
        folder = tmp_path_factory.mktemp(name)
        return family_inputs(name, sweep, folder), folder / "checkpoint"

    return cache(of)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_states_are_those_that_predict_each_target_alone_without_padding(
    prepared: Callable, name: str, method: str
) -> None:
    given, checkpoint = prepared(name)
    case = CASES[method]
    subject = Subject(checkpoint, case.options, case.share)
    model, pairs = subject.stirred(), read_arrays(given.dev)
    tokenizer = open_tokenizer(checkpoint, LANGUAGES, vocabulary="tiny")
    special_tokens = special_tokens_of(tokenizer, load_base(checkpoint).config)
    states = TokenStates({LAST: []})
    seen = layer_states(model, subject.shape.layers, pairs, special_tokens=special_tokens, states=states)
    assert {layer: own.count for layer, own in seen.items()} == dict.fromkeys(
        subject.shape.layers, pairs.target.lengths.sum()
    )
    expected = _one_by_one(model, pairs, special_tokens)
    rows = np.concatenate([own for _, own in states.kept[LAST]])
    order = np.argsort(rows, kind="stable")
    found = torch.cat([own for own, _ in states.kept[LAST]])[torch.from_numpy(order)]
    assert rows[order].tolist() == np.repeat(np.arange(len(pairs.source)), pairs.target.lengths).tolist()
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    exact = expected.double()
    assert seen[LAST].effective_rank == pytest.approx(rank_of(exact.T @ exact), rel=1e-3)


@torch.no_grad()
def _one_by_one(model: Any, pairs: TokenPairs, special_tokens: Any) -> torch.Tensor:
    kept, read = [], {}
    for row in range(len(pairs.source)):
        inputs = dict(model_inputs([pairs.source[row]], [pairs.target[row]], special_tokens=special_tokens))
        own = {name: tensor for name, tensor in inputs.items() if name != "labels"}
        with hooked_layers(model, [LAST], read.__setitem__), prompts_known(model, inputs):
            model(**own, use_cache=False)
        kept.append(read[LAST][0, target_prefix_length(model) :][inputs["labels"][0] != IGNORED])
    return torch.cat(kept)


def cells_measured(given: CellInputs, folder: Path) -> Mapping[str, Cell]:
    """A tuned cell and the untouched model, with their records, in their folders."""
    params = family_params("lora")
    cells = {
        "lora": Cell("tiny", "es-en", "n44", "lora", "b5", "1"),
        "none": Cell("tiny", "es-en", "any", "none", "any", "any"),
    }
    start = folder / "start.json"
    write_record(start, {"dev_score": -1.0})
    finetune(params, cells["lora"], inputs=replace(given, start=start), record=cells["lora"].folder / "train.json")
    own = {"languages": LANGUAGES, "threads": 1}
    record_untrained(
        {**own, "method": {"method": "none"}},
        cells["none"],
        base=given.base,
        subset=None,
        record=cells["none"].folder / "train.json",
    )
    for cell in cells.values():
        record = cell.folder / "representations.json"
        measured = {**own, "resamples": 20}
        measure_representations(measured, cell, trained=cell.folder / "train.json", dev=given.dev, record=record)
    return cells


def test_records_tables_and_figures_have_one_side(
    prepared: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given, checkpoint = prepared("llama")
    cells = cells_measured(given, tmp_path)
    layers = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"]
    for cell in cells.values():
        record = RepresentationRecord(**read_record(cell.folder / "representations.json"))
        assert {side: len(ranks) for side, ranks in record.effective_rank.items()} == {"decoder": layers}
        assert set(record.resampled_rank) == set(record.tokens) == {"decoder"}
    table = tmp_path / "representations.csv"
    write_representations(cells.values(), output=table)
    assert [set(line.ranks) for line in layer_lines(read_ranks(table))] == [{"decoder"}] * 2
    summary = [
        system_row(("tiny", "es-en", "n44", "lora", "b5"), 20, trained_share=0.05),
        system_row(("tiny", "es-en", "any", "none", "any"), 10),
    ]
    params = {
        "version": 1,
        "figure": "representations",
        "study": "mine",
        "cells": 3,
        "stamp": "",
        "languages": {"es-en": "es"},
    }
    draw_figure(params, summary=write_table(tmp_path / "summary.csv", summary), tables=[table], stem=tmp_path / "drawn")
    text = svg(tmp_path / "drawn")
    assert "decoder layer" in text and "encoder layer" not in text.replace("decoder layer", "")

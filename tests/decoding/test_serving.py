"""Cells served with experts: the steps one after another, what they are made for, the table and the figure."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mtpeft.analysis.csv_files import rows_of
from mtpeft.analysis.served_systems import read_served
from mtpeft.analysis.serving import write_serving
from mtpeft.cells import Cell, Served
from mtpeft.config.load import DEFAULT_FILE, merge, read_yaml, validate
from mtpeft.config.schema import Configuration
from mtpeft.config.serving import active_experts
from mtpeft.core.errors import UserError
from mtpeft.core.files import canonical, read_lines, read_record, sha256_of, write_record
from mtpeft.decoding.decode import decode
from mtpeft.decoding.experts.decode_with_experts import decode_with_experts
from mtpeft.decoding.experts.split_experts import split_experts
from mtpeft.figures.draw import draw_figure
from mtpeft.figures.plotting.panels import GAP, OPEN, POINT
from mtpeft.front.prices.jobs import jobs_left
from mtpeft.metrics.score import score
from mtpeft.steps.cells_of_studies import all_served, figure_tables, placed_served, served_records
from mtpeft.steps.freshness import is_served
from mtpeft.training.finetune import finetune
from mtpeft.training.untrained import record_untrained
from support.default import DEFAULT
from support.figures import SPOKEN, marks, svg, write_table
from support.model import arrays, cell, decode_params, inputs, train_params
from support.serving import STUDY
from support.steps import inputs_of, params_of
from support.sweep import planned

MOE = {"experts": 4, "split": "clusters", "router": "similarity", "sentences": 20}
SERVING = {
    "models": {"student": {"path": "workflow/models/shallow"}},
    "serving": {"moe": {"experts": 32, "active": [1.0, 0.25]}},
    "studies": {"served": STUDY},
}
LORA = Cell("student", "es-en", "n400", "lora", "b10", "1")


def configured(*overlays: dict[str, Any]) -> Configuration:
    content = merge(DEFAULT, SERVING)
    for overlay in overlays:
        content = merge(content, overlay)
    return validate(content)


@pytest.fixture
def relu_sweep(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny sweep with a base model whose activation is ReLU, in a working directory of its own."""
    folder = tmp_path / "sweep"
    shutil.copytree(sweep, folder)
    base = folder / "results/models/tiny/base.json"
    record = read_record(base)
    config = folder / "results/models/tiny/checkpoint/config.json"
    content = json.loads(config.read_text(encoding="utf-8")) | {"activation_function": "relu"}
    config.write_text(json.dumps(content), encoding="utf-8")
    changed = {"folder": str(config.parent), "sha256": record["sha256"] | {config.name: sha256_of(config)}}
    write_record(base, record | changed)
    monkeypatch.chdir(folder)
    return folder


def serve(folder: Path, method: str, *active: int, **moe: Any) -> list[Served]:
    """A trained cell, decoded and scored as it is and with so many experts."""
    own = Cell("tiny", "es-en", "any", "none", "any", "any") if method == "none" else cell(method)
    tests, text = {"test": arrays(folder, "test")}, {"test": folder / "data/pairs/es-en/test.tsv"}
    record = own.folder / "train.json"
    if method == "none":
        base = folder / "results/models/tiny/base.json"
        record_untrained({"method": {"method": "none"}, **decode_params()}, own, base=base, subset=None, record=record)
    else:
        finetune(train_params(method, updates=6), own, inputs=inputs(folder), record=record)
    decode(decode_params(), own, trained=record, tests=tests, record=own.folder / "decode.json")
    languages = {"source": "es", "target": "en"}
    score(languages, own, decoded=own.folder / "decode.json", references=text, record=own.folder / "score.json")
    served = [Served(own, "4-split", number) for number in active]
    experts = served[0].split / "experts.json"
    split_experts(
        {**decode_params(), "moe": MOE | moe},
        own,
        trained=record,
        train=arrays(folder, "train"),
        subset=folder / "data/pairs/es-en/subsets/n44.txt",
        output=experts.with_suffix(".safetensors"),
        record=experts,
    )
    for one in served:
        made = one.folder / "served.json"
        params = decode_params() | {"active": one.active}
        decode_with_experts(params, own, trained=record, experts=experts, tests=tests, record=made)
        score(languages, own, decoded=made, references=text, record=one.folder / "score.json")
    return served


@pytest.mark.parametrize("router", ["oracle", "similarity", "mlp"])
def test_a_cell_translates_with_all_of_its_experts_as_it_is(relu_sweep: Path, router: str) -> None:
    whole, part = serve(relu_sweep, "lora", 4, 1, router=router, split="co-activation")
    hypotheses = {
        folder: read_lines(folder / "hypotheses/test.txt") for folder in (whole.cell.folder, whole.folder, part.folder)
    }
    assert hypotheses[whole.folder] == hypotheses[whole.cell.folder]
    assert hypotheses[part.folder] != hypotheses[whole.cell.folder]
    split = read_record(whole.split / "experts.json")
    assert split["sentences"] == MOE["sentences"]
    assert len(split["active_units"]) == 2 and all(0 < share < 1 for share in split["active_units"].values())
    counts = [read_record(one.folder / "served.json")["operations"] for one in (whole, part)]
    assert counts[0]["layers"] == counts[0]["whole"] and counts[0]["router"] == 0
    assert counts[1]["layers"] / counts[1]["whole"] == (0.625 if router == "oracle" else 0.25)
    assert (counts[1]["router"] > 0) == (router != "oracle")


def test_the_table_has_a_row_for_each_number_of_experts(relu_sweep: Path, tmp_path: Path) -> None:
    served = [*serve(relu_sweep, "adapter", 4, 2), *serve(relu_sweep, "none", 4, 2)]
    write_serving(served, experts=4, output=tmp_path / "serving.csv")
    rows = {(row.text("method"), row.number("active", int)): row for row in rows_of(tmp_path / "serving.csv", ())}
    assert {(*key, row.number("share")) for key, row in rows.items()} == {
        (method, active, active / 4) for method in ("adapter", "none") for active in (4, 2)
    }
    for (method, active), row in rows.items():
        own = next(one for one in served if (one.cell.method, one.active) == (method, active))
        scored = {
            name: read_record(folder / "score.json")["test_sets"]["test"]["chrf"]["score"]
            for name, folder in (("part", own.folder), ("whole", own.cell.folder))
        }
        assert row.number("chrf") == pytest.approx(scored["part"], abs=1e-6)
        assert row.number("minus_whole") == pytest.approx(scored["part"] - scored["whole"], abs=1e-6)
        assert row.number("minus_whole_low") <= row.number("minus_whole") <= row.number("minus_whole_high")
        assert (row.number("operations") == 1) == (active == 4)
        assert (row.optional("minus_none") is None) == (method == "none")


def figure_of(folder: Path, table: Path, **params: Any) -> Path:
    summary = write_table(folder / "summary.csv", [])
    stem = folder / "figure"
    given = {"figure": "serving", "cells": 0, "stamp": "", "languages": SPOKEN, **params}
    draw_figure(given, summary=summary, tables=[table], stem=stem)
    return stem


def test_the_figure_has_a_line_per_method_and_marks_what_is_missing(relu_sweep: Path, tmp_path: Path) -> None:
    served = [*serve(relu_sweep, "adapter", 4, 2), *serve(relu_sweep, "none", 4, 2)]
    table = tmp_path / "serving.csv"
    write_serving(served, experts=4, output=table, missing={served[1]})
    assert [(own.method, own.share, own.missing) for own in read_served(table)] == [
        ("none", 1.0, 0),
        ("none", 0.5, 0),
        ("adapter", 1.0, 0),
        ("adapter", 0.5, 1),
    ]
    stem = figure_of(tmp_path, table, served=4)
    assert (marks(stem, POINT) + marks(stem, OPEN), marks(stem, GAP)) == (3, 1)
    assert "3 of 4 decodings with experts" in svg(stem)
    assert ">none<" in svg(stem) and "active experts (%)" in svg(stem)


def test_other_studies_serve_nothing() -> None:
    assert all_served(validate(DEFAULT)) == []
    configuration = configured()
    assert {own.active for own in placed_served(configuration, "served")} == {32, 8}
    assert placed_served(configuration, "budgets") == []
    assert len(served_records(all_served(configuration))) == 3 * 1 + 3 * 2 * 2
    assert [Path(table).name for table in figure_tables(configuration, "served")] == ["serving.csv"]


def test_active_experts_share_a_split_and_leave_the_cells_as_they_are() -> None:
    given = [configured(), configured({"serving": {"moe": {"active": [0.5]}}})]
    assert [active_experts(own) for own in given] == [[32, 8], [16]]
    splits = [canonical(params_of("split_experts", own, LORA)) for own in given]
    assert splits[0] == splits[1]
    folders = [{one.split for one in all_served(own)} for own in given]
    assert folders[0] == folders[1]
    other = configured({"serving": {"moe": {"router": "oracle"}}})
    assert folders[0].isdisjoint(one.split for one in all_served(other))
    plain = validate(merge(DEFAULT, {**SERVING, "serving": None, "studies": {"served": STUDY | {"figure": "budgets"}}}))
    for step in ("train", "decode", "score"):
        assert canonical(params_of(step, plain, LORA)) == canonical(params_of(step, given[0], LORA))


@pytest.mark.parametrize(
    ("overlay", "says"),
    [
        ({"studies": {"served": {"models": ["small"]}}}, "whose feed-forward blocks have the activation 'gelu'"),
        ({"serving": {"moe": {"experts": 7, "active": [1.0]}}}, "have 1536 hidden units, which 7 experts can't share"),
        ({"serving": {"moe": {"active": [0.3]}}}, "'serving.moe.active' has 0.3, which of 32 experts are 9.6"),
        ({"serving": {"moe": {"active": [0.5, 0.5]}}}, "'serving.moe.active' names '0.5' twice"),
        ({"serving": {"moe": {"active": [1.5]}}}, "'serving.moe.active.0' is 1.5; write"),
        ({"serving": {"moe": {"router": "best"}}}, "'serving.moe.router' is 'best'; write 'oracle', 'sim"),
        ({"serving": None}, "'studies.served.figure' is 'serving', but 'serving' is missing"),
        ({"studies": {"served": {"figure": "budgets"}}}, "'serving' is used by no study; write a study"),
        ({"studies": {"served": {"methods": ["retrieval", "none"]}}}, "names 'retrieval', which has no model to serve"),
        (
            {"methods": {"few": {"method": "in_context"}}, "studies": {"served": {"methods": ["few", "none"]}}},
            "names 'few', whose examples no served model reads",
        ),
        ({"studies": {"served": {"pairs": ["de-en+es-en"]}}}, "has the group 'de-en+es-en', but experts"),
        ({"models": {"student": {"quantised": 8}}}, "names 'student', whose weights are quantised"),
    ],
)  # fmt: skip
def test_wrong_servings_are_refused(overlay: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says.replace("+", r"\+")):
        configured(overlay)


def test_a_cell_without_a_model_has_no_experts() -> None:
    with pytest.raises(UserError, match="has no model, so it has no experts"):
        inputs_of("split_experts", configured(), Cell("any", "es-en", "n400", "retrieval", "any", "1"))


def test_what_is_served_is_current_for_the_training_and_the_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = configured()
    served = next(own for own in all_served(configuration) if own.cell == LORA and own.active == 8)
    labels = served.cell.named | {"active": "8"}
    write_record(served.cell.folder / "train.json", {"status": "ok"})
    chain = (("split_experts", served.split / "experts.json"), ("decode_with_experts", served.folder / "served.json"))
    before = served.cell.folder / "train.json"
    for step, record in (*chain, ("score", served.folder / "score.json")):
        assert not is_served(configuration, served)
        params = (
            params_of(step, configuration, *labels.values())
            if step == "decode_with_experts"
            else params_of(step, configuration, LORA)
        )
        write_record(record, {"params": params, "before_sha256": sha256_of(before)})
        before = record
    assert is_served(configuration, served)
    left = {job.name for job in jobs_left(configuration)}
    assert f"{LORA.path} with 32 experts" in left
    assert not left & {f"the experts of {LORA.path}", f"{LORA.path} with 8 experts"}
    assert not is_served(configured({"serving": {"moe": {"sentences": 5}}}), served)
    write_record(served.cell.folder / "train.json", {"status": "ok", "again": True})
    assert not is_served(configuration, served)


@pytest.mark.sweep
def test_experts_are_split_once_for_each_cell(tmp_path: Path) -> None:
    published = read_yaml(DEFAULT_FILE)["models"]["pten"] | {"seen": None}
    study = STUDY | {"models": ["pten"], "sizes": ["n200"], "budgets": ["b5"], "seeds": [1]}
    overlay = {
        "serving": {"moe": {"experts": 32, "active": [1.0, 0.5]}},
        "models": {"pten": published},
        "studies": {"served": study},
    }
    jobs = planned(tmp_path, "study_served", overlay=overlay)
    steps = ("split_experts", "decode_with_experts", "score_with_experts", "collect_serving", "draw_figure")
    assert [jobs[step] for step in steps] == [2, 4, 4, 1, 1]

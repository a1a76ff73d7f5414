"""The cost of tuning on other pairs: the cells that are scored there, their inputs, tables and figure."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mtpeft.analysis.other_pairs import others_columns, write_others
from mtpeft.cells import ANY, Cell, OnPair
from mtpeft.config.load import load, merge, validate
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import untouched
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record, write_record
from mtpeft.front.plan import cells_table
from mtpeft.front.preview import draw_finished
from mtpeft.front.status import is_finished, state_of, status_table
from mtpeft.front.study_records import begin_study
from mtpeft.front.terminal import progress_sentence
from mtpeft.front.watch.look import Watch
from mtpeft.steps.cells_of_studies import (
    placed_others,
    placed_study_cells,
    placed_study_others,
    placed_untouched,
    results_folder,
)
from mtpeft.steps.paths import on_other
from mtpeft.steps.split_corpus import split_file
from mtpeft.steps.train import placed
from support.config import DEFAULT
from support.findings import configuration_of, write_cell
from support.record import schema_mistakes
from support.steps import other_splits
from support.sweep import STUDY, copy, located, planned, run, small_study, write_study

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("forgetting")]

STUDIES = {
    "forgetting": {
        "models": ["small"],
        "pairs": ["es-en"],
        "sizes": ["n200"],
        "methods": ["full", "lora", "scratch", "retrieval"],
        "budgets": ["b5"],
        "seeds": [1],
        "also_score": ["es-en", "de-en"],
    }
}
SMALL_STUDY = small_study({"studies": STUDIES})
FULL, LORA = (
    placed(SMALL_STUDY, Cell("small", "es-en", "n200", method, budget, "1"))
    for method, budget in (("full", "all"), ("lora", "b5"))
)
BEFORE = placed(SMALL_STUDY, untouched("small", "de-en"))
OTHERS = [OnPair(FULL, "de-en"), OnPair(LORA, "de-en")]


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


# ---------------------------------------------------------------- which cells, on which pairs


def mine(**changes: object) -> Configuration:
    study = {"figure": "forgetting", "models": ["small"], "pairs": ["pt-en", "tr-en"], "sizes": ["n1600"]}
    more = {"methods": ["full", "lora"], "budgets": ["b10"], "seeds": [1], "also_score": ["tr-en", "de-en"]}
    return validate(merge(DEFAULT, {"studies": {"mine": {**study, **more, **changes}}}))


def test_tuned_cells_are_scored_on_the_other_pairs_with_all_their_seeds() -> None:
    configuration = mine()
    found = placed_study_others(configuration, "mine")
    assert {(cell.pair, pair) for cell, pair in found} == {("pt-en", "tr-en"), ("pt-en", "de-en"), ("tr-en", "de-en")}
    # Another study has more seeds of full fine-tuning on Portuguese, and a system has one score in all figures.
    assert {cell.seed for cell, _ in found if (cell.pair, cell.method) == ("pt-en", "full")} == set("12345")
    assert {placed_study_others(configuration, label) == [] for label in ("budgets", "efficiency")} == {True}
    assert placed_others(configuration) == found


def test_the_untouched_model_is_a_cell_on_all_pairs() -> None:
    configuration = mine(also=[{"models": ["large"], "methods": ["full"]}])
    cells = placed_study_cells(configuration, configuration.studies["mine"])
    assert {cell for cell in cells if cell.method == "none"} == {
        untouched(model, pair) for model in ("small", "large") for pair in ("pt-en", "tr-en", "de-en")
    }


def test_cells_without_tuning_are_not_scored_on_other_pairs() -> None:
    found = placed_study_others(mine(methods=["none", "scratch", "retrieval"]), "mine")
    assert found == []
    for cell in (untouched("small", "pt-en"), Cell(ANY, "pt-en", "n1600", "retrieval", ANY, ANY)):
        with pytest.raises(UserError, match="has forgotten nothing"):
            on_other(mine(), {**cell.named, "other": "de-en"})
    with pytest.raises(UserError, match=r"is of 'es-en' itself; its scores there are in its own score.json"):
        on_other(mine(), {**FULL.named, "other": "es-en"})


def test_no_training_text_may_resemble_the_test_sets_of_the_other_pairs() -> None:
    own = {
        "corpora": {"mine": {"files": {"sw": __file__, "en": pytest.__file__}}},
        "pairs": {"sw-en": {"corpus": "mine"}},
    }
    told = {"models": {"small": {"path": None, "hub": "owner/name@0123abc"}}, "rate_search": {"table": None}}
    gone = dict.fromkeys(DEFAULT["studies"])
    study = {"figure": "forgetting", "models": ["small"], "pairs": ["pt-en"], "sizes": ["n1600"], "methods": ["full"]}
    for also_score, splits in ((["de-en"], []), (["sw-en"], ["mine"])):
        studies = {**gone, "mine": {**study, "seeds": [1], "also_score": also_score}}
        configuration = validate(merge(DEFAULT, {**own, **told, "studies": studies, "findings": None}))
        assert other_splits(configuration, {"pair": "pt-en"}) == [split_file(configuration, label) for label in splits]


# ---------------------------------------------------------------- the table


def test_a_system_has_a_row_per_other_pair_with_its_distance_to_the_untouched_model_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    studies = {"shares": {"figure": "forgetting", "pairs": ["es-en"], "also_score": ["de-en", "tr-en"]}}
    configuration = configuration_of(studies=studies)
    others = placed_study_others(configuration, "shares")
    quality = {"full": 30.0, "adapter": 36.0, "lora": 38.0}
    gone = OnPair(Cell("base", "es-en", "many", "lora", "tiny", "3"), "tr-en")
    for cell, pair in others:
        status = "diverged" if (cell.method, cell.seed, cell.budget) == ("adapter", "2", "large") else "ok"
        if (cell, pair) != gone:
            write_cell(cell, quality[cell.method], status=status, pair=pair, best_step=0 if cell.seed == "1" else 10)
    german, turkish = placed_untouched(configuration, "shares")
    write_cell(german, 40.0)
    missing = {gone, turkish.on_own}
    told = {"before": [german, turkish], "missing": missing}
    for name, order in (("one", others), ("two", others[::-1])):
        write_others(order, output=Path(f"{name}.csv"), page=Path(f"{name}.md"), **told)
    assert Path("one.csv").read_bytes() == Path("two.csv").read_bytes()
    rows = {(row["method"], row["budget"], row["scored_pair"]): row for row in rows_of(Path("one.csv"))}
    assert len(rows) == 2 * (1 + 2 * 3)
    assert all(tuple(row) == others_columns() and row["pair"] == "es-en" for row in rows.values())

    measured = rows["lora", "tiny", "de-en"]
    assert (measured["seeds"], measured["step_zero"], measured["trained_share"]) == ("3", "1", "0.03")
    assert float(measured["minus_none"]) == pytest.approx(-2, abs=0.1)
    assert float(measured["minus_full"]) == pytest.approx(8, abs=0.1)
    low, high = (float(measured[f"minus_none_{end}"]) for end in ("low", "high"))
    assert -3 < low < float(measured["minus_none"]) < high < -1
    assert rows["full", "all", "de-en"]["minus_full"] == ""
    assert [rows["adapter", "large", "de-en"][name] for name in ("seeds", "diverged")] == ["2", "1"]
    # Nothing is known of the untouched model on Turkish.
    assert [rows["lora", "tiny", "tr-en"][name] for name in ("seeds", "missing", "minus_none")] == ["2", "1", ""]
    assert len(Path("one.md").read_text(encoding="utf-8").splitlines()) == len(rows) + 2


# ---------------------------------------------------------------- the whole workflow


@pytest.fixture(scope="module")
def scored(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished run with one study more, whose cells are there but for the untouched model on German."""
    folder = copy(finished, tmp_path_factory.mktemp("forgetting") / "run")
    jobs = planned(folder, "study_forgetting", overlay={"studies": STUDIES})
    assert jobs == {
        **dict.fromkeys(("train", "decode", "score"), 1),
        **dict.fromkeys(("decode_other", "score_other"), 2),
        **dict.fromkeys(("collect_scores", "summarise", "summarise_others", "draw_figure", "study_forgetting"), 1),
    }
    code, said = run(folder, overlay={"studies": STUDIES}, options=["--target", "study_forgetting"])
    assert code == 0, said[-5000:]
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file that the small study itself has made of its cells."""
    cells = folder / "results/cells"
    found = (file for file in cells.rglob("*") if file.is_file() and not {"others", "none"} & set(file.parts))
    return {str(file.relative_to(cells)): file.read_bytes() for file in found}


def test_other_pairs_have_records_of_their_own_beside_those_of_the_cell(finished: Path, scored: Path) -> None:
    assert files_of(scored) == files_of(finished)
    assert sorted(scored.glob("results/cells/**/others/*")) == sorted(scored / other.folder for other in OTHERS)
    for other in OTHERS:
        folder = scored / other.folder
        for name in ("decode", "score"):
            assert schema_mistakes(folder / f"{name}.json", name) == []
        assert read_record(folder / "decode.json")["params"]["languages"] == {"source": "de", "target": "en"}
        assert len((folder / "hypotheses/test.txt").read_text(encoding="utf-8").splitlines()) == 40


def test_the_table_holds_the_difference_to_the_untouched_model(scored: Path) -> None:
    def chrf(folder: Path) -> float:
        return read_record(scored / folder / "score.json")["test_sets"]["test"]["chrf"]["score"]

    rows = rows_of(scored / "results/small_study/tables/forgetting/others.csv")
    assert [(row["method"], row["scored_pair"], row["seeds"]) for row in rows] == [
        ("full", "de-en", "1"),
        ("lora", "de-en", "1"),
    ]
    for row, other in zip(rows, OTHERS, strict=True):
        assert float(row["chrf"]) == pytest.approx(chrf(other.folder))
        assert float(row["minus_none"]) == pytest.approx(chrf(other.folder) - chrf(BEFORE.folder))
    drawn = (scored / "results/small_study/figures/forgetting.svg").read_text(encoding="utf-8")
    assert "6 cells, 1 seed; 2 decodings of other pairs, 1 seed." in drawn
    figures = [scored / f"results/small_study/figures/forgetting.{suffix}" for suffix in ("pdf", "png")]
    assert all(figure.stat().st_size > 1000 for figure in figures)


def test_a_deleted_score_is_made_again_with_what_follows_from_it(scored: Path, tmp_path: Path) -> None:
    folder = copy(scored, tmp_path / "run")
    assert planned(folder, "cells", overlay={"studies": STUDIES}) == {}
    (folder / OTHERS[1].folder / "score.json").unlink()
    jobs = planned(folder, overlay={"studies": STUDIES})
    assert {rule: jobs[rule] for rule in ("score_other", "summarise_others", "draw_figure")} == {
        "score_other": 1,
        "summarise_others": 1,
        "draw_figure": 1,
    }
    assert not {"train", "decode", "score", "decode_other", "collect_scores", "summarise"} & set(jobs)


@pytest.fixture
def configuration(scored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """Of the study, in a copy of its run, to change."""
    monkeypatch.chdir(copy(scored, tmp_path / "run"))
    return load([write_study(Path(), {"studies": STUDIES})])


def test_a_preview_marks_what_is_missing_on_other_pairs(configuration: Configuration, tmp_path: Path) -> None:
    (OTHERS[1].folder / "decode.json").unlink()
    tables = {study: tmp_path / study for study in ("budgets", "forgetting")}
    lines = list(draw_finished(configuration, tables, folder=tmp_path))
    assert [line.split(": ")[1] for line in lines] == [
        "6 of 6 cells",
        "6 of 6 cells and 1 of 2 decodings of other pairs",
    ]
    drawn = (tmp_path / "forgetting.svg").read_text(encoding="utf-8")
    assert "6 cells, 1 seed; 1 of 2 decodings of other pairs (1 missing)" in drawn
    assert '<g id="gap-LoRA' in drawn
    (full, lora) = rows_of(tmp_path / "forgetting/others.csv")
    assert (full["seeds"], lora["seeds"], lora["missing"], lora["chrf"]) == ("1", "0", "1", "")


def test_other_pairs_are_counted_beside_the_cells(configuration: Configuration) -> None:
    (OTHERS[1].folder / "score.json").unlink()
    write_record(
        OTHERS[0].folder / "failed.json", {"step": "decode", "target": "x", "reason": "full", "mistake": False}
    )
    assert [state_of(configuration, *other) for other in OTHERS] == ["failed", "stopped"]
    assert all(is_finished(configuration, cell) for cell in (FULL, LORA, BEFORE))
    status = status_table(configuration)
    counted = [line.split() for line in status.splitlines() if "other pairs" in line]
    assert counted == [
        ["forgetting,", "other", "pairs", "full", *"...1.."],
        ["forgetting,", "other", "pairs", "lora", *"....1."],
        ["all,", "other", "pairs", *"...11."],
    ]
    assert status.endswith("failed: decode of x: full")
    assert [line.split()[-5:] for line in cells_table(configuration).splitlines()[-2:]] == [
        ["6", "1", "6", "2", "0"],
        ["11", "11", "11", "2", "0"],
    ]
    begin_study(configuration, [Path(STUDY.name)])
    watch = Watch(results_folder(configuration))
    said = progress_sentence(watch.look()[0], watch, every_job=False)
    assert said.startswith("11 of 11 cells and 0 of 2 decodings of other pairs are finished")


def append(file: str) -> Callable[[], None]:
    def appended() -> None:
        path = located(Path(), file)
        path.write_text(path.read_text(encoding="utf-8") + "1\n", encoding="utf-8")

    return appended


RATE = {"methods": {"lora": {"learning_rate": 1.0}}}
CODE = {"corpora": {"interface": {"wheels": {"django": {"languages": {"de": "de_AT"}}}}}}


@pytest.mark.parametrize(
    ("change", "overlay", "stale"),
    [
        (append("data/pairs/de-en/test.tsv"), {}, [*OTHERS, BEFORE.on_own]),
        (append("data/pairs/es-en/test.tsv"), {}, [FULL.on_own, LORA.on_own]),
        (lambda: None, RATE, [LORA.on_own, OTHERS[1]]),
        (lambda: (LORA.folder / "train.json").unlink(), {}, [LORA.on_own, OTHERS[1]]),
        # The base model was pre-trained on that text as well.
        (lambda: None, CODE, [FULL.on_own, LORA.on_own, *OTHERS, BEFORE.on_own]),
    ],
    ids=["other test text", "own test text", "learning rate", "trained anew", "cleaning of the other text"],
)
def test_scores_on_other_pairs_are_current_with_the_text_of_these_and_the_training_of_the_cell(
    change: Callable[[], None], overlay: dict[str, object], stale: list[OnPair], configuration: Configuration
) -> None:
    change()
    Path("edit.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    changed = load([Path(STUDY.name), Path("edit.yaml")])
    own = [FULL.on_own, LORA.on_own, BEFORE.on_own, *OTHERS]
    measured = [OnPair(placed(changed, on.cell), on.pair) for on in own]
    assert [on for on in measured if not is_finished(changed, *on)] == [on for on in measured if on in stale]

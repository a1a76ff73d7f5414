"""Names of folders: they have digests of what labels stand for, so that equal labels of two studies never collide."""

import json
from pathlib import Path
from typing import Any

import pytest

from mtpeft.cells import DIMENSIONS, Cell, OnPair
from mtpeft.config.load import DEFAULT_FILE, load, merge, validate
from mtpeft.config.model_shapes import vocabulary_of
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import rate_classes
from mtpeft.config.study_file import study_name
from mtpeft.core.errors import UserError
from mtpeft.core.files import write_record
from mtpeft.front.study_records import begin_study, changes
from mtpeft.front.tidy import tidy, unused
from mtpeft.steps.base_models import base_file, tokens_folder, vocabulary_folder
from mtpeft.steps.cells_of_studies import placed_cells, results_folder
from mtpeft.steps.decontaminate_pair import pair_name
from mtpeft.steps.paths import in_use, labels_in, with_digests
from mtpeft.steps.search_rate import any_cell, rates_file
from mtpeft.steps.split_corpus import corpus_name
from support.config import DEFAULT, PRETRAINED, SMALL

ONE_STUDY = {
    "studies": {
        **dict.fromkeys(DEFAULT["studies"]),
        "budgets": {
            "models": ["small"],
            "pairs": ["pt-en"],
            "sizes": ["n100"],
            "methods": ["full", "lora", "none"],
            "budgets": ["b1"],
            "seeds": [1],
            "also": [],
        },
    },
    "findings": None,
}
QUICK_FILE = DEFAULT_FILE.parent / "workflow/studies/quick.yaml"
LORA = "small/pt-en/n100/lora/b1/1"


def configured(*overlays: dict[str, Any]) -> Configuration:
    content = PRETRAINED
    for overlay in overlays:
        content = merge(content, overlay)
    return validate(content)


def one_study(*overlays: dict[str, Any]) -> Configuration:
    content = merge(DEFAULT, ONE_STUDY)
    for overlay in overlays:
        content = merge(content, overlay)
    return validate(content).named("mine")


def places(configuration: Configuration) -> dict[str, dict[str, str]]:
    """Names of all that bears a digest, by its kind and labels."""
    classes = {"/".join(labels): any_cell(*labels) for labels in rate_classes(configuration)}
    models, pairs = list(configuration.models), list(configuration.pairs)
    return {
        "corpora": {corpus: corpus_name(configuration, corpus) for corpus in configuration.corpora},
        "pairs": {pair: pair_name(configuration, pair) for pair in pairs},
        "vocabularies": {
            model: vocabulary_folder(configuration, vocabulary_of(configuration, model)) for model in models
        },
        "tokens": {model: tokens_folder(configuration, model, pairs[0]) for model in models},
        "models": {model: base_file(configuration, model) for model in models},
        "rates": {label: rates_file(configuration, cell) for label, cell in classes.items()},
        "cells": {cell.path: str(cell.folder) for cell in placed_cells(configuration)},
    }


BEFORE = places(configured())
TEXT = ("corpora", "pairs", "vocabularies", "tokens", "models", "rates", "cells")


@pytest.mark.parametrize(
    ("overlay", "kinds", "concerns"),
    [
        ({"margin": 2.0}, (), None),
        ({"decoding": {"length_penalty": 1.0}}, (), None),
        ({"models": {"small": {"gpus": 2, "micro_batch_tokens": 512}}}, (), None),
        ({"corpora": {"interface": {"split": {"dev": 100}}}}, TEXT, None),
        ({"corpora": {"interface": {"clean": {"max_words": 12}}}}, TEXT, None),
        ({"corpora": {"interface": {"wheels": {"django": {"sha256": "0" * 64}}}}}, TEXT, None),
        ({"models": {"small": {"pretrain": {"updates": 7}}}}, ("models", "rates", "cells"), "small"),
        ({"methods": {"lora": {"learning_rate": 0.01}}}, ("cells",), "lora"),
        ({"budgets": {"b1": 0.02}}, ("rates", "cells"), "b1"),
        ({"sizes": {"n100": {"updates": 7}}}, ("rates", "cells"), "n100"),
        ({"sizes": {"n100": {"pairs": 99}}}, ("rates", "cells"), "n100"),
    ],
    ids=lambda value: None if isinstance(value, tuple) else json.dumps(value)[:60],
)
def test_an_edit_changes_only_folders_that_depend_on_it(
    overlay: dict[str, Any], kinds: tuple[str, ...], concerns: str | None
) -> None:
    after = places(configured(overlay))
    for kind, before in BEFORE.items():
        common = before.keys() & after[kind].keys()
        moved = {label for label in common if before[label] != after[kind][label]}
        trained = {
            label for label in common if concerns in (None, *label.split("/")) and not _untrained(label, overlay)
        }
        assert moved == (trained if kind in kinds else set()), kind


def _untrained(label: str, overlay: dict[str, Any]) -> bool:
    """Whether a row trains nothing, so that the number of updates does not matter to it."""
    return "retrieval" in label and "updates" in json.dumps(overlay)


def test_another_beam_size_changes_the_folder_of_every_cell_with_a_model() -> None:
    after = places(configured({"decoding": {"beam_size": 4}}))
    moved = {label for label, folder in BEFORE["cells"].items() if after["cells"][label] != folder}
    assert moved == {label for label in BEFORE["cells"] if not label.startswith("any/")}
    assert after["models"] == BEFORE["models"]


def test_an_added_study_changes_no_folder() -> None:
    study = {"figure": "budgets", "models": ["small"], "pairs": ["tr-en"], "sizes": ["n400"], "methods": ["full"]}
    after = places(
        configured({"pairs": {"it-en": {"corpus": "interface"}}, "studies": {"more": {**study, "seeds": [9]}}})
    )
    for kind, before in BEFORE.items():
        assert {label: after[kind][label] for label in before} == before


def of_own_text(folder: Path) -> Configuration:
    """A study as `init` writes it: for another text the labels are the same."""
    folder.mkdir()
    files = {language: str(folder / f"text.{language}") for language in ("sw", "en")}
    for file in files.values():
        Path(file).write_text("one\ntwo\n", encoding="utf-8")
    mine = {
        "corpora": {"mine": {"files": files}},
        "pairs": {"mine-sw-en": {"corpus": "mine", "source": "sw", "target": "en"}},
        "models": {"small": {"path": None, **merge(SMALL, {"pretrain": {"vocabulary_pairs": ["mine-sw-en"]}})}},
        "rate_search": {"pair": "mine-sw-en", "table": None},
        "studies": {"budgets": {"pairs": ["mine-sw-en"]}},
    }
    return one_study(mine)


def test_studies_on_different_text_share_labels_and_no_file(tmp_path: Path) -> None:
    one, two = (of_own_text(tmp_path / name) for name in ("one", "two"))
    cells = [{cell.path: str(cell.folder) for cell in placed_cells(study)} for study in (one, two)]
    assert cells[0].keys() == cells[1].keys()
    assert not set(cells[0].values()) & set(cells[1].values())
    texts = [{path for path in in_use(study) if "mine" in path} for study in (one, two)]
    assert texts[0] and not texts[0] & texts[1]


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ([], "config"),
        (["mine.yaml"], "mine"),
        (["workflow/studies/quick.yaml", "/home/me/mine.yaml"], "quick+mine"),
        (["my study (2).yaml"], "my_study__2_"),
        (["-x.yaml"], "study-x"),
        (["cells.yaml"], "cells_study"),
        ([DEFAULT_FILE], "config"),
    ],
)
def test_tables_and_figures_lie_under_the_name_of_the_study_file(files: list[str], name: str) -> None:
    assert study_name(files) == name


def test_the_quick_look_shares_cells_with_the_default_study_and_has_tables_of_its_own() -> None:
    default, quick = load(), load([QUICK_FILE])
    known = {cell: cell.folder for cell in placed_cells(default)}
    assert {cell: cell.folder for cell in placed_cells(quick)}.items() <= known.items()
    assert (str(results_folder(default)), str(results_folder(quick))) == ("results/config", "results/quick")


def test_a_folder_of_another_study_is_refused_and_the_own_one_named() -> None:
    configuration = one_study()
    (cell,) = (cell for cell in placed_cells(configuration) if cell.path == LORA)
    labels = dict(zip(DIMENSIONS, cell.folder.parts[2:], strict=True))
    assert labels_in(configuration, labels) == cell.named
    with pytest.raises(UserError, match=rf"results/cells/{LORA}-00000000 belongs to a study .*; write {cell.folder}\."):
        labels_in(configuration, labels | {"seed": "1-00000000"})


def test_labels_without_digests_name_files_of_the_present_configuration() -> None:
    configuration = one_study()
    (cell,) = (cell for cell in placed_cells(configuration) if cell.path == LORA)
    assert with_digests(configuration, LORA) == f"{cell.folder}/score.json"
    assert with_digests(configuration, f"results/cells/{LORA}/train.json") == f"{cell.folder}/train.json"
    assert with_digests(configuration, f"{cell.folder}/train.json") == f"{cell.folder}/train.json"
    text = f"data/pairs/{pair_name(configuration, 'pt-en')}/parts.json"
    assert with_digests(configuration, "data/pairs/pt-en/parts.json") == text
    assert with_digests(configuration, "study_budgets") == "study_budgets"


def test_labels_find_the_folder_of_a_cell_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Cell.find(LORA).digest == ""
    Path(f"results/cells/{LORA}-01234567").mkdir(parents=True)
    assert str(Cell.find(LORA).folder) == f"results/cells/{LORA}-01234567"
    Path(f"results/cells/{LORA}-89abcdef").mkdir()
    with pytest.raises(UserError, match=rf"Several studies have a cell {LORA}; write .*-01234567, .*-89abcdef\."):
        Cell.find(LORA)
    assert Cell.find(f"results/cells/{LORA}-89abcdef").digest == "89abcdef"


def test_other_pairs_have_digests_and_pairs_of_a_group_are_in_its_digest() -> None:
    cell = Cell(
        "m", "a-b+c-d", "s", "full", "all", "1", digest="01234567", elsewhere={"e-f": "89abcdef", "a-b": "0" * 8}
    )
    assert OnPair(cell, "e-f").folder == cell.folder / "others/e-f-89abcdef"
    assert OnPair(cell, "a-b").folder == cell.folder / "others/a-b"


# ---------------------------------------------------------------- what a study file leaves unused


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def finish(configuration: Configuration) -> None:
    """Records that say how long each cell took, one hour and a half."""
    for cell in placed_cells(configuration):
        write_record(cell.folder / "train.json", {"train_seconds": 3600.0})
        write_record(cell.folder / "decode.json", {"decode_seconds": 1800.0})
        write_record(cell.folder / "score.json", {})


def test_a_changed_entry_says_what_it_leaves_unused_before_anything_is_made(folder: Path) -> None:
    configuration, files = one_study(), [Path("mine.yaml")]
    assert begin_study(configuration, files) == []
    finish(configuration)
    assert begin_study(configuration, files) == []
    edited = one_study({"methods": {"lora": {"learning_rate": 0.5}}})
    (line,) = changes(edited)
    assert "1 finished cell(s) are made anew, whose training and decoding took 1.5 hours" in line
    assert f"results/cells/{LORA}-" in line and "MB" in line
    assert begin_study(edited, files) == [line]
    assert begin_study(edited, files) == []
    # And back again: it is there.
    assert begin_study(configuration, files) == []
    assert list(changes(one_study({"margin": 3.0}))) == []


def test_another_study_file_of_the_same_name_is_refused(folder: Path) -> None:
    begin_study(one_study(), [Path("mine.yaml")])
    with pytest.raises(
        UserError, match=r"results/mine holds the results of mine.yaml, and x/mine.yaml would lie there"
    ):
        begin_study(one_study(), [Path("x/mine.yaml")])


def test_results_of_an_earlier_layout_are_left_alone_and_said_once(folder: Path) -> None:
    write_record(Path("results/figures/budgets.svg"), {})
    (line,) = begin_study(one_study(), [Path("mine.yaml")])
    assert line.startswith("'results/figures' and what else has no digest") and line.endswith("not used.")
    assert begin_study(one_study(), [Path("mine.yaml")]) == []
    assert Path("results/figures/budgets.svg").exists()


def test_files_that_no_study_file_uses_are_listed_and_removed_on_request(folder: Path) -> None:
    configuration, edited = one_study(), one_study({"methods": {"lora": {"learning_rate": 0.5}}})
    begin_study(configuration, [Path("mine.yaml")])
    finish(configuration)
    assert unused(configuration) == []
    begin_study(edited, [Path("mine.yaml")])
    (gone,) = (cell.folder for cell in placed_cells(configuration) if cell.path == LORA)
    assert unused(edited) == [gone]
    # Another study file that uses it keeps it.
    begin_study(configuration.named("second"), [Path("second.yaml")])
    assert unused(edited) == []
    (Path("results/second/study.json")).unlink()
    told = list(tidy(edited, removes=False))
    assert str(gone) in told[0] and "--remove" in told[-1] and gone.exists()
    list(tidy(edited, removes=True))
    assert not gone.exists()
    assert len(list(Path("results/cells").rglob("score.json"))) == 2

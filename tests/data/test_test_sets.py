"""Test sets that are named beside a corpus's own: taken as they are, kept out of training, scored with the rest."""

import csv
from pathlib import Path
from typing import Any

import pytest

from mtpeft.config.corpora import test_sets as sets_of
from mtpeft.config.load import merge, validate
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record
from mtpeft.data.test_sets import prepare_test_set
from mtpeft.data.tsv import read_pairs
from mtpeft.steps.decontaminate_pair import pair_folder
from support.config import DEFAULT
from support.steps import other_splits
from support.sweep import cell_name, copy, planned, run

NEWS = [
    ("El alcalde inauguró ayer el nuevo puente", "The mayor opened the new bridge yesterday"),
    ("Los precios del pan han subido otra vez", "Bread prices have risen once more"),
    ("El equipo local perdió por tres goles", "The home team lost by three goals"),
    ("Los precios del pan han subido otra vez", "Bread prices have risen once more"),
]
FILES = {"es": "news.es", "en": "news.en"}


def _write(folder: Path) -> None:
    for place, name in enumerate(FILES.values()):
        (folder / name).write_text("".join(f"{row[place]}\n" for row in NEWS), encoding="utf-8")


def _with_news(**text: Any) -> dict[str, Any]:
    return merge(DEFAULT, {"corpora": {"interface": {"more_tests": {"news": text or FILES}}}})


def test_lines_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path)
    params = {"step_version": 1, "source": "es", "target": "en", "files": FILES}
    prepare_test_set(params, archives=[], output=tmp_path / "news.tsv", record=tmp_path / "news.json")
    assert [row[1:] for row in read_pairs(tmp_path / "news.tsv")] == NEWS
    record = read_record(tmp_path / "news.json")
    assert (record["lines"], record["rows"]) == (4, 4)
    assert record["texts"]["news"]["en"] == sorted({row[1] for row in NEWS})


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        ("\nHola\n", "Hello\n\n", r"news\.es, line 1, has no text on one side, .* every line .* is scored"),
        ("Hola\n\nAdiós\n", "Hello\nGood day\nBye\n", r"news\.es, line 2, has no text on one side"),
        ("\n\n", "\n\n", r"news\.es is empty"),
    ],
    ids=["on either side", "in the middle", "everywhere"],
)
def test_a_set_with_a_blank_line_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, target: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("news.es", source), ("news.en", target)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    params = {"step_version": 1, "source": "es", "target": "en", "files": FILES}
    with pytest.raises(UserError, match=told):
        prepare_test_set(params, archives=[], output=tmp_path / "news.tsv", record=tmp_path / "news.json")
    assert not (tmp_path / "news.tsv").exists()


def test_a_pair_has_the_sets_that_have_its_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path)
    configuration = validate(_with_news())
    assert sets_of(configuration, "es-en") == ["test", "news"]
    assert sets_of(configuration, "de-en") == ["test"]
    assert f"{pair_folder(configuration, 'es-en')}/news.json" in other_splits(configuration, {"pair": "de-en"})
    published = validate(_with_news(mtdata=["Flores-flores200_devtest-1-eng-{foreign}"]))
    assert sets_of(published, "de-en") == ["test", "news"]


MISTAKES = {
    "a name that is taken": ({"dev": FILES}, "'corpora.interface.more_tests' has the name 'dev'"),
    "no such file": ({"news": {"es": "no.es", "en": "news.en"}}, "'corpora.interface.more_tests.news.es' is 'no.es'"),
    "one language": ({"news": {"es": "news.es"}}, "'corpora.interface.more_tests.news' must name the file of two"),
    "files and ids": (
        {"news": {**FILES, "mtdata": ["Flores-flores200_devtest-1-eng-spa"]}},
        "has text of 'files' and 'mtdata'",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_name_their_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path)
    given, expected = MISTAKES[case]
    with pytest.raises(UserError, match=expected):
        validate(merge(DEFAULT, {"corpora": {"interface": {"more_tests": given}}}))


@pytest.mark.slow
def test_cells_are_scored_on_every_set(finished: Path, tmp_path: Path) -> None:
    folder = copy(finished, tmp_path / "sweep")
    _write(folder)
    overlay = {
        "corpora": {"interface": {"more_tests": {"news": {key: str(folder / name) for key, name in FILES.items()}}}},
        "studies": {"budgets": {"methods": ["lora", "retrieval"]}},
        "findings": None,
    }
    jobs = planned(folder, "study_budgets", overlay=overlay)
    # The pair is divided anew, so that its own test set is encoded anew as well.
    assert (jobs["prepare_test_set"], jobs["encode_test_set"]) == (1, 2)
    code, said = run(folder, overlay=overlay, options=["--target", "study_budgets"])
    assert code == 0, said[-3000:]
    # Training keeps clear of the new set, so it is another cell than the one without it.
    scored = folder / "results/cells" / cell_name("small/es-en/n200/lora/b5/1", overlay)
    score = read_record(scored / "score.json")
    assert {name: measured["sentences"] for name, measured in score["test_sets"].items()} == {"test": 40, "news": 4}
    assert len((scored / "hypotheses/news.txt").read_text(encoding="utf-8").splitlines()) == 4
    rows = list(csv.DictReader((folder / "results/small_study/tables/budgets/summary.csv").open(encoding="utf-8")))
    assert {(row["method"], row["test_set"]) for row in rows} == {
        (method, name) for method in ("lora", "retrieval") for name in ("test", "news")
    }

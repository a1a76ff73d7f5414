"""A study of one's own from a text and a model: what is written fits both, and mistakes are answered."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mtpeft.config.load import load
from mtpeft.core.errors import UserError
from mtpeft.front.init import fit, write_study
from mtpeft.front.overlay import Request
from mtpeft.steps.cells_of_studies import placed_cells
from support.family import build_checkpoint
from support.model import SPANISH_ENGLISH
from support.sweep import ROOT, mtpeft

SMALL = str(ROOT / "workflow/models/small")
ROWS = [(f"{source} {number}", f"{target} {number}") for number in range(20) for source, target in SPANISH_ENGLISH]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two line-aligned files in the working directory."""
    monkeypatch.chdir(tmp_path)
    for place, name in enumerate(("text.es", "text.en")):
        Path(name).write_text("".join(f"{row[place]}\n" for row in ROWS), encoding="utf-8")
    return ["text.es", "text.en"]


def test_the_command_writes_a_study_that_can_be_planned(files: list[str], tmp_path: Path) -> None:
    def said_by(*arguments: str) -> str:
        done = mtpeft(tmp_path, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = said_by("init", "--files", *files, "--source", "es", "--target", "en", "--model", SMALL, "--to", "own.yaml")
    assert "1,280 sentence pairs" in said and "make plan CONFIG=own.yaml" in said
    planned = placed_cells(load([tmp_path / "own.yaml"]))
    assert {(cell.model, cell.pair) for cell in planned} == {("small", "text-es-en")}
    cells = len(planned)
    assert f"{cells} cells of adapter, full, lora, none" in said and "The filters take none of the text." in said
    assert re.search(rf"all, each once +{cells} ", said_by("plan", "--configfile", "own.yaml"))
    assert all(f"# {word}" in (tmp_path / "own.yaml").read_text("utf-8") for word in ("The text", "The model", "What"))


FORMS: dict[str, tuple[str, Callable[[], bytes], tuple[str, ...]]] = {
    "compressed sides": ("text.es.gz", lambda: b"", ()),
    "table": ("text.tsv", lambda: "".join(f"{a}\t{b}\n" for a, b in ROWS).encode(), ("0", "1")),
    "json": (
        "text.jsonl",
        lambda: "".join(f'{{"t": {{"es": "{a}", "en": "{b}"}}}}\n' for a, b in ROWS).encode(),
        ("t.es", "t.en"),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_text_comes_in_any_form(files: list[str], tmp_path: Path, form: str) -> None:
    name, content, columns = FORMS[form]
    if name.endswith(".gz"):
        given = [f"{file}.gz" for file in files]
        for file in files:
            Path(f"{file}.gz").write_bytes(gzip.compress(Path(file).read_bytes()))
    else:
        given = [name]
        Path(name).write_bytes(content())
    said = list(write_study(Request(given, "es", "en", SMALL, columns), tmp_path / "own.yaml"))
    assert said[0].startswith(f"{tmp_path / 'own.yaml'}: 1,280 sentence pairs")


@pytest.mark.parametrize("pairs", [200, 1000, 30_000, 3_000_000])
def test_sizes_and_splits_fit_the_text(pairs: int) -> None:
    plan = fit(pairs, None)
    sizes = [size["pairs"] for size in plan.sizes.values()]
    assert sum(plan.split.values()) + sizes[-1] <= pairs
    assert sizes == sorted(set(sizes)) and sizes[0] >= 100 and plan.split["dev"] < plan.split["test"] <= 1000
    assert sizes[-1] > 0.85 * (pairs - sum(plan.split.values()))
    updates = [size["updates"] for size in plan.sizes.values()]
    assert updates == sorted(updates) and 200 <= updates[0] <= updates[-1] <= 20_000


def test_a_model_of_the_hub_is_planned_before_it_is_here(files: list[str], tmp_path: Path) -> None:
    list(write_study(Request(files, "es", "en", "owner/name@0123abc"), tmp_path / "own.yaml"))
    written = yaml.safe_load((tmp_path / "own.yaml").read_text("utf-8"))
    assert written["models"]["name"]["hub"] == "owner/name@0123abc"
    assert max(written["methods"]["full"]["learning_rate"]["search"]) <= 1e-4


WRONG = {
    "too little text": (lambda: Path("text.es").write_text("a\nb\n") and Path("text.en").write_text("a\nb\n"), {},
                        "hold 0 sentence pairs, which leaves 0 for training; give at least"),
    "sides of different length": (lambda: Path("text.en").write_text("a\n"), {}, "has 1280 lines but text.en has 1"),
    "no such file": (lambda: Path("text.en").unlink(), {}, "text.en does not exist"),
    "no such model": (None, {"model": "nowhere"}, "'--model' is 'nowhere', but there is no such folder"),
    "no commit": (None, {"model": "owner/name"}, "of a model of the hub write its commit too, owner/name@"),
    "a list of objects": (lambda: Path("text.json").write_text("[1]"), {"files": ["text.json"], "columns": ("a", "b")},
                          "text.json, line 1,"),
    "a dev set without columns": (None, {"dev": ["dev.tsv"]}, "--columns"),
    "a dev set that is not there": (None, {"dev": ["no.es", "no.en"]}, "no.es"),
    "sides that are swapped": (None, {"source": "en", "target": "es"}, "swap the two"),
    "no revision": (None, {"model": "owner/name@main"}, "a branch or a tag moves"),
    "unknown language": (None, {"source": "xx"}, "'xx', which is no language code"),
    "one language": (None, {"target": "es"}, "'--source' and '--target' are both 'es'; write two different"),
    "one file": (None, {"files": ["text.es", "text.es"]}, "text.es is named for both sides"),
    "one column": (lambda: Path("text.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in ROWS)),
                   {"files": ["text.tsv"], "columns": ("0", "0")}, "column|columns"),
    "table without columns": (None, {"files": ["text.tsv"]}, "--columns"),
    "three files": (None, {"files": ["a", "b", "c"]}, "two line-aligned files"),
    "study is there": (lambda: Path("own.yaml").write_text("studies: {}"), {}, "is there already"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_answered_and_nothing_is_written(files: list[str], tmp_path: Path, case: str) -> None:
    prepare, changes, expected = WRONG[case]
    if prepare:
        prepare()
    before = sorted(tmp_path.iterdir())
    request = Request(**{"files": files, "source": "es", "target": "en", "model": SMALL} | changes)
    with pytest.raises(UserError, match=expected):
        list(write_study(request, tmp_path / "own.yaml"))
    assert sorted(tmp_path.iterdir()) == before


def test_a_language_that_the_model_never_saw_gets_a_token(files: list[str], tmp_path: Path) -> None:
    said = list(write_study(Request(files, "eu", "en", SMALL), tmp_path / "own.yaml"))
    assert "has no token for 'eu', so a new one is added" in said[2]
    assert "has never read 'eu', only 'cs', 'de', 'en'" in said[3]
    models = load([tmp_path / "own.yaml"]).models
    extended = models["small"].extend
    assert extended.model == "small-before" and list(extended.languages) == ["eu"]


def test_the_filters_that_will_remove_text_are_named(files: list[str], tmp_path: Path) -> None:
    with Path("text.es").open("a") as spanish, Path("text.en").open("a") as english:
        for number in range(320):
            long, short = " ".join([f"la casa {number}"] * 80), f"the house {number}"
            spanish.write(f"{long if number % 2 else short}\n")
            english.write(f"{short}\n")
    said = list(write_study(Request(files, "es", "en", SMALL), tmp_path / "own.yaml"))
    assert said[0].startswith(f"{tmp_path / 'own.yaml'}: 1,280 sentence pairs")
    assert said[1] == (
        "The filters take 320 of the 1,600 pairs of the text (20.0%): 'same_text' 10.0%, "
        "'max_characters and max_words' 10.0%; change them under 'clean' if that is too much."
    )


@pytest.mark.parametrize("given", [("dev",), ("test",), ("dev", "test")], ids="+".join)
def test_dev_and_test_sets_are_taken_as_they_are_given(
    given: tuple[str, ...], files: list[str], tmp_path: Path
) -> None:
    for part in given:
        Path(f"{part}.jsonl").write_text(
            "".join(f'{{"es": "Otra frase {n}", "en": "Another {part} {n}"}}\n' for n in range(30)), encoding="utf-8"
        )
    Path("text.jsonl").write_text("".join(f'{{"es": "{a}", "en": "{b}"}}\n' for a, b in ROWS), encoding="utf-8")
    sets = {part: [f"{part}.jsonl"] for part in given}
    said = list(write_study(Request(["text.jsonl"], "es", "en", SMALL, ("es", "en"), **sets), tmp_path / "own.yaml"))
    assert all(f"beside 30 given for {part}" in said[0] for part in given)
    corpus = load([tmp_path / "own.yaml"]).corpora["text"]
    assert [part for part in ("dev", "test") if getattr(corpus, f"{part}_files")] == list(given)
    assert corpus.split.test == (1000 if "test" in given else 128)


def test_labels_are_what_files_and_models_are_called(files: list[str], tmp_path: Path) -> None:
    for name in ("más frases.es", "más frases.en"):
        Path(files[0] if name.endswith("es") else files[1]).rename(name)
    to = tmp_path / "a" / "folder" / "own.yaml"
    list(write_study(Request(["más frases.es", "más frases.en"], "es", "en", "owner/name-2B@0123abc"), to))
    configuration = load([to])
    assert list(configuration.corpora) == ["interface", "mas_frases"]
    assert configuration.pairs["mas_frases-es-en"].corpus == "mas_frases"
    assert configuration.models["name-2B"].hub == "owner/name-2B@0123abc"


def test_a_place_that_is_no_folder_is_named(files: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"own\.yaml can't be written: \S*text\.es is no folder; name another one"):
        list(write_study(Request(files, "es", "en", SMALL), Path("text.es") / "own.yaml"))


def test_a_family_that_asks_for_nothing_is_accepted(files: list[str], tmp_path: Path) -> None:
    model = str(build_checkpoint("mt5", tmp_path / "mt5"))
    list(write_study(Request(files, "eu", "en", model), tmp_path / "own.yaml"))
    assert (tmp_path / "own.yaml").exists()

"""A study of one's own from a text and a model: what is written fits both, and mistakes are answered."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from family_material import build_checkpoint
from model_material import SPANISH_ENGLISH
from mtpeft.config.load import load
from mtpeft.config.studies import all_cells
from mtpeft.errors import UserError
from mtpeft.front.init import fit, write_study
from mtpeft.front.overlay import Request
from sweep_material import ROOT, mtpeft

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
    cells = len(all_cells(load([tmp_path / "own.yaml"])))
    assert f"{cells} cells of adapter, full, lora, none" in said
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
    assert plan.dev + plan.test + sizes[-1] <= pairs
    assert sizes == sorted(set(sizes)) and sizes[0] >= 100 and plan.dev < plan.test <= 1000
    assert sizes[-1] > 0.85 * (pairs - plan.dev - plan.test)
    updates = [size["updates"] for size in plan.sizes.values()]
    assert updates == sorted(updates) and 200 <= updates[0] <= updates[-1] <= 20_000


def test_a_model_of_the_hub_is_planned_before_it_is_here(files: list[str], tmp_path: Path) -> None:
    list(write_study(Request(files, "es", "en", "owner/name@0123abc"), tmp_path / "own.yaml"))
    written = yaml.safe_load((tmp_path / "own.yaml").read_text("utf-8"))
    assert written["models"]["mine"]["hub"] == "owner/name@0123abc"
    assert max(written["methods"]["full"]["learning_rate"]["search"]) <= 1e-4


WRONG = {
    "too little text": (lambda: Path("text.es").write_text("a\nb\n") and Path("text.en").write_text("a\nb\n"), {},
                        "hold 2 sentence pairs, which leaves 0 for training; give at least"),
    "sides of different length": (lambda: Path("text.en").write_text("a\n"), {}, "has 1280 lines but text.en has 1"),
    "no such file": (lambda: Path("text.en").unlink(), {}, "text.en does not exist"),
    "no such model": (None, {"model": "nowhere"}, "'--model' is 'nowhere', but there is no such folder"),
    "no revision": (None, {"model": "owner/name@main"}, "a branch or a tag moves"),
    "unknown language": (None, {"source": "xx"}, "'xx', which is no language code"),
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
    assert "has no token for 'eu', so it gets one" in said[1]
    models = load([tmp_path / "own.yaml"]).models
    assert models["mine"].extend.model == "given" and list(models["mine"].extend.languages) == ["eu"]


def test_a_family_that_asks_for_nothing_is_accepted(files: list[str], tmp_path: Path) -> None:
    model = str(build_checkpoint("mt5", tmp_path / "mt5"))
    list(write_study(Request(files, "eu", "en", model), tmp_path / "own.yaml"))
    assert (tmp_path / "own.yaml").exists()

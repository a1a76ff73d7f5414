"""Sources of text and readers of formats that are no part of the package: each is one Python file."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mtpeft.config.held_out import held_out_params
from mtpeft.config.load import merge, validate
from mtpeft.config.schema import configuration_type
from mtpeft.core.errors import UserError
from mtpeft.core.files import canonical, read_record
from mtpeft.core.registry import bring_in
from mtpeft.data.readers import READERS
from mtpeft.data.sources import SOURCES
from mtpeft.data.tsv import read_cleaned
from mtpeft.steps.clean_pair import user_files
from support.config import DEFAULT
from support.steps import params_of

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "workflow" / "examples" / "numbered_lines.py"
READER = """
from mtpeft.data.readers.base import Line, Reader

def read_bars(path, names):
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Line(number, *(line.split("|")[int(name)] for name in names)) for number, line in enumerate(lines, 1)]

BARS = Reader(
    name="bars", description="A file separated by bars.", endings=(".bars",), read=read_bars, columns="{sw: 0, en: 1}"
)
"""
TEXT = [("Mvua imekatika, twende.", "The rain has stopped, let us go."), ("Karibu nyumbani.", "Welcome home.")]


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    SOURCES.forget_outside()
    READERS.forget_outside()


def numbered(folder: Path, **changes: Any) -> dict[str, Any]:
    """An overlay with a corpus of numbered lines, which are in the folder."""
    text = folder / "text.txt"
    text.write_text("".join(f"{n} ||| {sw} ||| {en}\n" for n, (sw, en) in enumerate(TEXT, 1)), encoding="utf-8")
    described = {"file": str(text), "languages": ["sw", "en"], **changes}
    return {"corpora": {"own": {"numbered_lines": described}}, "pairs": {"en-sw": {"corpus": "own"}}}


def cleaned(params: dict[str, Any], folder: Path) -> list[tuple[str, str]]:
    """Clean a text with the command in a process of its own, and read the result."""
    command = [sys.executable, "-m", "mtpeft", "clean_pair", "--params", canonical(params), "--archives"]
    done = subprocess.run(
        [*command, "--table", "clean.tsv", "--record", "clean.json"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT / "workflow")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return sorted((row.source, row.target) for row in read_cleaned(folder / "clean.tsv"))


def test_a_source_from_outside_is_cleaned(tmp_path: Path) -> None:
    configuration = validate(merge(DEFAULT, numbered(tmp_path) | {"modules": [str(SOURCE)]}))
    params = params_of("clean_pair", configuration, "en-sw")

    assert params["modules"] == [str(SOURCE)]
    assert user_files(configuration, "en-sw") == [str(tmp_path / "text.txt")]
    assert cleaned(params, tmp_path) == sorted((en, sw) for sw, en in TEXT)
    assert read_record(tmp_path / "clean.json")["inputs"].keys() == {"text.txt"}


def test_the_keys_of_a_source_from_outside_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'corpora\.own\.numbered_lines' is not a key"):
        validate(merge(DEFAULT, numbered(tmp_path)))
    bring_in(str(SOURCE))
    with pytest.raises(UserError, match=r"'corpora\.own\.numbered_lines\.file' is 'gone', but there is no such file"):
        validate(merge(DEFAULT, numbered(tmp_path, file="gone")))
    with pytest.raises(UserError, match=r"'corpora\.own\.numbered_lines\.fiel' is not a key .* 'file'"):
        validate(merge(DEFAULT, numbered(tmp_path, fiel="text")))
    with pytest.raises(UserError, match=r"'pairs\.en-sw\.source' is 'en', but the files of its corpus"):
        validate(merge(DEFAULT, numbered(tmp_path, languages=["sw", "fr"])))
    assert "numbered_lines" in json.dumps(configuration_type().model_json_schema())


def test_other_corpora_stay_as_they_are_beside_a_source_from_outside() -> None:
    before = validate(DEFAULT)
    params = [params_of("clean_pair", before, pair) for pair in before.pairs]
    described = held_out_params(before, "interface")
    bring_in(str(SOURCE))
    after = validate(DEFAULT)

    assert [params_of("clean_pair", after, pair) for pair in after.pairs] == params
    assert held_out_params(after, "interface") == described


def test_a_reader_from_outside_reads_text_and_test_sets(tmp_path: Path) -> None:
    (tmp_path / "bars_reader.py").write_text(READER, encoding="utf-8")
    text = tmp_path / "text.bars"
    text.write_text("".join(f"{sw}|{en}\n" for sw, en in TEXT), encoding="utf-8")
    files = {"bars": str(text), "columns": {"sw": 0, "en": 1}}
    own = {"corpora": {"own": {"files": files, "more_tests": {"news": files}}}, "pairs": {"sw-en": {"corpus": "own"}}}
    configuration = validate(merge(DEFAULT, own | {"modules": [str(tmp_path / "bars_reader.py")]}))
    params = params_of("clean_pair", configuration, "sw-en")

    assert (params["files"], params["modules"]) == (files, [str(tmp_path / "bars_reader.py")])
    assert params_of("prepare_test_set", configuration, "sw-en", "news")["modules"] == params["modules"]
    assert cleaned(params, tmp_path) == sorted(TEXT)

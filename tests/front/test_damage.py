"""Files that are not what their records say: cut, changed in one bit, or gone. Each is a sentence, and is made anew."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mtpeft import load
from mtpeft.cli import main
from mtpeft.core.errors import DamagedError, UserError
from mtpeft.core.files import read_record, write_record
from mtpeft.data.subsets import choose_subset
from mtpeft.data.tsv import SentencePair, write_pairs
from mtpeft.front.verify import clear_up
from mtpeft.training.finetune import finetune
from support.model import cell, decode_params, inputs, train_params
from support.sweep import STUDY, copy, located, mtpeft, planned, results, run, small_study

LORA = cell("lora")
TESTS = Path("data/tokens/tiny/es-en/test.safetensors")


@pytest.fixture(scope="module")
def trained(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny sweep with one trained cell; copied by the tests, which change it."""
    folder = shutil.copytree(sweep, tmp_path_factory.mktemp("trained") / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        base = Path("results/models/tiny/base.json")
        write_record(base, read_record(base) | {"folder": str(base.with_name("checkpoint"))})
        finetune(train_params("lora"), LORA, inputs=inputs(Path()), record=LORA.folder / "train.json")
    return folder


@pytest.fixture
def folder(trained: Path, own_life: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of one's own, as the working folder."""
    monkeypatch.chdir(shutil.copytree(trained, tmp_path / "run"))
    return LORA.folder


def decode() -> int:
    """Decode the cell as its rule does; returns the exit code."""
    files = ["--trained", str(LORA.folder / "train.json"), "--tests", str(TESTS)]
    told = ["--cell", LORA.path, "--params", json.dumps(decode_params())]
    with pytest.raises(SystemExit) as ended:
        main(["decode", *told, *files, "--record", str(LORA.folder / "decode.json")])
    return ended.value.code or 0


def flip(file: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def halve(file: Path) -> None:
    """Cut a file."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


WEIGHTS = LORA.folder / "tuned/adapter_model.safetensors"
BASE = Path("results/models/tiny/checkpoint/model.safetensors")
DAMAGES = {
    "a bit of the trained weights": (lambda: flip(WEIGHTS), WEIGHTS, LORA.folder / "train.json"),
    "half of the trained weights": (lambda: halve(WEIGHTS), WEIGHTS, LORA.folder / "train.json"),
    "no trained weights": (WEIGHTS.unlink, WEIGHTS, LORA.folder / "train.json"),
    "no configuration of peft": (
        lambda: WEIGHTS.with_name("adapter_config.json").unlink(),
        WEIGHTS.with_name("adapter_config.json"),
        LORA.folder / "train.json",
    ),
    "an empty folder": (
        lambda: [file.unlink() for file in list(WEIGHTS.parent.iterdir())],
        WEIGHTS.parent,
        LORA.folder / "train.json",
    ),
    "a cut record": (lambda: halve(LORA.folder / "train.json"), LORA.folder / "train.json", LORA.folder / "train.json"),
    "an empty record": (
        lambda: (LORA.folder / "train.json").write_text(""),
        LORA.folder / "train.json",
        LORA.folder / "train.json",
    ),
    "a bit of the base model": (lambda: flip(BASE), BASE, Path("results/models/tiny/base.json")),
    "a cut record of the base model": (
        lambda: halve(Path("results/models/tiny/base.json")),
        Path("results/models/tiny/base.json"),
        Path("results/models/tiny/base.json"),
    ),
    "a bit of the token arrays": (lambda: flip(TESTS), TESTS, TESTS.with_suffix(".json")),
    "half of the token arrays": (lambda: halve(TESTS), TESTS, TESTS),
}
OF_THE_MODEL = {name: case for name, case in DAMAGES.items() if "token" not in name}


@pytest.mark.parametrize(("damage", "named", "record"), DAMAGES.values(), ids=DAMAGES)
def test_decoding_refuses_damaged_files_which_are_then_made_anew(
    folder: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[], object], named: Path, record: Path
) -> None:
    damage()

    assert decode() == 2

    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(named) in said
    assert "the next start makes it anew" in said
    assert not record.exists()
    assert not (folder / "hypotheses").exists()


@pytest.mark.parametrize("damage", OF_THE_MODEL.values(), ids=OF_THE_MODEL)
def test_a_model_that_is_damaged_is_not_handed_out(
    folder: Path, damage: tuple[Callable[[], object], Path, Path]
) -> None:
    make, named, record = damage
    make()
    with pytest.raises(DamagedError, match=r"delete .* and the next start makes it anew") as raised:
        load(folder)
    assert str(named) in str(raised.value)
    assert record in raised.value.damaged


def test_a_folder_that_somebody_adds_to_is_whole(folder: Path) -> None:
    (folder / "tuned/.snakemake_timestamp").touch()
    assert decode() == 0


def test_a_cell_of_another_base_model_is_not_opened(folder: Path) -> None:
    record = folder / "train.json"
    content = read_record(record)
    content["inputs"]["base_model.safetensors_sha256"] = "0" * 64
    write_record(record, content)
    with pytest.raises(UserError, match=r"was trained on another model\.safetensors"):
        load(folder)


def test_a_record_that_was_written_before_there_were_checksums_holds(folder: Path) -> None:
    record = folder / "train.json"
    write_record(record, {key: value for key, value in read_record(record).items() if key != "made"})
    assert decode() == 0


def test_the_files_of_a_user_are_not_ours_to_delete(folder: Path, tmp_path: Path) -> None:
    """A base model in a folder of the user's keeps its files; its record is made anew."""
    base = Path("results/models/tiny/base.json")
    elsewhere = shutil.copytree("results/models/tiny/checkpoint", tmp_path / "elsewhere")
    write_record(base, read_record(base) | {"folder": str(elsewhere)})
    flip(elsewhere / "model.safetensors")
    assert decode() == 2
    assert (elsewhere / "model.safetensors").exists()
    assert not base.exists()


def test_a_subset_that_was_cut_is_refused_by_whoever_reads_it(
    own_life: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train, rows = Path("data/pairs/es-en/train.tsv"), Path("data/pairs/es-en/subsets/1/n4.txt")
    write_pairs(train, [SentencePair(str(number), f"fuente {number}", f"source {number}") for number in range(8)])
    choose_subset({"step_version": 1, "pairs": 4}, train=train, output=rows, record=rows.with_suffix(".json"))
    halve(rows)
    told = ["--cell", LORA.path, "--params", json.dumps({"method": {"method": "retrieval"}})]
    with pytest.raises(SystemExit) as ended:
        main(["train", *told, "--subset", str(rows), "--record", "train.json"])
    assert ended.value.code == 2
    assert f"{rows} is not the file that" in capsys.readouterr().err
    assert not rows.exists()


def test_a_vocabulary_that_has_changed_is_refused_by_whoever_reads_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = Path("data/vocabularies/tiny")
    flip(tokenizer / "tokenizer.json")
    told = json.dumps({"source": "es", "target": "en", "vocabulary": "tiny", "max_positions": 48})
    files = ["--texts", "data/pairs/es-en/test.tsv", "--arrays", str(TESTS)]
    with pytest.raises(SystemExit) as ended:
        main(["encode_pair", "--params", told, "--tokenizer", str(tokenizer), *files])
    assert ended.value.code == 2
    assert "data/vocabularies/tiny/tokenizer.json is not the file that" in capsys.readouterr().err


RETRIEVAL, ADAPTER = "results/cells/any/es-en/n200/retrieval/any/any", "results/cells/small/es-en/n200/adapter/b5/1"
LOST = {
    "a record beside a finished score": (
        lambda folder: (located(folder, RETRIEVAL) / "train.json").unlink(),
        {"train", "decode", "score"},
    ),
    "a cut record": (
        lambda folder: halve(located(folder, ADAPTER) / "train.json"),
        {"train", "decode", "score"},
    ),
    "the trained weights, emptied": (
        lambda folder: [file.unlink() for file in list((located(folder, ADAPTER) / "tuned").iterdir())],
        {"train", "decode", "score"},
    ),
    "a record of decoding": (
        lambda folder: (located(folder, ADAPTER) / "decode.json").unlink(),
        {"decode", "score"},
    ),
}


@pytest.mark.sweep
@pytest.mark.parametrize(("lose", "again"), LOST.values(), ids=LOST)
def test_the_next_start_makes_again_what_is_lost(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lose: Callable[[Path], object], again: set[str]
) -> None:
    folder = copy(finished, tmp_path / "run")
    monkeypatch.chdir(folder)
    lose(folder)
    clear_up(small_study())
    assert {"train", "decode", "score"} & planned(folder).keys() == again


@pytest.mark.sweep
@pytest.mark.slow
def test_a_sweep_ends_as_before_after_records_were_lost(finished: Path, tmp_path: Path) -> None:
    """A kill may hit Snakemake while it clears up after the kill before; a retrieval cell's record is gone for good."""
    folder = copy(finished, tmp_path / "run")
    (located(folder, RETRIEVAL) / "train.json").unlink()
    adapter = located(folder, ADAPTER)
    halve(adapter / "score.json")
    half_written = adapter / ".score.json.11934.tmp"
    half_written.write_text("{")
    code, said = run(folder)
    assert code == 0, said[-3000:]
    assert "10 of 10 cells are finished" in said
    assert not half_written.exists()
    assert results(folder) == results(finished)


@pytest.mark.sweep
def test_verify_says_which_files_are_damaged(finished: Path, tmp_path: Path) -> None:
    folder = copy(finished, tmp_path / "run")
    whole = mtpeft(folder, "verify", "--configfile", STUDY.name)
    assert (whole.returncode, whole.stderr) == (0, "")
    weights = located(folder, ADAPTER) / "tuned/adapter_model.safetensors"
    text = located(folder, "data/pairs/es-en") / "train.tsv"
    flip(weights)
    flip(text)
    found = mtpeft(folder, "verify", "--discard", "--configfile", STUDY.name)
    assert found.returncode == 1
    for file in (weights, text):
        assert str(file.relative_to(folder)) in found.stdout
        assert not file.exists()
    assert {"train", "decontaminate_pair"} <= planned(folder).keys()

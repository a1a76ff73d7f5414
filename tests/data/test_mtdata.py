"""Datasets that mtdata knows: found by their ids, read as pairs, and split like any other text."""

import gzip
import hashlib
import shutil
from pathlib import Path

import pytest
import yaml

from mtpeft.config.load import load, merge
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record
from mtpeft.data.sources.mtdata.index import find_dataset
from mtpeft.steps.decontaminate_pair import divided
from mtpeft.steps.freshness import is_current
from support.mtdata import ENGLISH, FILES, GERMAN, SPANISH, Datasets
from support.sweep import STUDY as SMALL_STUDY
from support.sweep import located, planned, run

ID = "Local-talks_train-1-eng-deu"
GERMAN_NEWS, ENGLISH_NEWS = ([f"{text} & co" for text in column] for column in (GERMAN, ENGLISH))


def pairs(dataset: str) -> list[list[str]]:
    text = gzip.decompress(Path(f"data/{dataset}.tsv.gz").read_bytes()).decode()
    return [line.split("\t") for line in text.splitlines()]


# An id, the file it comes from, and the pairs that it must have under its header.
FORMS: dict[str, tuple[str, list[str], list[str]]] = {
    ID: ("talks.tar.gz", ENGLISH, GERMAN),
    "Local-talks_train-1-spa-eng": ("talks.tar.gz", [*SPANISH, "Así."], [*ENGLISH, "So."]),
    "Local-flores_devtest-1-deu-eng": ("flores.tar.gz", GERMAN[:12], ENGLISH[:12]),
    "Local-flores_devtest-1-swa-eng": ("flores.tar.gz", SPANISH[:12], ENGLISH[:12]),
    "Local-moses-v1-deu-eng": ("moses.zip", GERMAN, ENGLISH),
    "Local-moses-v1-eng-deu": ("moses.zip", ENGLISH, GERMAN),
    "Local-sides-1-spa-eng": ("side.en.gz", SPANISH, ENGLISH),
    "Local-table-1-eng-spa": ("table.tsv.xz", ENGLISH, SPANISH),
    "Local-memory-1-eng-deu": ("memory.zip", ENGLISH[:5], GERMAN[:5]),
    "Local-memory-1-deu-eng": ("memory.zip", GERMAN[:5], ENGLISH[:5]),
    "Local-news-2020-deu-eng": ("news.tgz", GERMAN_NEWS, ENGLISH_NEWS),
    "Local-linked-1-deu-eng": ("linked.tar.gz", GERMAN, ENGLISH),
}


@pytest.mark.parametrize("dataset", FORMS)
def test_a_dataset_becomes_a_table_of_pairs_and_a_record(dataset: str, local: Datasets) -> None:
    file, first, second = FORMS[dataset]

    assert local.fetch(dataset) == 0

    header, *rows = pairs(dataset)
    assert header == dataset.split("-")[-2:]
    assert rows == [list(row) for row in zip(first, second, strict=True)]
    record = read_record(Path(f"data/{dataset}.json"))
    assert (record["id"], record["lines"], record["mtdata"]) == (dataset, len(first), "0.5.1")
    assert record["archive_sha256"] == hashlib.sha256(Path(f"data/{dataset}.tsv.gz").read_bytes()).hexdigest()
    assert record["files"][0]["url"].endswith(f"/{file}")
    assert record["files"][0]["sha256"] == hashlib.sha256(FILES[file]).hexdigest()
    assert record["signature"].endswith(f"--train {record['dataset']} -o <out-dir>\nmtdata version 0.5.1")
    assert not list(Path().rglob("text.de")), "a member of an archive must not be unpacked where its name leads"


def test_marks_of_missing_translations_are_left_out_and_counted(local: Datasets) -> None:
    local.fetch(ID)

    assert read_record(Path(f"data/{ID}.json"))["noise"] == 2, "the header and the row without German"


def test_a_file_is_downloaded_once_for_all_its_datasets(local: Datasets) -> None:
    for dataset in (ID, "Local-talks_dev-1-eng-deu", "Local-talks_train-1-eng-spa", ID):
        assert local.fetch(dataset) == 0

    assert local.files["talks.tar.gz"].asked == [None]


def test_the_same_dataset_gives_the_same_bytes(local: Datasets) -> None:
    local.fetch(ID)
    once = Path(f"data/{ID}.tsv.gz").read_bytes()
    shutil.rmtree("data")
    local.fetch(ID)

    assert Path(f"data/{ID}.tsv.gz").read_bytes() == once


# Ids as people find them, and what the index of all datasets has for each.
KNOWN = {
    "Neulab-tedtalks_train-1-eng-deu": ("Neulab-tedtalks_train-1-eng-deu", False),
    "Neulab-tedtalks_train-1-deu-eng": ("Neulab-tedtalks_train-1-eng-deu", True),
    "Flores-flores200_devtest-1-deu-eng": ("Flores-flores200_devtest-1-deu-eng", False),
    "Flores-flores200_devtest-1-swa-eng": ("Flores-flores200_devtest-1-eng-swh_Latn", True),
    "Flores-flores200_devtest-1-eng-zho_Hant": ("Flores-flores200_devtest-1-eng-zho_Hant", False),
    "Flores-flores200_devtest-1-eng-por_BR": ("Flores-flores200_devtest-1-eng-por", False),
    "OPUS-ted2020-v1-eng-deu": ("OPUS-ted2020-v1-deu-eng", True),
}


@pytest.mark.parametrize("dataset", KNOWN)
def test_the_index_of_all_datasets_has_them(dataset: str, mtdata: Path) -> None:
    found = find_dataset(mtdata, dataset)

    assert (found.id, found.swapped) == KNOWN[dataset]


@pytest.mark.parametrize(
    ("dataset", "nearest"),
    [
        ("Neulab-tedtalks_trian-1-eng-deu", "Neulab-tedtalks_train-1-eng-deu, Neulab-tedtalks_test-1-eng-deu, "),
        ("OPUS-ted2020-v2-deu-eng", "OPUS-ted2020-v1-deu-eng, "),
        ("Microsoft-ntrex-128-eng-swe_NO", "Microsoft-ntrex-128-eng-swe"),
    ],
)
def test_unknown_ids_are_answered_with_the_nearest_of_all(dataset: str, nearest: str, mtdata: Path) -> None:
    with pytest.raises(UserError, match=f"mtdata knows no dataset '{dataset}': the nearest are .*{nearest}"):
        find_dataset(mtdata, dataset)


STUDY = {
    "corpora": {
        "local": {
            "written_in": "en",
            "mtdata": {
                "train": ["Local-moses-v1-deu-eng", ID],
                "test": ["Local-flores_devtest-1-deu-eng"],
            },
            "split": {"dev": 5, "test": 1},
        }
    },
    "pairs": {"en-de": {"corpus": "local"}},
}


def test_the_workflow_fetches_cleans_splits_and_decontaminates_them(local: Datasets, tmp_path: Path) -> None:
    local.files["talks.tar.gz"].breaks = [500, 500]
    (tmp_path / "data/mtdata").mkdir(parents=True)
    shutil.copytree(local.environment.parent, tmp_path / "data/mtdata/environment", symlinks=True)

    code, said = run(tmp_path, overlay=STUDY, options=["--target", "data/pairs/en-de/parts.json"])

    assert code == 0, said[-3000:]
    folder = located(tmp_path, "data/pairs/en-de")
    parts = {
        part: [line.split("\t")[1:] for line in (folder / f"{part}.tsv").read_text().splitlines()[1:]]
        for part in ("train", "dev", "test")
    }
    assert sorted(parts["test"]) == sorted(map(list, zip(ENGLISH[:12], GERMAN[:12], strict=True)))
    assert len(parts["dev"]) == 5
    assert len(parts["train"]) == len(ENGLISH) - 12 - 5, "both datasets have the same text, less test and dev"
    clean = read_record(folder / "clean.json")
    assert clean["messages"] == 2 * len(ENGLISH) + 12
    assert set(clean["inputs"]) == {
        located(tmp_path, f"data/mtdata/{dataset}.tsv.gz").name
        for dataset in (*clean["params"]["mtdata"]["train"], "Local-flores_devtest-1-deu-eng")
    }
    right = hashlib.sha256(FILES["talks.tar.gz"]).hexdigest()
    for stated, holds in ({}, True), ({ID: right}, True), ({ID: "0" * 64}, False):
        with_hash = merge(STUDY, {"corpora": {"local": {"mtdata": {"sha256": stated}}}})
        Path("overlay.yaml").write_text(yaml.safe_dump(with_hash), encoding="utf-8")
        configuration = load([SMALL_STUDY, Path("overlay.yaml")])
        assert is_current(configuration, Path(divided(configuration, ["en-de"])[0])) is holds
    shutil.rmtree(tmp_path / "data/mtdata/environment")
    assert planned(tmp_path, str((folder / "parts.json").relative_to(tmp_path)), overlay=STUDY) == {}

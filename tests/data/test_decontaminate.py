"""Dev and test sentences of one pair or corpus are kept out of the training text of all others."""

import shutil

import pytest

from mtpeft.core import files
from mtpeft.data import tsv
from mtpeft.data.clean import sentence_id
from mtpeft.data.decontaminate import PARTS
from mtpeft.data.split import split_corpus
from support.corpus import SENTENCES, run_stage, split_one, split_params


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTPEFT_WHEELS", str(folder / "wheels"))
        run_stage(folder, SENTENCES)
    return folder


def read_parts(folder, source):
    return {part: tsv.read_pairs(folder / source / f"{part}.tsv") for part in PARTS}


def test_split_has_the_texts_of_dev_and_test_in_every_language(stage):
    split = files.read_record(stage / "split.json")
    for part in ("test", "dev"):
        rows = [row for row in SENTENCES if sentence_id(row[0]) in split[part]]
        columns = zip(("en", "es", "de"), zip(*rows, strict=True), strict=True)
        assert split["texts"][part] == {language: sorted(texts) for language, texts in columns}


def test_texts_are_those_of_every_pair_each_once(tmp_path):
    """Spanish is worded in two ways, and one pair lacks a test sentence that the user gave."""
    key = sentence_id("Abort")
    tsv.write_cleaned(tmp_path / "a.tsv", [tsv.CleanPair(key, "test", "Abortar", "Abort")])
    tsv.write_cleaned(
        tmp_path / "b.tsv",
        [tsv.CleanPair(key, "test", "Cancelar", "Abort"), tsv.CleanPair("0" * 16, "dev", "Salir", "Quit")],
    )
    split_corpus(
        split_params(languages=[["es", "en"], ["es", "en"]], train=None),
        cleaned=[tmp_path / "a.tsv", tmp_path / "b.tsv"],
        output=tmp_path / "split.json",
    )
    assert files.read_record(tmp_path / "split.json")["texts"] == {
        "test": {"en": ["Abort"], "es": ["Abortar", "Cancelar"]},
        "dev": {"en": ["Quit"], "es": ["Salir"]},
    }


def test_sentences_are_drawn_where_no_pair_has_the_language_written_in(tmp_path):
    long = [("The end of it", "El fin " * 30, "Das Ende davon")]
    rows = [tsv.CleanPair(sentence_id(en), "", es, de) for en, es, de in [*SENTENCES, *long]]
    tsv.write_cleaned(tmp_path / "es-de.tsv", rows)
    split_corpus(
        split_params(languages=[["es", "de"]]), cleaned=[tmp_path / "es-de.tsv"], output=tmp_path / "split.json"
    )
    assert files.read_record(tmp_path / "split.json")["counts"]["candidates"] == len(SENTENCES)


def test_pair_loses_the_text_of_its_languages_in_the_splits_of_other_corpora(stage, tmp_path):
    for name in ("split.json", "es.tsv"):
        shutil.copy(stage / name, tmp_path / name)
    before = read_parts(stage, "es")
    equal, near, in_other_language = before["pretrain"][:3]
    tuned = before["train"][0]
    texts = {
        "one": {"test": {"en": [f"{near.target} now", before["dev"][0].target], "sw": ["Habari"]}, "dev": {}},
        "two": {"test": {"de": [in_other_language.source]}, "dev": {"es": [equal.source, tuned.source.upper()]}},
    }
    for name, stored in texts.items():
        files.write_record(tmp_path / f"{name}.json", {"texts": stored})
    split_one(tmp_path, "es", others=[tmp_path / "one.json", tmp_path / "two.json"])
    after, record = read_parts(tmp_path, "es"), files.read_record(tmp_path / "es.split.json")
    lost = {part: set(before[part]) - set(after[part]) for part in PARTS}
    assert lost == {"train": {tuned}, "dev": set(), "test": set(), "pretrain": {equal, near}}
    assert [record["taken"][part]["other_corpora"] for part in ("train", "pretrain")] == [1, 2]
    assert len(record["inputs"]["others"]) == 2


def test_a_sentence_in_two_tests_counts_for_the_test_of_its_own_corpus(stage, tmp_path):
    for name in ("split.json", "es.tsv"):
        shutil.copy(stage / name, tmp_path / name)
    split_one(tmp_path, "es", others=[stage / "split.json"])
    ours, theirs = (files.read_record(folder / "es.split.json")["taken"] for folder in (tmp_path, stage))
    assert ours == theirs
    assert all(taken.get("other_corpora", 0) == 0 for taken in ours.values())


@pytest.mark.parametrize("train", [12, None])
def test_given_sets_keep_all_lines_and_no_pair_trains_on_any(train, tmp_path):
    """The first pair lacks lines that the second has, and trains on the English of one that the second tests on."""
    part_of = {number: part for part, start in (("test", 0), ("dev", 3)) for number in range(start, start + 3)}
    lacking, trained = {0, 3}, 1

    def row(number: int, foreign: str, english: str, part: str) -> tsv.CleanPair:
        key = f"{part}-{number:06}" if part != "train" else sentence_id(english)
        return tsv.CleanPair(key, part, foreign, english)

    parts = [part_of.get(number, "train") for number in range(len(SENTENCES))]
    first_parts = ["train" if number == trained else part for number, part in enumerate(parts)]
    first = [row(n, es, en, first_parts[n]) for n, (en, es, _) in enumerate(SENTENCES) if n not in lacking]
    second = [row(n, de, en, parts[n]) for n, (en, _, de) in enumerate(SENTENCES)]
    tsv.write_cleaned(tmp_path / "es.tsv", first)
    tsv.write_cleaned(tmp_path / "de.tsv", second)
    split_corpus(
        split_params(train=train),
        cleaned=[tmp_path / "es.tsv", tmp_path / "de.tsv"],
        output=tmp_path / "split.json",
    )
    for source in ("es", "de"):
        split_one(tmp_path, source)
    spanish, german = (read_parts(tmp_path, source) for source in ("es", "de"))
    assert [pair.target for pair in german["test"]] == [SENTENCES[number][0] for number in (0, 1, 2)]
    assert [pair.target for pair in german["dev"]] == [SENTENCES[number][0] for number in (3, 4, 5)]
    assert [pair.target for pair in spanish["test"]] == [SENTENCES[2][0]]
    for kept in (spanish, german):
        read = {pair.target for part in ("train", "pretrain") for pair in kept[part]}
        assert read.isdisjoint(SENTENCES[number][0] for number in range(6))


@pytest.mark.parametrize("given", ["test", "dev"])
def test_drawn_sentences_neither_equal_nor_resemble_given_ones(given, tmp_path):
    """Every line of the given set, and one near to it, stands in the training text too."""
    rows = [tsv.CleanPair(f"{given}-{n:06}", given, es, en) for n, (en, es, _) in enumerate(SENTENCES[:10])]
    rows += [tsv.CleanPair(sentence_id(en), "train", es, en) for en, es, _ in SENTENCES]
    near = [(f"{en} now", f"Nota {n}") for n, (en, _, _) in enumerate(SENTENCES[:10])]
    rows += [tsv.CleanPair(sentence_id(en), "train", es, en) for en, es in near]
    tsv.write_cleaned(tmp_path / "es.tsv", rows)
    split_corpus(
        split_params(languages=[["es", "en"]], train=None),
        cleaned=[tmp_path / "es.tsv"],
        output=tmp_path / "split.json",
    )
    split_one(tmp_path, "es")
    parts = read_parts(tmp_path, "es")
    drawn = {pair.target for part in ("test", "dev", "train") if part != given for pair in parts[part]}
    assert [pair.target for pair in parts[given]] == [en for en, _, _ in SENTENCES[:10]]
    assert drawn.isdisjoint([*(en for en, _, _ in SENTENCES[:10]), *(en for en, _ in near)])
    record = files.read_record(tmp_path / "es.split.json")
    assert record["given"] == [given]
    assert (record["taken"]["train"]["equal"], record["taken"]["train"]["near_duplicate"]) == (10, 10)
    assert "20 of" in record["warnings"][0]

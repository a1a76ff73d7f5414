"""What is measured on in one pair or corpus is kept out of the training text of all others."""

import shutil

import pytest

from corpus_material import SENTENCES, run_stage, split_one, split_settings
from mtpeft import records
from mtpeft.corpus import tsv
from mtpeft.corpus.clean import sentence_id
from mtpeft.corpus.decontaminate import PARTS
from mtpeft.corpus.split import choose_split


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
    split = records.read_record(stage / "split.json")
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
    choose_split(
        split_settings(languages=[["es", "en"], ["es", "en"]], tuning=None),
        cleaned=[tmp_path / "a.tsv", tmp_path / "b.tsv"],
        output=tmp_path / "split.json",
    )
    assert records.read_record(tmp_path / "split.json")["texts"] == {
        "test": {"en": ["Abort"], "es": ["Abortar", "Cancelar"]},
        "dev": {"en": ["Quit"], "es": ["Salir"]},
    }


def test_sentences_are_drawn_where_no_pair_has_the_language_written_in(tmp_path):
    long = [("The end of it", "El fin " * 30, "Das Ende davon")]
    rows = [tsv.CleanPair(sentence_id(en), "", es, de) for en, es, de in [*SENTENCES, *long]]
    tsv.write_cleaned(tmp_path / "es-de.tsv", rows)
    choose_split(
        split_settings(languages=[["es", "de"]]), cleaned=[tmp_path / "es-de.tsv"], output=tmp_path / "split.json"
    )
    assert records.read_record(tmp_path / "split.json")["counts"]["candidates"] == len(SENTENCES)


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
        records.write_record(tmp_path / f"{name}.json", {"texts": stored})
    split_one(tmp_path, "es", others=[tmp_path / "one.json", tmp_path / "two.json"])
    after, record = read_parts(tmp_path, "es"), records.read_record(tmp_path / "es.split.json")
    lost = {part: set(before[part]) - set(after[part]) for part in PARTS}
    assert lost == {"train": {tuned}, "dev": set(), "test": set(), "pretrain": {equal, near}}
    assert [record["taken"][part]["other_corpora"] for part in ("train", "pretrain")] == [1, 2]
    assert len(record["inputs"]["others"]) == 2


def test_what_is_in_the_test_of_the_own_corpus_counts_as_such(stage, tmp_path):
    for name in ("split.json", "es.tsv"):
        shutil.copy(stage / name, tmp_path / name)
    split_one(tmp_path, "es", others=[stage / "split.json"])
    ours, theirs = (records.read_record(folder / "es.split.json")["taken"] for folder in (tmp_path, stage))
    assert ours == theirs
    assert all(taken.get("other_corpora", 0) == 0 for taken in ours.values())


@pytest.mark.parametrize("tuning", [12, None])
def test_given_test_sentence_that_the_split_lacks_is_never_trained_on(tuning, tmp_path):
    """The first pair's table is blank where the second has a test, a dev and a training sentence of its own."""
    part_of = {number: part for part, start in (("test", 0), ("dev", 3)) for number in range(start, start + 3)}
    rows = [(sentence_id(en), part_of.get(n, "train"), es, de, en) for n, (en, es, de) in enumerate(SENTENCES)]
    lacking = {0, 3, 10}
    first = [tsv.CleanPair(key, part, es, en) for n, (key, part, es, _, en) in enumerate(rows) if n not in lacking]
    second = [tsv.CleanPair(key, part, de, en) for key, part, _, de, en in rows]
    tsv.write_cleaned(tmp_path / "es.tsv", first)
    tsv.write_cleaned(tmp_path / "de.tsv", second)
    choose_split(
        split_settings(languages=[["es", "en"]], tuning=tuning),
        cleaned=[tmp_path / "es.tsv"],
        output=tmp_path / "split.json",
    )
    split_one(tmp_path, "de")
    ids = {part: {row.id for row in kept} for part, kept in read_parts(tmp_path, "de").items()}
    assert ids["test"] == {rows[n][0] for n in (1, 2)}
    assert ids["dev"] == {rows[n][0] for n in (4, 5)}
    assert rows[10][0] in ids["pretrain" if tuning else "train"]
    assert not {rows[0][0], rows[3][0]} & set().union(*ids.values())
    assert records.read_record(tmp_path / "de.split.json")["given_but_not_chosen"] == 2


def test_given_test_sentence_that_the_split_tunes_on_is_left_out(tmp_path):
    """The first pair has the same English among its training lines, since its test line is blank."""
    rows = [tsv.CleanPair(sentence_id(en), "train", es, en) for en, es, _ in SENTENCES]
    tsv.write_cleaned(tmp_path / "es.tsv", rows)
    choose_split(
        split_settings(languages=[["es", "en"]]), cleaned=[tmp_path / "es.tsv"], output=tmp_path / "split.json"
    )
    tuned = records.read_record(tmp_path / "split.json")["tuning"][0]
    tsv.write_cleaned(tmp_path / "de.tsv", [row._replace(part="test") if row.id == tuned else row for row in rows])
    for source in ("es", "de"):
        split_one(tmp_path, source)
    with_it, without = (
        {row.id for part in PARTS for row in read_parts(tmp_path, source)[part]} for source in ("es", "de")
    )
    assert with_it - without == {tuned}

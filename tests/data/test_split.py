"""The parts of the corpus: the same test for all pairs, and nothing of it in what is trained on."""

import shutil

import numpy as np
import pytest

from mtpeft.core import files
from mtpeft.data import tsv
from mtpeft.data.clean import sentence_id
from mtpeft.data.decontaminate import PARTS
from mtpeft.data.sentences import words
from mtpeft.data.similarity import max_dice, nearest_references, normalised
from mtpeft.data.sources.wheels import fetch_wheel
from mtpeft.data.split import hash_order, split_corpus
from support.corpus import (
    SENTENCES,
    build_wheel,
    clean_one,
    json_members,
    run_stage,
    split_one,
    split_params,
    wheel_params,
)


def held_out_row():
    """The sentence whose id comes first in the draw, so that it is in the test."""
    return min(SENTENCES, key=lambda row: hash_order(sentence_id(row[0])))


def read_parts(folder, source):
    return {part: tsv.read_pairs(folder / source / f"{part}.tsv") for part in PARTS}


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """The stage on sentences of which some nearly repeat a test sentence, on one side or on both."""
    folder = tmp_path_factory.mktemp("stage")
    english, spanish, german = held_out_row()
    near = [
        (english + " now", "Otra cosa muy distinta de aquello", "Etwas ganz anderes als jenes"),
        ("Something quite unlike all others", spanish + " hoy", "Noch etwas völlig Verschiedenes"),
        ("Yet another unrelated remark here", "Un comentario que no viene al caso", german.upper()),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTPEFT_WHEELS", str(folder / "wheels"))
        run_stage(folder, [*SENTENCES, *near])
    return folder


@pytest.mark.parametrize("source", ["es", "de"])
def test_parts_have_the_rows_that_were_asked_for(stage, source):
    parts = read_parts(stage, source)
    assert (len(parts["test"]), len(parts["dev"])) == (8, 4)
    assert len(parts["train"]) >= 10
    assert len(parts["pretrain"]) >= 8


@pytest.mark.parametrize("source", ["es", "de"])
@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize(
    ("part", "measured"),
    [("train", "test"), ("train", "dev"), ("pretrain", "test"), ("pretrain", "dev"), ("dev", "test")],
)
def test_no_dev_or_test_sentence_is_in_the_training_text(stage, source, side, part, measured):
    parts = read_parts(stage, source)
    texts, references = ([getattr(row, side) for row in parts[name]] for name in (part, measured))
    assert max_dice(texts, references).max() < 0.6
    assert {normalised(text) for text in texts}.isdisjoint(normalised(text) for text in references)


@pytest.mark.parametrize("source", ["es", "de"])
def test_pretraining_has_no_fine_tuning_sentence(stage, source):
    parts = read_parts(stage, source)
    for side in ("source", "target"):
        tuned, before = ({normalised(getattr(row, side)) for row in parts[name]} for name in ("train", "pretrain"))
        assert tuned.isdisjoint(before)


def test_each_part_loses_what_leaks(tmp_path):
    """One row for each rule, named after what it must be removed from and why; the others stay."""
    (test_en, test_es, _), (dev_en, dev_es, _), (train_en, train_es, _) = SENTENCES[:3]
    texts = {
        "test": (test_es, test_en),
        "dev": (dev_es, dev_en),
        "dev near test": ("Otra frase sin relación", f"{test_en} now"),
        "train": (train_es, train_en),
        "train near dev source": (f"{dev_es} hoy", "Some other request entirely"),
        "train near test target": ("Esto va de otro asunto", f"{test_en} again"),
        "pretrain": (SENTENCES[3][1], SENTENCES[3][0]),
        "pretrain near dev target": ("Nada que ver con eso", f"{dev_en} today"),
        "pretrain with train source": (train_es.upper(), "A wording nobody chose to keep"),
        "pretrain near train": (f"{train_es} ya", f"{train_en} by now"),
    }
    ids = {name: sentence_id(target) for name, (_, target) in texts.items()}
    tsv.write_cleaned(tmp_path / "es.tsv", sorted(tsv.CleanPair(ids[name], "", *texts[name]) for name in texts))
    chosen = {part: [ids[name] for name in texts if name.split()[0] == part] for part in ("test", "dev", "train")}
    written = {
        part: {"en": [texts[name][1] for name in texts if ids[name] in chosen[part]]} for part in ("test", "dev")
    }
    split = {"test": chosen["test"], "dev": chosen["dev"], "train": chosen["train"], "texts": written}
    files.write_record(tmp_path / "split.json", split)
    split_one(tmp_path, "es")
    name_of = {key: name for name, key in ids.items()}
    kept = {part: {name_of[row.id] for row in rows} for part, rows in read_parts(tmp_path, "es").items()}
    assert kept == {
        "test": {"test"}, "dev": {"dev"}, "train": {"train"}, "pretrain": {"pretrain", "pretrain near train"}
    }  # fmt: skip


def test_record_counts_what_each_rule_took(stage):
    for source, equal, near in (("es", 0, 2), ("de", 1, 1)):
        record = files.read_record(stage / f"{source}.split.json")
        taken = [record["taken"][part] for part in ("train", "pretrain")]
        assert sum(part["equal"] for part in taken) == equal
        assert sum(part["near_duplicate"] for part in taken) == near
        cleaned = len(tsv.read_cleaned(stage / f"{source}.tsv"))
        assert cleaned == sum(record["rows"].values()) + sum(sum(part.values()) for part in record["taken"].values())


def test_record_shows_similarity_to_the_test(stage):
    record = files.read_record(stage / "es.split.json")
    similarity, rows = record["similarity_to_test"], record["rows"]
    assert sum(similarity["train_after"]) == rows["train"]
    assert sum(similarity["train_after"][6:]) == 0
    assert sum(similarity["train_before"]) == rows["train"] + sum(record["taken"]["train"].values())
    assert len(similarity["test_to_train"]) == rows["test"]
    assert max(similarity["test_to_train"]) < 0.6


def test_all_languages_have_the_same_test_sentences(stage):
    tests = [[(row.id, row.target) for row in read_parts(stage, source)["test"]] for source in ("es", "de")]
    assert tests[0] == tests[1]
    split = files.read_record(stage / "split.json")
    assert [key for key, _ in tests[0]] == split["test"]
    assert sorted(text for _, text in tests[0]) == split["texts"]["test"]["en"]


def test_two_runs_give_the_same_bytes(stage, tmp_path, monkeypatch):
    monkeypatch.setenv("MTPEFT_WHEELS", str(tmp_path / "wheels"))
    shutil.copytree(stage / "wheels", tmp_path / "wheels")
    wheel = wheel_params(tmp_path / "wheels" / "home-1.0-py3-none-any.whl")
    fetch_wheel(wheel, archive=tmp_path / "home.zip", record=tmp_path / "home.json")
    for source in ("de", "es"):
        clean_one(tmp_path, source)
    split_corpus(split_params(), cleaned=[tmp_path / "es.tsv", tmp_path / "de.tsv"], output=tmp_path / "split.json")
    for source in ("de", "es"):
        split_one(tmp_path, source)
    names = sorted(str(path.relative_to(stage)) for path in stage.rglob("*") if path.is_file())
    assert len(names) == 18
    assert [name for name in names if (stage / name).read_bytes() != (tmp_path / name).read_bytes()] == []


def test_new_pair_keeps_the_split_and_its_lacking_test_sentences_out(stage, tmp_path):
    """A language added later lacks a test sentence, but has one whose English nearly repeats it."""
    for name in ("split.json", "es.tsv"):
        shutil.copy(stage / name, tmp_path / name)
    split = files.read_record(stage / "split.json")
    lacking = split["test"][0]
    text = next(row.target for row in tsv.read_cleaned(stage / "es.tsv") if row.id == lacking)
    rows = [row for row in tsv.read_cleaned(stage / "es.tsv") if row.id != lacking and "distinta" not in row.source]
    near = tsv.CleanPair(sentence_id(text + " please"), "", "Alvorada sem nuvens", text + " please")
    tsv.write_cleaned(tmp_path / "pt.tsv", [*rows, near])
    split_one(tmp_path, "pt")
    split_one(tmp_path, "es")
    parts = read_parts(tmp_path, "pt")
    assert [row.id for row in parts["test"]] == split["test"][1:]
    assert near.id not in {row.id for name in ("train", "pretrain") for row in parts[name]}
    for part in PARTS:
        assert (tmp_path / "es" / f"{part}.tsv").read_bytes() == (stage / "es" / f"{part}.tsv").read_bytes()


def test_without_a_number_everything_else_is_for_fine_tuning(stage, tmp_path):
    shutil.copy(stage / "es.tsv", tmp_path / "es.tsv")
    split_corpus(
        split_params(train=None, languages=[["es", "en"]]),
        cleaned=[tmp_path / "es.tsv"],
        output=tmp_path / "split.json",
    )
    split_one(tmp_path, "es")
    assert files.read_record(tmp_path / "split.json")["train"] is None
    parts = read_parts(tmp_path, "es")
    assert parts["pretrain"] == []
    assert len(parts["train"]) > 20


@pytest.mark.parametrize("given", [("test",), ("dev",), ("dev", "test")])
def test_parts_that_the_user_gives_replace_drawn_ones(given, tmp_path):
    numbered = {part: range(3 * index, 3 * index + 3) for index, part in enumerate(given)}
    part_of = {number: part for part, numbers in numbered.items() for number in numbers}
    rows = [
        tsv.CleanPair(sentence_id(en), part_of.get(number, "train"), es, en)
        for number, (en, es, _) in enumerate(SENTENCES)
    ]
    tsv.write_cleaned(tmp_path / "es.tsv", rows)
    split_corpus(split_params(languages=[["es", "en"]]), cleaned=[tmp_path / "es.tsv"], output=tmp_path / "split.json")
    split = files.read_record(tmp_path / "split.json")
    for part, drawn in (("test", 8), ("dev", 4)):
        if part in given:
            assert set(split[part]) == {rows[number].id for number in numbered[part]}
        else:
            assert len(split[part]) == drawn
    assert set(split["test"]).isdisjoint(split["dev"])


def test_sentences_worded_differently_across_pairs_are_no_candidates(tmp_path):
    for name, ending in (("es", ""), ("de", ".")):
        rows = [
            tsv.CleanPair(sentence_id(en), "", es, en + ending * (number < 20))
            for number, (en, es, _) in enumerate(SENTENCES)
        ]
        tsv.write_cleaned(tmp_path / f"{name}.tsv", rows)
    cleaned = [tmp_path / "es.tsv", tmp_path / "de.tsv"]
    split_corpus(split_params(train=1), cleaned=cleaned, output=tmp_path / "split.json")
    assert files.read_record(tmp_path / "split.json")["counts"]["candidates"] == len(SENTENCES) - 20


def test_drawn_sentences_have_the_length_that_is_asked_for(stage, tmp_path):
    params = split_params(words=[6, 20], test=2, dev=2, train=3)
    split_corpus(params, cleaned=[stage / "es.tsv", stage / "de.tsv"], output=tmp_path / "split.json")
    lengths = {row.id: words(row.target) for row in tsv.read_cleaned(stage / "es.tsv")}
    split = files.read_record(tmp_path / "split.json")
    assert min(lengths.values()) < 6 <= min(lengths[key] for part in ("test", "dev", "train") for key in split[part])


@pytest.mark.parametrize("side", ["source", "target"])
def test_dev_is_drawn_far_from_the_test(side, tmp_path):
    """Every sentence has a twin that nearly repeats one of its sides."""
    rows = {sentence_id(en): (es, en) for en, es, _ in SENTENCES}
    for number, (en, es, _) in enumerate(SENTENCES):
        twin = (f"{es} ya", f"Remark about number {number}") if side == "source" else (f"Nota {number}", f"{en} now")
        rows[sentence_id(twin[1])] = twin
    cleaned = [tsv.CleanPair(key, "", *rows[key]) for key in sorted(rows)]
    tsv.write_cleaned(tmp_path / "es.tsv", cleaned)
    split_corpus(
        split_params(languages=[["es", "en"]], test=20, dev=10, train=None),
        cleaned=[tmp_path / "es.tsv"],
        output=tmp_path / "split.json",
    )
    split = files.read_record(tmp_path / "split.json")
    column = ("source", "target").index(side)
    dev, test = ([rows[key][column] for key in split[part]] for part in ("dev", "test"))
    assert len(dev) == 10
    assert max_dice(dev, test).max() < 0.6


def plain_dice(one, other):
    """The definition, written out."""
    sets = []
    for text in (one, other):
        padded = f" {normalised(text)} "
        sets.append({padded[start : start + 4] for start in range(len(padded) - 3)} or {padded})
    return 2 * len(sets[0] & sets[1]) / (len(sets[0]) + len(sets[1]))


def test_similarity_is_the_dice_coefficient_of_character_4_grams():
    candidates = [row[1] for row in SENTENCES] + ["Sí", "!", "La ventana"]
    references = [row[1] for row in SENTENCES[::3]] + ["La ventana de la cocina sigue abierta hoy", "si"]
    expected = [max(plain_dice(text, other) for other in references) for text in candidates]
    expected[-2] = 0.0
    assert max_dice(candidates, references) == pytest.approx(expected, abs=1e-6)
    assert max_dice(candidates, []).tolist() == [0.0] * len(candidates)


def test_blocks_do_not_change_the_result(monkeypatch):
    candidates, references = ([row[index] for row in SENTENCES * 3] for index in (0, 1))
    references += candidates[::-1]
    whole = max_dice(candidates, references), nearest_references(candidates, references)
    monkeypatch.setattr("mtpeft.data.similarity.CANDIDATES", 5)
    monkeypatch.setattr("mtpeft.data.similarity.REFERENCES_AT_ONCE", 7)
    assert np.array_equal(max_dice(candidates, references), whole[0])
    assert np.array_equal(nearest_references(candidates, references), whole[1])


def test_nearest_takes_the_first_of_equals():
    references = ["Cierra la puerta", "Abre la ventana", "Abre la ventana", "Apaga la luz"]
    assert nearest_references(["abre la ventana ya", "Apaga las luces", "xyzzy", ""], references).tolist() == [
        1,
        3,
        0,
        0,
    ]


def test_sentence_of_one_language_alone_does_not_change_the_split(tmp_path, monkeypatch):
    folders = [tmp_path / "small", tmp_path / "large"]
    for folder, extra in zip(folders, ([], [("Only German knows it", "", "Das weiß nur Deutsch")]), strict=True):
        wheel = build_wheel(folder / "wheels", "home", json_members([*SENTENCES, *extra]))
        monkeypatch.setenv("MTPEFT_WHEELS", str(wheel.parent))
        run_stage(folder, [*SENTENCES, *extra])
    splits = [files.read_record(folder / "split.json") for folder in folders]
    assert splits[0]["test"] == splits[1]["test"]
    assert splits[0]["train"] == splits[1]["train"]

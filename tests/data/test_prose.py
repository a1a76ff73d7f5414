"""Prose says after cleaning what it said before, and what is taken or changed is counted and shown."""

import random
import time
from pathlib import Path
from typing import Any

import pytest

from mtpeft.config.load import merge, validate
from mtpeft.core import files as records
from mtpeft.core.errors import UserError
from mtpeft.data import tsv
from mtpeft.data.clean import clean_pair
from mtpeft.data.cleaning_options import PROSE, UI_STRINGS
from mtpeft.data.decontaminate import decontaminate_pair
from mtpeft.data.markup import stripped
from mtpeft.data.sentences import aligned_sentences, words
from mtpeft.data.similarity import max_dice
from mtpeft.data.sources import source_of
from mtpeft.data.split import split_corpus
from mtpeft.data.test_sets import prepare_test_set
from support.config import DEFAULT
from support.corpus import CLEAN, SENTENCES
from support.steps import params_of

# Lines of German, Latvian, Hungarian, Uzbek and others, with what catalogues have as markup.
LINES = [
    ("3. Oktober ist der Tag der Deutschen Einheit.", "October 3 is the Day of German Unity."),
    ("1998. gadā viņš pārcēlās uz Rīgu.", "In 1998 he moved to Riga."),
    ("2004. május 1-jén csatlakoztunk az Unióhoz.", "We joined the Union on 1 May 2004."),
    ("A termék 10%-i kedvezménnyel kapható.", "The product is available at a 10% discount."),
    ("- Kommst du mit? - Nein.", "Are you coming? - No."),
    ("Er sagte *nein* und ging.", "He said no and left."),
    ("Schreiben Sie an info@beispiel.de bis Freitag.", "Write to info@beispiel.de by Friday."),
    ("Siehe http://www.beispiel.de für mehr.", "See www.beispiel.com for more."),
    ("Die Menge {1, 2} ist endlich.", "The set {1, 2} is finite."),
    ("AT&amp;T wächst weiter.", "AT&amp;T is still growing."),
    ("O`zbekiston ko`p millatli davlat.", "Uzbekistan is a multi-ethnic state."),
    ("Bu so`z to`g`ri yozilgan.", "This word is spelt correctly."),
    ("# 5 ist ein Kommentar | in Python", "# 5 is a comment | in Python"),
    ("> Zitat aus einer Mail", "> Quotation of a mail"),
    ("a < b und b > c, also <i>kursiv</i>", "a < b and b > c, so <i>italic</i>"),
    ("Er ging. Sie blieb. Es regnete.", "He left. She stayed. It rained."),
    ("100 % sind 50 %% von 200 \\ 1", "100 % is 50 %% of 200 \\ 1"),
    ("می‌خواهم بروم.", "I want to go."),
    ("1984", "1985"),
    ("…", "?!"),
    ("Weiter -> Ende", "On -> end"),
]


def write_sides(folder: Path, name: str, rows: list[tuple[str, str]], ends: str = "\n") -> dict[str, str]:
    for side, language in enumerate(("de", "en")):
        text = "".join(row[side] + ends for row in rows)
        (folder / f"{name}.{language}").write_text(text, encoding="utf-8", newline="")
    return {language: str(folder / f"{name}.{language}") for language in ("de", "en")}


def clean(folder: Path, rows: list[tuple[str, str]], keys: dict[str, Any] | None = None, **parts: Any) -> dict:
    """Clean a text; returns its record. The pairs go to clean.tsv."""
    params = {"step_version": 2, "source": "de", "target": "en", "written_in": "de", "clean": keys or {}}
    files = {"files": write_sides(folder, "train", rows), **parts}
    clean_pair(params | files, archives=[], output=folder / "clean.tsv", record=folder / "clean.json")
    return records.read_record(folder / "clean.json")


def kept(folder: Path) -> list[tuple[str, str]]:
    return [(row.source, row.target) for row in tsv.read_cleaned(folder / "clean.tsv")]


def test_prose_stays_as_it_is(tmp_path):
    record = clean(tmp_path, LINES)
    assert sorted(kept(tmp_path)) == sorted(LINES)
    assert (record["changed"], record["taken"]) == ({}, {"duplicates": 0})


# The key, a pair, what it becomes, or the name of the filter that takes it.
KEYS = [
    ({"markup": True}, ("<b>Er</b> ging &amp; kam.", "He left &amp; came."), ("Er ging & kam.", "He left & came.")),
    ({"markup": True}, ("Er ging {weit}.", "He went {far}."), "markup"),
    ({"placeholders": True}, ("Mail an a@b.de!", "Mail to a@b.de!"), ("Mail an URL0!", "Mail to URL0!")),
    ({"placeholders": True}, ("Mail an a@b.de!", "Mail to us!"), "placeholders"),
    ({"placeholders": True}, ("\ue000 ist privat", "\ue000 is private"), ("| ist privat", "| is private")),
    ({"letters": True}, ("1984", "1985"), "empty"),
    ({}, ("Berlin", "Berlin"), "same_text"),
    ({"same_text": False}, ("Berlin", "Berlin"), ("Berlin", "Berlin")),
    ({"max_words": 3}, ("Er ging in den Wald", "He left"), "too_long"),
    ({"max_length_ratio": 1.2}, ("Er ging in den Wald hinein", "He left"), "length_ratio"),
]


@pytest.mark.parametrize(("keys", "pair", "expected"), KEYS)
def test_a_key_asks_for_more_and_the_record_shows_it(keys, pair, expected, tmp_path):
    record = clean(tmp_path, [pair, ("Es regnet heute.", "It rains today.")], keys)
    if isinstance(expected, str):
        assert record["taken"][expected] == 1
        assert record["examples"][expected] == [list(pair)]
        assert any(f"'{expected}' takes 1 of 2" in warning for warning in record["warnings"])
    else:
        assert expected in kept(tmp_path)
        changes = [shown for way in record["changed"].values() for shown in way["examples"]]
        assert changes == ([] if pair == expected else [[*pair, *expected]])


def test_a_key_cuts_lines_into_sentences(tmp_path):
    record = clean(tmp_path, [("Er ging. Sie blieb.", "He left. She stayed.")], {"sentences": True})
    assert sorted(kept(tmp_path)) == [("Er ging.", "He left."), ("Sie blieb.", "She stayed.")]
    assert record["changed"]["sentences"]["messages"] == 1


OWN_PAIR = {"corpus": "own", "source": "de", "target": "en"}


def test_params_have_the_options_that_differ_from_the_usual_ones(tmp_path, monkeypatch):
    """The default study's are those of its shipped models: a key that came later, with its default, changes nothing."""
    monkeypatch.chdir(tmp_path)
    own = {"files": write_sides(tmp_path, "own", LINES), "clean": {"markup": True, "same_text": True}}
    configuration = validate(merge(DEFAULT, {"corpora": {"own": own}, "pairs": {"own": OWN_PAIR}}))
    wheels, files = (params_of("clean_pair", configuration, pair) for pair in ("pt-en", "own"))
    assert (wheels["step_version"], wheels["clean"]) == (1, CLEAN)
    usual = {"max_characters": 1000, "max_words": 200, "max_length_ratio": 9.0}
    assert (files["step_version"], files["clean"]) == (2, usual | {"markup": True})
    assert params_of("split_corpus", configuration, "interface")["words"] == [4, 30]
    assert params_of("split_corpus", configuration, "own")["words"] == [3, 60]


def test_default_options_depend_on_the_kind_of_text():
    assert source_of({"wheels": [], "clean": CLEAN}).kind == UI_STRINGS
    assert UI_STRINGS.cleaning.changed(CLEAN) == UI_STRINGS.cleaning
    assert source_of({"files": {}, "clean": {}}).kind == PROSE
    assert source_of({"mtdata": {}, "clean": {"max_words": 50}}).kind == PROSE


@pytest.mark.parametrize(
    ("duplicates", "expected"),
    [("keep", 5), ("pairs", 4), ("sentences", 2)],
)
def test_duplicates_decides_how_repeated_text_is_reduced(duplicates, expected, tmp_path):
    rows = [("Komm!", "Come!"), ("Komm!", "Come!"), ("Komm?", "Come?"), ("Komm!", "Come on!"), ("Geh!", "Go!")]
    record = clean(tmp_path, rows, {"duplicates": duplicates})
    assert (record["rows"], record["taken"].get("duplicates", 0)) == (expected, 5 - expected)
    assert len({row.id for row in tsv.read_cleaned(tmp_path / "clean.tsv")}) == expected


def test_long_sentences_of_prose_stay_and_one_of_a_megabyte_is_counted(tmp_path):
    long = ("Das " + "ist ein langer Satz, " * 20, "This " + "is a long sentence, " * 20)
    megabyte = ("x" * 1_000_000, "Short.")
    begin = time.process_time()
    record = clean(tmp_path, [long, megabyte])
    assert time.process_time() - begin < 60
    assert record["rows"] == 1
    assert record["taken"]["too_long"] == 1
    assert len(record["examples"]["too_long"][0][0]) == 200


# é and Korean syllables as letters and marks, odd white space, and a mark of the byte order inside of a joined file.
DECOMPOSED = ("Cafe\u0301\u00a0 zu\u2028spa\u0308t", "The\tcafe\u0301  late")
COMPOSED = ("Caf\u00e9 zu sp\u00e4t", "The caf\u00e9 late")


def test_all_text_is_normalised_alike(tmp_path):
    given = {part: write_sides(tmp_path, part, [DECOMPOSED, ("Es regnet.", "It rains.")]) for part in ("dev", "test")}
    record = clean(tmp_path, [DECOMPOSED], **given)
    assert kept(tmp_path) == [COMPOSED, ("Es regnet.", "It rains.")] * 2 + [COMPOSED]
    assert record["changed"]["nfc"]["messages"] == 3
    params = {"step_version": 2, "source": "de", "target": "en", "files": given["test"]}
    prepare_test_set(params, archives=[], output=tmp_path / "news.tsv", record=tmp_path / "news.json")
    assert [pair[1:] for pair in tsv.read_pairs(tmp_path / "news.tsv")] == [COMPOSED, ("Es regnet.", "It rains.")]


def divide(folder: Path, **changes: Any) -> dict:
    """Choose and divide the cleaned text; returns the record of its parts."""
    params = {"step_version": 3, "dev": 2, "test": 2, "train": None, "words": [1, 60], "near_duplicate": 0.6}
    params |= {"written_in": "de", "languages": [["de", "en"]], **changes}
    split_corpus(params, cleaned=[folder / "clean.tsv"], output=folder / "split.json")
    decontaminate_pair(
        {"step_version": 3, "near_duplicate": 0.6, "source": "de", "target": "en"},
        cleaned=folder / "clean.tsv",
        split=folder / "split.json",
        others=[],
        folder=folder / "parts",
        record=folder / "parts.json",
    )
    return records.read_record(folder / "parts.json")


def part(folder: Path, name: str) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in tsv.read_pairs(folder / "parts" / f"{name}.tsv")]


def test_a_published_split_is_used_as_published(tmp_path, capfd):
    """Repeated and near lines of the given sets stay in their order; the training text loses those that it shares."""
    test = [("Hallo!", "Hello!"), ("Hallo?", "Hi?"), ("Hallo!", "Hi, all."), ("…", "?!"), ("Bis bald.", "See you.")]
    dev = [("Bis bald.", "See you soon."), *((de, en) for en, _, de in SENTENCES[:3])]
    train = [*((de, en) for en, _, de in SENTENCES[2:]), test[0], ("Ganz anders.", "See you.")]
    record = clean(tmp_path, train, dev=write_sides(tmp_path, "dev", dev), test=write_sides(tmp_path, "test", test))
    assert record["parts"] == {"dev": 4, "test": 5, "train": len(train)}
    parts = divide(tmp_path)
    assert part(tmp_path, "test") == test
    assert part(tmp_path, "dev") == dev
    assert sorted(part(tmp_path, "train")) == sorted((de, en) for en, _, de in SENTENCES[3:])
    assert parts["taken"]["train"]["equal"] == 3
    assert len(parts["examples"]["train"]["equal"]) == 3
    told = capfd.readouterr().err
    assert f"3 of {len(train)} training pairs of de-en equal or nearly equal a dev or test sentence" in told
    assert "1 lines of the given dev set of de-en equal or nearly equal a test sentence" in told


@pytest.mark.parametrize("blank", [("", "Hello!"), ("Hallo!", " "), ("", "")])
@pytest.mark.parametrize("name", ["dev", "test", "more"])
def test_a_given_line_without_text_is_refused(name, blank, tmp_path):
    files = write_sides(tmp_path, "given", [("Komm!", "Come!"), blank, ("Geh!", "Go!")])
    with pytest.raises(UserError, match=r"given.de and .*given.en, line 2, has no text on one side"):
        if name == "more":
            params = {"step_version": 2, "source": "de", "target": "en", "files": files}
            prepare_test_set(params, archives=[], output=tmp_path / "more.tsv", record=tmp_path / "more.json")
        else:
            clean(tmp_path, LINES, **{name: files})


def test_a_translation_that_a_table_of_many_languages_lacks_is_counted(tmp_path):
    (tmp_path / "t.tsv").write_text("de\ten\tfr\nKomm!\tCome!\tViens !\n\tGo!\tVa !\nJa.\tYes.\tOui.\n")
    table = {"tsv": str(tmp_path / "t.tsv"), "columns": {"de": "de", "en": "en", "fr": "fr"}}
    record = clean(tmp_path, LINES, test=table)
    assert record["taken"]["blank_test"] == 1
    assert "1 lines of the given test set of de-en have no text on one side" in record["warnings"][0]
    given = [row.id for row in tsv.read_cleaned(tmp_path / "clean.tsv") if row.part == "test"]
    assert given == ["test-000001", "test-000003"], "the number is that of the line in every pair"


def tibetan(count: int) -> list[str]:
    syllables = ["འདི", "ནི", "བོད", "སྐད", "ཀྱི", "ཚིག", "གྲུབ", "ཅིག", "ཡིན", "རེད", "ང", "ཁྱེད", "དེ", "གཉིས", "མི", "ཆེན", "པོ", "ཆུང"]
    drawn = random.Random(3)
    return ["་".join(drawn.choice(syllables) for _ in range(drawn.randint(6, 20))) + "།" for _ in range(count)]


# Sentences of six to eleven words in scripts that have no spaces between them.
UNSPACED = {
    "Tibetan": "དེ་རིང་གནམ་གཤིས་ཡག་པོ་འདུག་ང་ཚོ་འགྲོ",
    "Thai": "วันนี้อากาศดีมากเราจะไปเดินเล่นในสวน",
    "Lao": "ມື້ນີ້ອາກາດດີພວກເຮົາຈະໄປຍ່າງຫຼິ້ນໃນສວນ",
    "Khmer": "ថ្ងៃនេះអាកាសធាតុល្អយើងនឹងទៅដើរលេងក្នុងសួន",
    "Burmese": "ဒီနေ့ရာသီဥတုကောင်းတယ်ပန်းခြံကိုသွားမယ်",
    "Javanese": "ꦢꦶꦤꦲꦶꦏꦶꦲꦮꦤꦺꦲꦥꦶꦏ꧀ꦲꦪꦺꦴꦩ꧀ꦭꦏꦸ",
    "Balinese": "ᬤᬶᬦᬳᬶᬓᬶᬳᬯᬦᬾᬳᬧᬶᬓ᭄ᬳᬬᭀᬫ᭄ᬮᬓᬸ",
    "Chinese": "今天天气很好我们去公园散步",
    "Japanese": "今日は天気がいいので公園へ散歩に",
}


@pytest.mark.parametrize("script", UNSPACED)
def test_words_are_counted_where_no_spaces_part_them(script):
    assert words(UNSPACED[script]) == pytest.approx(8, abs=3.3)
    assert words(f"{UNSPACED[script]} with three words") == pytest.approx(words(UNSPACED[script]) + 3, abs=0.1)


@pytest.mark.parametrize("script", UNSPACED)
def test_near_duplicates_are_found_where_no_spaces_part_words(script):
    text = UNSPACED[script] * 2
    assert max_dice([text[:-1]], [text])[0] > 0.6
    assert max_dice([text], [text[::-1]])[0] < 0.6


def test_a_split_is_drawn_of_a_language_without_spaces(tmp_path):
    english = [f"{SENTENCES[n % 36][0]} {SENTENCES[(7 * n + n // 36) % 36][0]}" for n in range(300)]
    clean(tmp_path, list(zip(tibetan(300), english, strict=True)))
    divide(tmp_path, test=50, dev=1, words=[3, 60])
    assert len(part(tmp_path, "test")) == 50


# Openings that nothing closes and runs of one character, which a search from each place would look at again and again.
RUNS = [
    "字",
    "_",
    "-",
    ".",
    " ",
    "\n",
    "#",
    "1",
    "&#",
    "{{ ",
    "{% ",
    "<code> ",
    "<a",
    "![",
    "[a](",
    "``",
    "$t(",
    "a.b@",
]


@pytest.mark.parametrize("run", [*RUNS, "http://", "www.", "%0", "%(a)0", "A. ", "(A. ", "**a ", "。”", "a@b.", "`  "])
def test_time_is_linear_in_the_length_of_a_line(run):
    text = run * (200_000 // len(run))
    begin = time.process_time()
    _, texts = stripped([text, "A normal sentence."])
    aligned_sentences([texts[0], texts[0]])
    assert time.process_time() - begin < 40, "a hundred times more where it grows with the square"

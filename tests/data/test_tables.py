"""Tables are read as RFC 4180 or as plain text with tabs, or are refused with a sentence."""

import pytest

from mtpeft.core.errors import UserError
from mtpeft.data.sources.files import read_parallel

NAMED = {"sw": "swahili", "en": "english"}
NUMBERED = {"sw": 0, "en": 1}
HOME = ("Karibu nyumbani", "Welcome home")
LONG = "neno " * 60_000

# Form, content, columns, and either the pairs that are read or what the sentence says.
TABLES = {
    "unquoted commas": (
        "csv", "swahili,english\nKaribu nyumbani,Welcome home\nHabari, rafiki yangu,Hello, my friend\n", NAMED,
        "line 3, has 4 columns where the first row has 2: .*by commas, and put a field that has one in quotes",
    ),
    "semicolons": ("csv", "Habari, rafiki;Hello, my friend\nNdiyo, asante;Yes, thank you\n", NUMBERED,
                   "commas between its columns, but these seem to be separated by semicolons: save it with commas"),
    "semicolons, one row with two commas": (
        "csv", "Habari, rafiki;Hello\nNdiyo, asante;Yes, thank you\n", NUMBERED,
        "line 2, has 3 columns where the first row has 2; its columns seem to be separated by semicolons",
    ),
    "semicolons and names": ("csv", "\ufeffswahili;english\r\nHabari ya asubuhi;Good morning\r\n", NAMED,
                             "no column 'swahili'.* seem to be separated by semicolons, so save it with commas"),
    "semicolons and numbers": ("csv", "\ufeffHabari ya asubuhi;Good morning\r\n", NUMBERED,
                               "no column 1: write 0, its only one.* seem to be separated by semicolons"),
    "semicolons and quotes": ("csv", '"Habari; rafiki";"Hello"\n"Ndiyo";"Yes"\n', NUMBERED, "separated by semicolons"),
    "bars": ("csv", "swahili|english\nHabari|Hello\n", NAMED, "separated by bars"),
    "tabs in csv": ("csv", "swahili\tenglish\nHabari\tHello\n", NAMED, "separated by tabs, so write 'tsv'"),
    "commas in tsv": ("tsv", "swahili,english\nHabari,Hello\n", NAMED, "separated by commas, so write 'csv'"),
    "a tab inside": ("tsv", "swahili\tenglish\nKaribu nyumbani\tWelcome home\nHabari\trafiki yangu\tHello\n", NAMED,
                     "line 3, has 3 columns where the first row has 2: .*by tabs, and write none inside of a text"),
    "a column more at the end": ("tsv", "Habari\tHello\nNdiyo\tYes\tradio\n", NUMBERED, "line 2, has 3 columns"),
    "a column less at the end": ("csv", "swahili,english,source\nHabari,Hello\n", NAMED, "line 2, has 2 columns"),
    "quotes in tsv": (
        "tsv", 'swahili\tenglish\nKaribu nyumbani\tWelcome home\n"Sema ""ndiyo"""\t"Say ""yes"""\n', NAMED,
        [HOME, ('Sema "ndiyo"', 'Say "yes"')],
    ),
    "all of a tsv in quotes": ("tsv", '"swahili"\t"english"\n"Karibu nyumbani"\t"Welcome home"\n', NAMED, [HOME]),
    "tabs and line feeds in quotes": ("tsv", 'Ndiyo\tYes\n"Karibu\nnyumbani"\t"Welcome\thome"\n', NUMBERED,
                                      [("Ndiyo", "Yes"), ("Karibu\nnyumbani", "Welcome\thome")]),
    "quotes that are text": ("tsv", '"Ndiyo," alisema.\t"Yes," he said.\n5" bomba\t"Pipe" of 5"\n', NUMBERED,
                             [('"Ndiyo," alisema.', '"Yes," he said.'), ('5" bomba', '"Pipe" of 5"')]),
    "one open quote": ("tsv", '"Ndiyo, alisema.\tYes, he said.\nHapana\tNo\n', NUMBERED,
                       [('"Ndiyo, alisema.', "Yes, he said."), ("Hapana", "No")]),
    "quotes of both kinds": ("tsv", '"Sema ""ndiyo"""\tYes\n"Hapana" ndogo\tNo\n', NUMBERED,
                             "fields in quotes with doubled quotes inside, such as .*, and others"),
    "doubled names": ("csv", "swahili,english,english\nHabari,Hello,Hi\n", NAMED, "has 2 columns 'english'"),
    "one column for both": ("csv", "Habari,Hello\n", {"sw": 1, "en": 1}, "column 1 for both sides"),
    "one column under two names": ("csv", "swahili,english\nHabari,Hello\n", {"sw": "english", "en": 1}, "both sides"),
    "a negative number": ("csv", "Habari,Hello\n", {"sw": 0, "en": -1}, "no column -1: write a number from 0 to 1"),
    "a NUL": ("csv", "Habari,He\0llo\n", NUMBERED, r"line 1, has a NUL \(byte 10 of it\)"),
    "an open quote": ("csv", 'Ndiyo,Yes\n"Habari,Hello\nHapana,No\n', NUMBERED, "line 2, begins a row that is not CSV"),
    "a long field in quotes": ("csv", f'"{LONG}",Words\n', NUMBERED, [(LONG.strip(), "Words")]),
    "empty lines": ("tsv", "\nKaribu nyumbani\tWelcome home\n\n\n", NUMBERED, [HOME]),
    "old line ends": ("tsv", "swahili\tenglish\rKaribu nyumbani\tWelcome home\r", NAMED, [HOME]),
    "old line ends of csv": ("csv", "swahili,english\rKaribu nyumbani,Welcome home\r", NAMED, [HOME]),
    "a header that numbers would make text": ("tsv", "Swahili\tEN\nHabari\tHello\n", NUMBERED,
                                              "calls its columns 'Swahili' and 'EN' in its first row: write these"),
    "commas with spaces": ("csv", "swahili, english\nKaribu nyumbani, Welcome home\n", NAMED, [HOME]),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES)
def test_tables(case, tmp_path):
    form, content, columns, expected = TABLES[case]
    path = tmp_path / f"a.{form}"
    path.write_text(content, encoding="utf-8", newline="")
    described = {form: str(path), "columns": columns}
    if isinstance(expected, str):
        with pytest.raises(UserError, match=expected) as raised:
            read_parallel(described, source="sw", target="en")
        assert str(path) in str(raised.value)
        assert "\n" not in str(raised.value)
    else:
        lines = read_parallel(described, source="sw", target="en")
        assert [(line.source, line.target) for line in lines] == expected


def test_every_translation_of_a_unit_of_a_memory_is_a_line(tmp_path):
    variants = [("sw", "Mvua"), ("en", "Rain"), ("en", "Rainfall"), ("fr", "Pluie")]
    unit = "".join(f'<tuv xml:lang="{tag}"><seg>{text}</seg></tuv>' for tag, text in variants)
    (tmp_path / "a.tmx").write_text(f"<tmx><body><tu>{unit}</tu></body></tmx>", encoding="utf-8")
    lines = read_parallel({"tmx": tmp_path / "a.tmx"}, source="sw", target="en")
    assert [(line.source, line.target) for line in lines] == [("Mvua", "Rain"), ("Mvua", "Rainfall")]

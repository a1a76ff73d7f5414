"""Wrong descriptions of one's own files, in the form of the other wrong configurations."""

from typing import Any

WRONG_FILES: list[tuple[Any, ...]] = [
    (
        {"corpora": {"own": {"files": {"tsv": "a", "csv": "b", "columns": {"sw": 0, "en": 1}}}}},
        "'corpora.own.files' names files of several forms, 'csv', 'tsv'; take out all but one.",
    ),
    (
        {"corpora": {"own": {"files": {"tmx": "a.tmx", "sw": "b"}, "written_in": "sw"}}},
        "'corpora.own.files' must have either 'tmx' or one file per language, and not both; take out 'sw'.",
    ),
    ({"corpora": {"own": {"files": {"csv": "a.csv"}}}}, "'corpora.own.files.columns' must name the column of two"),
    (
        {"corpora": {"own": {"files": {"jsonl": "a.jsonl", "columns": {"sw": "text"}}}}},
        "'corpora.own.files.columns' must name the column of two languages, such as {sw: translation.sw, en: tr",
    ),
    (
        {"corpora": {"own": {"files": {"jsonl": "a.jsonl", "columns": {"sw": 0, "en": "text"}}}}},
        "'corpora.own.files.columns.sw' is 0, but 'jsonl' has no numbered columns; write a key.",
    ),
    (
        {"corpora": {"own": {"files": {"tmx": "a.tmx", "columns": {"sw": 0, "en": 1}}, "written_in": "sw"}}},
        "'corpora.own.files.columns' is not read for 'tmx', which calls languages by their codes; take it out.",
    ),
    ({"corpora": {"own": {"files": {"tmx": "a.tmx"}}}}, "'corpora.own.written_in' is missing; write the language"),
    (
        {"corpora": {"own": {"files": {"tmx": "no/a.tmx"}, "written_in": "sw"}}},
        "'corpora.own.files.tmx' is 'no/a.tmx', but there is no such file; write its path",
    ),
    (
        {"corpora": {"own": {"files": {"json": "a.json"}}}},
        "'corpora.own.files' must name the file of two languages",
        "jsonl",
    ),
]

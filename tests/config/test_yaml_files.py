"""YAML that a user has written is read as it was meant, or refused with its line, however long it would take."""

import time
from pathlib import Path
from typing import Any

import pytest

from mtpeft.config.yaml_file import MOST_BYTES, read_yaml
from mtpeft.core.errors import UserError

REPEATED = [f"l{number}: &l{number} [{', '.join([f'*l{number - 1}'] * 10)}]" for number in range(1, 10)]
MERGED = [f"l{number}: &l{number} {{<<: [{', '.join([f'*l{number - 1}'] * 10)}]}}" for number in range(1, 10)]
WRONG: dict[str, tuple[str | bytes, str]] = {
    # what would not end
    "lists repeated in lists": ("\n".join(["l0: &l0 [x]", *REPEATED]), ", line 6: this stands for more than 30,000"),
    "mappings merged in mappings": ("\n".join(["l0: &l0 {x: 1}", *MERGED]), ", line 5: this stands for more than"),
    "a mapping merged in itself": ("a: &a {<<: *a}", ", line 1: '*a' stands inside of what it repeats; write it out."),
    "a list in itself": ("a: &a [*a]", ", line 1: '*a' stands inside of what it repeats; write it out."),
    "nested in one line": (
        "a: " + "[" * 100_000,
        ", line 1: this is nested more than 50 levels deep; write it flatter.",
    ),
    "nested line by line": ("".join(f"{' ' * level}k:\n" for level in range(99)), ", line 51: this is nested more"),
    "keys of keys": ("? " * 100_000, ", line 1: this is nested more than 50 levels deep; write it flatter."),
    "a long list": (f"a: [{','.join('b' * 100_000)}]", ", line 1: this stands for more than 30,000 values"),
    "a long line": (f"a: {'b' * 1_000_000}", f" has 1,000,003 bytes, and a configuration has {MOST_BYTES:,} at most"),
    # what YAML reads as something else
    "a key twice": ("a: 1\nb: 2\na: 3", ", line 3: 'a' stands twice; join the two."),
    "a key twice further in": ("a:\n  b: {c: 1,\n    c: 2}", ", line 3: 'c' stands twice; join the two."),
    "octal": ("a: 1\nb: [010]", ", line 2: YAML reads '010' as the number 8; write the number that you mean, or put"),
    "base 60": ("a: 1:30", ", line 1: YAML reads '1:30' as the number 90; write the number that you mean, or put it"),
    "base 60 with a fraction": ("a: 1:30.5", ", line 1: YAML reads '1:30.5' as the number 90.5; write the number"),
    "a date": ("a: 2024-01-01", ", line 1: YAML reads '2024-01-01' as a date; put it in quotes."),
    "a date as a key": ("2024-01-01: a", ", line 1: YAML reads '2024-01-01' as a date; put it in quotes."),
    "an object of Python": (
        "a: !!python/object/apply:os.getcwd []",
        ", line 1: the tag '!!python/object/apply:os.getc",
    ),
    "a tag of one's own": ("a: 1\nb: !mine x", ", line 2: the tag '!mine' is not read; write plain values."),
    "a template": ("__use_yte__: true\na: ?2 + 3", " has '__use_yte__', by which Snakemake runs code in it; take it"),
    "bytes": ("a: !!binary eA==", ", line 1: the tag '!!binary' is not read; write plain values."),
    # what is no YAML, or none that holds a configuration
    "tabs": ("a:\n\tb: 1", ", line 2 is not valid YAML: ", "write spaces instead of tabs."),
    "documents": (
        "a: 1\n---\nb: 2",
        ", line 2 is not valid YAML: it holds several documents; take out the line '---'.",
    ),
    "Latin-1": ("a: 1\nb: é".encode("latin-1"), ", line 2 is not UTF-8; save it as UTF-8."),
    "UTF-16": ("a: 1".encode("utf-16"), ", line 1 is not UTF-8; save it as UTF-8."),
    "a NUL": ("a: \0", " is not valid YAML: it has the character U+0000, which YAML does not allow."),
    "a quote that is left open": ("a: 'b", ", line 1 is not valid YAML: found unexpected end of stream."),
    "an alias of nothing": ("a: *b", ", line 1 is not valid YAML: found undefined alias 'b'."),
    "a mapping as a key": ("{a: 1}: 2", ", line 1 is not valid YAML: found unhashable key."),
    "no number": ("a: 0x_", " holds a number that can't be read", "; put it in quotes if it is none."),
    "nothing": ("", " must hold keys and values at its top level, such as 'studies:'."),
    "a comment": ("# margin: 1", " must hold keys and values at its top level, such as 'studies:'."),
    "a list": ("- margin", " must hold keys and values at its top level, such as 'studies:'."),
}


@pytest.mark.parametrize("case", WRONG)
def test_yaml_that_would_be_misread_or_would_not_end_is_refused_at_once(case: str, tmp_path: Path) -> None:
    content, *parts = WRONG[case]
    file = tmp_path / "wrong.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    begun = time.process_time()

    with pytest.raises(UserError) as refused:
        read_yaml(file)

    assert time.process_time() - begun < 20, "it took seconds where hundredths are enough"
    (line,) = str(refused.value).splitlines()
    assert f"{file}{parts[0]}" in line and line.endswith(".")
    assert all(part in line for part in parts)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("\ufeffa: 1", 1),
        ("a: 1_000", 1000),
        ("a: 0x10", 16),
        ("a: '010'", "010"),
        ("a: !!str 010", "010"),
        ("a: '2024-01-01'", "2024-01-01"),
        ("a: 0.10", 0.1),
        ("a: 0", 0),
        ("b: &b {x: 1}\na: {<<: *b, y: 2}", {"x": 1, "y": 2}),
        ("b: &b [1]\nc: *b\na: *b", [1]),
        ("---\na: 1\n", 1),
        ('{"a": [1, {"b": null}]}', [1, {"b": None}]),
    ],
)
def test_unambiguous_yaml_is_read(text: str, meant: Any, tmp_path: Path) -> None:
    file = tmp_path / "right.yaml"
    file.write_text(text, encoding="utf-8")

    assert read_yaml(file)["a"] == meant


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("no.yaml", "The configuration file no.yaml can't be read: No such file or directory."),
        ("folder", "The configuration file folder is a folder; name a file in it."),
        ("/dev/zero", "The configuration file /dev/zero is no ordinary file; Snakemake reads it again, so write one."),
        ("file/in.yaml", "The configuration file file/in.yaml can't be read: Not a directory."),
    ],
)
def test_a_path_that_is_no_file_is_named(path: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()

    with pytest.raises(UserError) as refused:
        read_yaml(Path(path))

    assert str(refused.value) == said

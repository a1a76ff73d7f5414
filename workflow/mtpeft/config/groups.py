"""Groups of pairs: what can be wrong with their labels.

A group is named by the labels of its pairs, sorted and joined with a plus: in another order it would be the same cell
under two names. It needs no entry in `pairs`, and no entry there may have a plus in its label.
"""

import re
from collections.abc import Iterator

from mtpeft.cells import JOIN, Cell, members_of
from mtpeft.config.schema import Configuration, Study
from mtpeft.core.errors import UserError
from mtpeft.core.wording import unknown


def pair_mistakes(configuration: Configuration, key: str, label: str) -> Iterator[str]:
    """Pairs that no catalogue has, and groups that name one twice or have another order."""
    members = members_of(label)
    mistakes = list(unknown(key, members, configuration.pairs, "pairs"))
    wanted = JOIN.join(sorted(set(members)))
    if not mistakes and label != wanted:
        mistakes = [f"'{key}' names the group '{label}'; a group has each pair once, sorted: write '{wanted}'."]
    yield from mistakes


def group_claim_mistakes(key: str, study: Study) -> Iterator[str]:
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


def groups_pattern(configuration: Configuration) -> str:
    """Pattern of the labels of pairs and of all that look like groups of them; which are none is said in words."""
    pair = "|".join(map(re.escape, sorted(configuration.pairs))) or "(?!)"
    return rf"(?:{pair})(?:{re.escape(JOIN)}(?:{pair}))*"

"""The key `start_from` of an entry of `methods`: a cell begins with the weights of another one, which is trained first.

Both have the same base model and train the same parameters, so that the weights of one are a start for the other.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mtpeft.cells import JOIN, Cell, members_of
from mtpeft.config.learning_rates import SearchedRate
from mtpeft.config.methods import method_options
from mtpeft.config.pairs import pair_mistakes
from mtpeft.core.wording import unknown
from mtpeft.methods import method_for
from mtpeft.methods.base import StartFrom
from mtpeft.methods.lora import SHIFTED

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

OF_TRAINING = ("start_from", "losses", "initialisation", "b_rate")
"""Options that say how something is trained, not what."""


def start_of(configuration: "Configuration", method: str) -> StartFrom | None:
    """Return the labels of the cell from which the cells of a method start, if they start from another."""
    return getattr(configuration.methods[method], "start_from", None)


def parent_of(configuration: "Configuration", cell: Cell) -> Cell | None:
    """Return the cell with whose weights a cell begins; None for one that begins with the base model."""
    start = start_of(configuration, cell.method)
    if start is None:
        return None
    fixed = method_for(configuration.methods[start.method]).budget_labels
    return Cell(
        cell.model,
        start.pair or cell.pair,
        start.size or cell.size,
        start.method,
        fixed[0] if fixed else start.budget or cell.budget,
        cell.seed if start.seed is None else str(start.seed),
    )


def with_parents(configuration: "Configuration", cells: Iterable[Cell]) -> list[Cell]:
    """Return cells, each once, with those from which they start, and those from which these start."""
    found = dict.fromkeys(cells)
    left = list(found)
    while left:
        parents = (parent_of(configuration, cell) for cell in left)
        left = [parent for parent in dict.fromkeys(parents) if parent and parent not in found]
        found |= dict.fromkeys(left)
    return list(found)


def pairs_before(configuration: "Configuration", methods: Iterable[str]) -> set[str]:
    """Return the pairs that methods name for the cells from which theirs start, and from which these start."""
    found: set[str] = set()
    for method in methods:
        seen, start = {method}, start_of(configuration, method)
        while start and start.method not in seen:
            found.update(members_of(start.pair) if start.pair else ())
            seen.add(start.method)
            start = start_of(configuration, start.method)
    return found


def mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find cells to start from that are unknown, that train something else, or that start from one another."""
    for method in configuration.methods:
        start = start_of(configuration, method)
        if start is None:
            continue
        key = f"methods.{method}.start_from"
        found = [*_unknown_labels(configuration, key, start)]
        yield from found
        if not found:
            yield from _other_parameters(configuration, key, method, start)
            yield from _other_budgets(configuration, key, method, start)
        if _returns(configuration, method):
            yield f"'{key}' leads back to '{method}' itself; name a method that starts from the base model."
        searched = isinstance(getattr(configuration.methods[method], "learning_rate", None), SearchedRate)
        if searched and (start.pair is None or start.seed is None):
            yield (
                f"'methods.{method}.learning_rate' asks for a search, whose trials start from the cell that "
                f"'{key}' names, and that must be one for all of them; write its 'pair' and its 'seed' there, or a "
                "number as the learning rate."
            )


def _unknown_labels(configuration: "Configuration", key: str, start: StartFrom) -> Iterator[str]:
    yield from unknown(f"{key}.method", [start.method], configuration.methods, "methods")
    if start.pair:
        yield from pair_mistakes(configuration, f"{key}.pair", start.pair)
    for name, catalogue in (("size", "sizes"), ("budget", "budgets")):
        if label := getattr(start, name):
            yield from unknown(f"{key}.{name}", [label], getattr(configuration, catalogue), catalogue)


def _other_parameters(configuration: "Configuration", key: str, method: str, start: StartFrom) -> Iterator[str]:
    """Find a method that trains other parameters than the one it starts from, or whose weights are no start."""
    own, other = (_trained(configuration, label) for label in (method, start.method))
    if own != other:
        different = sorted(name for name in own.keys() | other.keys() if own.get(name) != other.get(name))
        yield (
            f"'{key}.method' is '{start.method}', which trains other parameters than '{method}' "
            f"({', '.join(different)}); name one whose options are the same."
        )
    elif reason := _no_start(configuration, start):
        yield f"'{key}.method' is '{start.method}', {reason}; name another method."


def _trained(configuration: "Configuration", method: str) -> Mapping[str, Any]:
    options = method_options(configuration, method)
    return {name: value for name, value in options.items() if name not in OF_TRAINING}


def _no_start(configuration: "Configuration", start: StartFrom) -> str:
    """Say why training can't begin with the stored weights of a method, if it can't."""
    options = configuration.methods[start.method]
    method = method_for(options)
    if method.trains == "none":
        return "which trains nothing"
    if method.from_scratch:
        return "which throws the base model away"
    if method.apply_stages:
        return "which has stages"
    if method.parameters_at_start:
        return "which loses parameters while it is trained"
    if "network" in method_options(configuration, start.method):
        return "whose network is thrown away after training"
    if getattr(options, "initialisation", None) in SHIFTED:
        return "which stores twice the rank that it trains"
    if method.per_language and JOIN in (start.pair or ""):
        return "which has parameters for each language of a group"
    return ""


def _other_budgets(configuration: "Configuration", key: str, method: str, start: StartFrom) -> Iterator[str]:
    """Find studies with other budgets than that of the cell to start from."""
    if start.budget is None:
        return
    share = configuration.budgets[start.budget]
    for label, study in configuration.studies.items():
        asked = {budget for block in study.blocks if method in block.methods for budget in block.budgets}
        other = sorted(budget for budget in asked if configuration.budgets.get(budget, share) != share)
        if other:
            yield (
                f"'{key}.budget' is '{start.budget}', but 'studies.{label}' has '{method}' at '{other[0]}'; the "
                "budgets must agree, so leave the key out."
            )


def _returns(configuration: "Configuration", method: str) -> bool:
    """Return whether the methods from which a method starts, one after another, come back to one of them."""
    seen, current = {method}, start_of(configuration, method)
    while current and current.method in configuration.methods:
        if current.method in seen:
            return True
        seen.add(current.method)
        current = start_of(configuration, current.method)
    return False

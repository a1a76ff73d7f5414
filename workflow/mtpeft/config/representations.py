"""Which cells have the rank of their representations measured."""

from collections.abc import Iterable, Iterator, Sequence

from mtpeft.cells import JOIN, Cell
from mtpeft.config.figures import REPRESENTATIONS, needs_table
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import NONE, drawn_cells

RETRIEVAL = "retrieval"


def represented_in(configuration: Configuration, label: str) -> Sequence[Cell]:
    """Cells of a study whose representations it shows, none where it draws something else."""
    return drawn_cells(configuration, label) if needs_table(configuration, label, REPRESENTATIONS) else ()


def representation_mistakes(configuration: Configuration, label: str) -> Iterator[str]:
    """A study of representations names what has some, and the untouched model to compare with."""
    if not needs_table(configuration, label, REPRESENTATIONS):
        return
    study = configuration.studies[label]
    key = f"studies.{label}.methods"
    named = {method for block in study.blocks for method in block.methods}
    yield from _without_model(configuration, key, named)
    for pair in dict.fromkeys(pair for block in study.blocks for pair in block.pairs if JOIN in pair):
        yield (
            f"'studies.{label}.pairs' has the group '{pair}', but representations are measured on the pair of a cell; "
            "take it out."
        )
    if NONE not in named:
        yield f"'{key}' lacks '{NONE}', the untouched model, which the figure compares with; add it."


def _without_model(configuration: Configuration, key: str, named: Iterable[str]) -> Iterator[str]:
    for method in sorted(set(named) & set(configuration.methods)):
        if configuration.methods[method].tuner == RETRIEVAL:
            yield f"'{key}' names '{method}', which has no model and so no representations; take it out."

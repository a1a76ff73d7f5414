"""From studies to cells: every combination of a study's labels, reference rows made once."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product

from mtpeft.cells import ANY, DIMENSIONS, Cell, OnPair
from mtpeft.config.figures import EFFICIENCY
from mtpeft.config.rates import search_of
from mtpeft.config.schema import Configuration, Study
from mtpeft.methods import METHODS

NONE = "none"
"""Label of the method that leaves a base model untouched."""


def study_cells(configuration: Configuration, study: Study) -> list[Cell]:
    """Cells of one study, in the order of its lists and without repetition; those of `also` come last."""
    blocks = ((*_combinations(configuration, block), *_before_tuning(block)) for block in study.blocks)
    return list(dict.fromkeys(cell for block in blocks for cell in block))


@lru_cache(maxsize=4)
def all_cells(configuration: Configuration) -> tuple[Cell, ...]:
    """Cells of all studies, each once: figures share them."""
    studies = configuration.studies.values()
    return tuple(dict.fromkeys(cell for study in studies for cell in study_cells(configuration, study)))


@lru_cache(maxsize=64)
def drawn_cells(configuration: Configuration, label: str) -> tuple[Cell, ...]:
    """Cells that a figure is drawn from: those of its study, with every seed that the sweep has of their systems.

    A system thus has one score, the one that claims are tested on, whichever figure it stands in. `efficiency` is drawn
    from all cells.
    """
    if label == EFFICIENCY:
        return all_cells(configuration)
    own = study_cells(configuration, configuration.studies[label])
    systems = set(map(system_labels, own))
    more = (cell for cell in all_cells(configuration) if system_labels(cell) in systems)
    return tuple(dict.fromkeys([*own, *more]))


def study_others(configuration: Configuration, label: str) -> list[OnPair]:
    """Tuned cells that a figure is drawn from, on the pairs that its study scores besides; a cell's own are left out.

    What was not tuned has forgotten nothing: the untouched model has a row of its own on every pair, and one that was
    trained from random weights could translate none before.
    """
    pairs = list(dict.fromkeys(configuration.studies[label].also_score)) if label in configuration.studies else []
    cells = drawn_cells(configuration, label) if pairs else ()
    tuned = [cell for cell in cells if is_tuned(configuration, cell)]
    return [OnPair(cell, pair) for cell in tuned for pair in pairs if pair not in cell.members]


def untouched_elsewhere(configuration: Configuration, label: str) -> list[Cell]:
    """The untouched models on the pairs on which a study scores tuned cells besides their own."""
    wanted = {untouched(cell.model, pair) for cell, pair in study_others(configuration, label)}
    return [cell for cell in drawn_cells(configuration, label) if cell in wanted]


def all_others(configuration: Configuration) -> list[OnPair]:
    """Cells of all studies on the pairs that they are scored on besides their own, each once."""
    return list(dict.fromkeys(other for label in configuration.studies for other in study_others(configuration, label)))


def is_tuned(configuration: Configuration, cell: Cell) -> bool:
    """Whether a cell is a base model after fine-tuning."""
    method = METHODS[configuration.methods[cell.method].tuner]
    return method.trains != "nothing" and not method.from_scratch


def untouched(model: str, pair: str) -> Cell:
    """The reference row of a pair before any tuning."""
    return Cell(model, pair, ANY, NONE, ANY, ANY)


def system_labels(cell: Cell) -> tuple[str, ...]:
    """The labels that cells of one system share: all but the seed."""
    return cell.labels[:-1]


def budget_labels(configuration: Configuration, study: Study, method: str) -> Sequence[str]:
    """Budget labels that a method has in a study: the study's own, or the only one that means something."""
    fixed = METHODS[configuration.methods[method].tuner].budget_labels
    return study.budgets if fixed is None else fixed


def _combinations(configuration: Configuration, study: Study) -> Iterator[Cell]:
    for method in study.methods:
        free = METHODS[configuration.methods[method].tuner].free
        budgets = budget_labels(configuration, study, method)
        seeds = [str(seed) for seed in study.seeds]
        pairs = _pairs_of(configuration, study, method)
        for labels in product(study.models, pairs, study.sizes, [method], budgets, seeds):
            canonical = (ANY if name in free else label for name, label in zip(DIMENSIONS, labels, strict=True))
            yield Cell(*canonical)


def _pairs_of(configuration: Configuration, study: Study, method: str) -> list[str]:
    """Pairs and groups of a study; a reference row that trains nothing is the same on a pair whatever its group."""
    trains = METHODS[configuration.methods[method].tuner].trains
    return study.members if trains == "nothing" else study.pairs


def _before_tuning(study: Study) -> list[Cell]:
    """The untouched models on all pairs of a study that asks what tuning costs, whether it names `none` or not."""
    pairs = (*study.members, *study.also_score) if study.also_score else ()
    return [untouched(model, pair) for model, pair in product(study.models, pairs)]


def rate_classes(configuration: Configuration) -> list[tuple[str, str, str, str]]:
    """Model, size, method and budget of all cells whose learning rate is searched for, each once."""
    searched = [cell for cell in all_cells(configuration) if search_of(configuration, cell.method)]
    return list(dict.fromkeys((cell.model, cell.size, cell.method, cell.budget) for cell in searched))

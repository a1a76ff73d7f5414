"""The section `studies`: lists of labels, each drawn as one figure, and the cells that they stand for.

Every combination of the labels of a study is a cell. Studies share cells: what two of them have is trained once.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Self

from pydantic import Field, NonNegativeInt

from mtpeft.cells import ANY, DIMENSIONS, JOIN, Cell, OnPair, members_of
from mtpeft.config.figures import (
    EFFICIENCY,
    OTHERS_TABLE,
    REPRESENTATIONS_TABLE,
    SERVING_TABLE,
    FigureName,
    figure_of,
    needs_table,
    study_figures,
)
from mtpeft.config.messages import named_twice
from mtpeft.config.methods import IN_CONTEXT, is_budgeted, search_of
from mtpeft.config.metrics import MetricName, metric_mistakes, metrics_of
from mtpeft.config.pairs import pair_mistakes
from mtpeft.config.start_from import with_parents
from mtpeft.core.entry_names import either
from mtpeft.core.languages import ENGLISH, languages_with_distances, main_language
from mtpeft.core.section import Section, later
from mtpeft.core.value_types import Language
from mtpeft.core.wording import listed, unknown
from mtpeft.methods import method_for
from mtpeft.metrics.base import DEFAULT_METRIC, METRICS

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

NONE = "none"
"""Label of the method that leaves a base model untouched."""
RETRIEVAL = "retrieval"
LISTS = ("models", "pairs", "sizes", "methods", "budgets", "seeds", "also_score")
"""Keys of a study that name things, each once."""


class Block(Section):
    """Further cells of a study: lists that take the place of its own, such as more seeds for some of its methods."""

    models: list[str] | None = Field(default=None, min_length=1)
    pairs: list[str] | None = Field(default=None, min_length=1)
    sizes: list[str] | None = Field(default=None, min_length=1)
    methods: list[str] | None = Field(default=None, min_length=1)
    budgets: list[str] | None = None
    seeds: list[NonNegativeInt] | None = Field(default=None, min_length=1)


class Study(Section):
    """Lists of labels that are drawn as one figure; every combination of them is a cell."""

    figure: FigureName | None = Field(
        default=None, description="Which figure is drawn. Empty: the one named as the study."
    )
    models: list[str] = Field(min_length=1)
    pairs: list[str] = Field(
        min_length=1, description="Labels of `pairs`, or groups such as `de-en+es-en`, which one cell is trained on."
    )
    sizes: list[str] = Field(min_length=1)
    methods: list[str] = Field(min_length=1)
    budgets: list[str] = Field(default=[])
    seeds: list[NonNegativeInt] = Field(min_length=1)
    also: list[Block] = Field(default=[], description="More cells: each block's lists, and the study's for the others.")
    also_score: list[str] = Field(default=[], description="Other pairs that `figure: forgetting` scores its cells on.")
    distance_from: list[Language] = later(
        [ENGLISH], min_length=1, description="Languages that `figure: gain_kept` measures distances from."
    )
    metric: MetricName = Field(default=DEFAULT_METRIC, description="Metric that the figure shows.")
    stamp: str = Field(default="", description="Words to print on the figure, such as what it can't show.")

    @property
    def members(self) -> list[str]:
        """Labels of all pairs that it trains on, those of groups one by one, each once."""
        return list(dict.fromkeys(member for pair in self.pairs for member in members_of(pair)))

    @property
    def blocks(self) -> list[Self]:
        """The study as several without `also`: its own lists, then those of each block."""
        own = self.model_copy(update={"also": []})
        given = ({key: labels for key, labels in vars(block).items() if labels is not None} for block in self.also)
        return [own, *(own.model_copy(update=lists) for lists in given)]

    def labels(self, name: str) -> list[str]:
        """Labels of one of its lists, such as `methods`, with those that `also` adds, each once."""
        return list(dict.fromkeys(label for block in self.blocks for label in getattr(block, name)))


def study_cells(configuration: "Configuration", study: Study) -> list[Cell]:
    """Return the cells of one study, each once, in the order of its lists; those of `also` come last."""
    blocks = ((*_combinations(configuration, block), *_untouched_cells(block)) for block in study.blocks)
    return list(dict.fromkeys(cell for block in blocks for cell in block))


@lru_cache(maxsize=4)
def all_cells(configuration: "Configuration") -> tuple[Cell, ...]:
    """Return the cells of all studies and those from which they start, each once."""
    studies = configuration.studies.values()
    own = dict.fromkeys(cell for study in studies for cell in study_cells(configuration, study))
    return tuple(with_parents(configuration, own))


@lru_cache(maxsize=64)
def drawn_cells(configuration: "Configuration", label: str) -> tuple[Cell, ...]:
    """Return the cells that a figure is drawn from: those of its study, with all seeds that any study has of them.

    So a system has the same score in every figure, which is the one that claims are tested on. The figure `efficiency`
    is drawn from all cells.
    """
    if label == EFFICIENCY:
        return all_cells(configuration)
    own = study_cells(configuration, configuration.studies[label])
    systems = set(map(system_labels, own))
    more = (cell for cell in all_cells(configuration) if system_labels(cell) in systems)
    return tuple(dict.fromkeys([*own, *more]))


def study_others(configuration: "Configuration", label: str) -> list[OnPair]:
    """Return the fine-tuned cells of a figure, on the other pairs (`also_score`) that its study scores them on.

    Only a fine-tuned model can have forgotten something: the untouched model has cells of its own on every pair, and a
    model that was trained from random weights could translate no pair before.
    """
    pairs = list(dict.fromkeys(configuration.studies[label].also_score)) if label in configuration.studies else []
    cells = drawn_cells(configuration, label) if pairs else ()
    tuned = [cell for cell in cells if is_tuned(configuration, cell)]
    return [OnPair(cell, pair) for cell in tuned for pair in pairs if pair not in cell.members]


def untouched_elsewhere(configuration: "Configuration", label: str) -> list[Cell]:
    """Return the cells of the untouched models on the other pairs of a study, to which forgetting is compared."""
    wanted = {untouched(cell.model, pair) for cell, pair in study_others(configuration, label)}
    return [cell for cell in drawn_cells(configuration, label) if cell in wanted]


def all_others(configuration: "Configuration") -> list[OnPair]:
    """Return the cells of all studies on the other pairs that they are scored on, each once."""
    return list(dict.fromkeys(other for label in configuration.studies for other in study_others(configuration, label)))


def represented_cells(configuration: "Configuration", label: str) -> Sequence[Cell]:
    """Return the cells of a study whose representations its figure shows; none where it shows something else."""
    return drawn_cells(configuration, label) if needs_table(configuration, label, REPRESENTATIONS_TABLE) else ()


def served_cells(configuration: "Configuration", label: str) -> Sequence[Cell]:
    """Return the cells of a study that its figure shows served with experts; none where it shows something else."""
    return drawn_cells(configuration, label) if needs_table(configuration, label, SERVING_TABLE) else ()


def is_tuned(configuration: "Configuration", cell: Cell) -> bool:
    """Return whether a cell is a base model after fine-tuning."""
    method = method_for(configuration.methods[cell.method])
    return method.trains != "none" and not method.from_scratch


def untouched(model: str, pair: str) -> Cell:
    """Return the cell of a base model on a pair before any fine-tuning."""
    return Cell(model, pair, ANY, NONE, ANY, ANY)


def system_labels(cell: Cell) -> tuple[str, ...]:
    """Return the labels that the cells of one system share: all but the seed."""
    return cell.labels[:-1]


def budget_labels(configuration: "Configuration", study: Study, method: str) -> Sequence[str]:
    """Return the budget labels of a method in a study: those of the study, or the one that the method always has."""
    fixed = method_for(configuration.methods[method]).budget_labels
    return study.labels("budgets") if fixed is None else fixed


def _combinations(configuration: "Configuration", study: Study) -> Iterator[Cell]:
    """Yield every combination; dimensions that mean nothing for a method carry the label `any`."""
    for method in study.methods:
        free = method_for(configuration.methods[method]).ignores
        budgets = budget_labels(configuration, study, method)
        seeds = [str(seed) for seed in study.seeds]
        pairs = _pairs_of(configuration, study, method)
        for labels in product(study.models, pairs, study.sizes, [method], budgets, seeds):
            canonical = (ANY if name in free else label for name, label in zip(DIMENSIONS, labels, strict=True))
            yield Cell(*canonical)


def _pairs_of(configuration: "Configuration", study: Study, method: str) -> list[str]:
    """Return pairs and groups of a study; for a method that trains nothing, the pairs of groups one by one."""
    trains = method_for(configuration.methods[method]).trains
    return study.members if trains == "none" else study.pairs


def _untouched_cells(study: Study) -> list[Cell]:
    """Return the untouched models on all pairs of a study of forgetting, whether it names the method `none` or not."""
    pairs = (*study.members, *study.also_score) if study.also_score else ()
    return [untouched(model, pair) for model, pair in product(study.models, pairs)]


def rate_classes(configuration: "Configuration") -> list[tuple[str, str, str, str]]:
    """Return model, size, method and budget of all cells whose learning rate is searched for, each once."""
    searched = [cell for cell in all_cells(configuration) if search_of(configuration, cell.method)]
    return list(dict.fromkeys((cell.model, cell.size, cell.method, cell.budget) for cell in searched))


def mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find studies without a figure, with unknown labels, or without what their figure needs."""
    if not configuration.studies:
        yield "'studies' has no study; write one, or leave one in."
    for label, study in configuration.studies.items():
        if (study.figure or label) not in study_figures():
            yield f"'studies.{label}.figure' is missing; write which figure is drawn: {listed(study_figures())}."
        yield from _also_score_mistakes(configuration, label)
        yield from _representation_mistakes(configuration, label)
        yield from _metric_mistakes(configuration, label)
        yield from distance_mistakes(f"studies.{label}.distance_from", study.distance_from)
        places = (f"studies.{label}", *(f"studies.{label}.also.{number}" for number, _ in enumerate(study.also)))
        for place, written, whole in zip(places, (study, *study.also), study.blocks, strict=True):
            yield from _label_mistakes(configuration, place, written)
            for method in whole.methods:
                yield from _missing_rates(configuration, f"studies.{label}", whole, method)
            sized = [name for name in whole.methods if is_budgeted(configuration, name)]
            if sized and not whole.budgets:
                yield f"'{place}' has no cells for {listed(sized)}, which need a budget; write '{place}.budgets'."
        yield from _equal_labels(configuration, label, study)


def _label_mistakes(configuration: "Configuration", key: str, written: Study | Block) -> Iterator[str]:
    """Find labels that no section has, and labels that stand twice in a list."""
    for label in written.pairs or ():
        yield from pair_mistakes(configuration, f"{key}.pairs", label)
    for catalogue in ("models", "sizes", "methods", "budgets"):
        labels = getattr(written, catalogue) or ()
        yield from unknown(f"{key}.{catalogue}", labels, getattr(configuration, catalogue), catalogue)
    for name in LISTS:
        yield from named_twice(f"{key}.{name}", getattr(written, name, None) or ())


def _missing_rates(configuration: "Configuration", key: str, study: Study, method: str) -> Iterator[str]:
    """Find sizes of a study for which a method has learning rates by size, but none for them."""
    rates = getattr(configuration.methods.get(method), "learning_rate", None)
    if isinstance(rates, dict) and "default" not in rates:
        for size in sorted(set(study.sizes) - set(rates)):
            yield f"'methods.{method}.learning_rate' has no rate for size '{size}' of '{key}'; add it or 'default'."


def _equal_labels(configuration: "Configuration", label: str, study: Study) -> Iterator[str]:
    """Find labels of a study that mean the same, so that its figure would show one system as two."""
    for name in ("budgets", "sizes"):
        catalogue, meant = getattr(configuration, name), {}
        for used in study.labels(name):
            if used in catalogue:
                meant.setdefault(catalogue[used], []).append(used)
        for value, labels in meant.items():
            if len(labels) > 1:
                meaning = f"{value:.3%}" if name == "budgets" else f"{value.pairs} pairs with {value.updates} updates"
                yield f"'studies.{label}.{name}' names {listed(labels)}, which are all {meaning}; take out all but one."


def _also_score_mistakes(configuration: "Configuration", label: str) -> Iterator[str]:
    """Find other pairs that no figure would show, that are unknown, or that the study fine-tunes on."""
    study, key = configuration.studies[label], f"studies.{label}.also_score"
    is_drawn = needs_table(configuration, label, OTHERS_TABLE)
    if is_drawn and not study.also_score:
        yield f"'{key}' is missing; write the pairs on which it is seen what tuning on others costs."
    if not study.also_score:
        return
    if not is_drawn:
        yield f"'{key}' is for another figure; write a study of its own with figure: forgetting; cells are shared."
    yield from unknown(key, study.also_score, configuration.pairs, "pairs")
    if NONE not in configuration.methods:
        yield f"'{key}' compares with the untouched model, which 'methods' lacks; add 'none: {{method: none}}' there."
    tuned = set(study.labels("pairs"))
    if len(tuned) == 1 and set(study.also_score) <= {*members_of(*tuned)}:
        own = listed(sorted({*study.also_score}))
        yield f"'{key}' names {own} alone, which the study tunes on; write another pair."


def distance_mistakes(key: str, languages: Sequence[str]) -> Iterator[str]:
    """Find languages that no distance is known from."""
    for language in languages:
        if main_language(language) not in languages_with_distances():
            known = listed(sorted(languages_with_distances()))
            yield f"'{key}' names '{language}', from which no distance is known; write one of {known}."


def _representation_mistakes(configuration: "Configuration", label: str) -> Iterator[str]:
    """Find methods without representations, and groups, in a study of them; and one without the untouched model."""
    if not needs_table(configuration, label, REPRESENTATIONS_TABLE):
        return
    study = configuration.studies[label]
    key = f"studies.{label}.methods"
    named = set(study.labels("methods"))
    for method in sorted(named & set(configuration.methods)):
        if configuration.methods[method].method == RETRIEVAL:
            yield f"'{key}' names '{method}', which has no model and so no representations; take it out."
        if configuration.methods[method].method == IN_CONTEXT:
            yield (
                f"'{key}' names '{method}', which is the untouched model with examples before each source, and "
                "representations are measured without these; take it out."
            )
    for pair in (pair for pair in study.labels("pairs") if JOIN in pair):
        yield (
            f"'studies.{label}.pairs' has the group '{pair}', but representations are measured on the pair of a cell; "
            "take it out."
        )
    if NONE not in named:
        yield f"'{key}' lacks '{NONE}', the untouched model, which the figure compares with; add it."


def _metric_mistakes(configuration: "Configuration", label: str) -> Iterator[str]:
    """Find metrics that the figure of a study can't show."""
    study, key = configuration.studies[label], f"studies.{label}.metric"
    figure = figure_of(configuration, label)
    yield from metric_mistakes(configuration, key, study.metric)
    if needs_table(configuration, label, SERVING_TABLE) and METRICS[study.metric].has_own_step:
        yield (
            f"'{key}' is '{study.metric}', which scores no cells that are decoded with some of their experts; write "
            f"{either(metrics_of(configuration))}."
        )
    if needs_table(configuration, label, OTHERS_TABLE) and METRICS[study.metric].has_own_step:
        yield (
            f"'{key}' is '{study.metric}', which scores no other pairs than those that are tuned; write "
            f"{either(metrics_of(configuration))}."
        )
    if figure and figure.shows == "measurements" and study.metric != DEFAULT_METRIC:
        yield f"'{key}' is '{study.metric}', but the figure '{figure.name}' shows no scores; take the key out."

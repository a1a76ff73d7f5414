"""What cells cost: in closed form, scaled by what finished cells cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from mtpeft.analysis.read_tables import COSTS
from mtpeft.cells import RATE_LABELS, Cell
from mtpeft.config.schema import Configuration
from mtpeft.front.advise.finished import Finished
from mtpeft.front.advise.request import SEED, share_of
from mtpeft.front.prices.costs import Costs
from mtpeft.front.prices.measured import Measured, measured_here
from mtpeft.front.prices.storage import memory_of
from mtpeft.front.prices.text import text_of
from mtpeft.front.prices.work import (
    decoding_work,
    kind_of_cell,
    search_of_rate,
    shape_of,
    sizes_of,
    trained_in,
    training_of,
)
from mtpeft.methods import METHODS
from mtpeft.models.operations import FLOAT_BYTES
from mtpeft.steps.search_rate import needs_search

MEGABYTE = 1e6
NO_HOST = "a table"


@dataclass(frozen=True)
class Cost:
    """What a cell costs.

    Attributes:
        memory: bytes of the process that trains it, at their most.
        seconds: that its training takes.
        stored: bytes of its tuned weights.
        deployed: bytes of the tuned weights of all languages, with the base model where they need one.
    """

    memory: float
    seconds: float
    stored: float
    deployed: float


@dataclass(frozen=True)
class Scale:
    """How what was measured of a finished cell compares with closed form.

    Attributes:
        model, method: its labels.
        memory: bytes that were measured beyond those of the tensors.
        stored: bytes that were stored for each in closed form.
    """

    model: str
    method: str
    memory: float
    stored: float


@dataclass(frozen=True)
class Scales:
    """What scales costs in closed form.

    Attributes:
        configuration: of the cells.
        cells: finished cells that the configuration knows.
        times: costs of operations.
        is_here: whether times were measured here, and not where the tables were made.
    """

    configuration: Configuration
    cells: Sequence[Scale]
    times: Costs
    is_here: bool


def scales_of(configuration: Configuration, systems: Sequence[Finished]) -> Scales:
    """Return the scales by finished systems, of which those count whose labels mean the same in the configuration."""
    known = [own for own in systems if is_known(configuration, own)]
    here = measured_here(configuration)
    return Scales(
        configuration,
        [_scale(configuration, own) for own in known],
        Costs(here or [_measured(configuration, own) for own in known]),
        is_here=bool(here),
    )


def cell_of(system: Finished) -> Cell:
    """Return a cell of a system."""
    return Cell(system.model, system.pair, system.size, system.method, system.budget, SEED)


def is_known(configuration: Configuration, system: Finished) -> bool:
    """Return whether a configuration has the labels of a system, and means the same numbers by them.

    A system whose costs are not all in its table is not known either.
    """
    if not set(COSTS) <= set(system.costs):
        return False
    labels = (("models", system.model), ("pairs", system.pair), ("sizes", system.size), ("methods", system.method))
    if any(label not in getattr(configuration, section) for section, label in labels):
        return False
    method = METHODS[configuration.methods[system.method].method]
    if system.budget not in (method.budget_labels or configuration.budgets):
        return False
    share = share_of(configuration, cell_of(system))
    return configuration.sizes[system.size].pairs == system.pairs and abs((share or 0) - system.share) < 1e-6


def _scale(configuration: Configuration, system: Finished) -> Scale:
    cell = cell_of(system)
    trained = trained_in(configuration, cell)
    assert trained is not None
    return Scale(
        model=system.model,
        method=system.method,
        memory=system.costs["peak_memory_mb"] * MEGABYTE - memory_of(configuration, cell),
        stored=system.costs["stored_bytes"] / (FLOAT_BYTES * trained.stored),
    )


def _measured(configuration: Configuration, system: Finished) -> Measured:
    """Return what a row of a table says of the time that its cells took."""
    cell = cell_of(system)
    training, sizes = training_of(configuration, cell), sizes_of(configuration, cell.model)
    assert training is not None and sizes is not None
    test = text_of(configuration, cell.model, cell.pair, "test")
    speed = system.costs["decode_sentences_per_second"]
    return Measured(
        name=system.name,
        kind=kind_of_cell(configuration, cell),
        training=training,
        train_seconds=system.costs["train_seconds"],
        decoding=decoding_work(sizes, test, configuration.decoding),
        decode_seconds=test.sentences / speed if speed else 0.0,
        host=NO_HOST,
    )


def cost_of(scales: Scales, cell: Cell, languages: int) -> Cost:
    """Return what a cell costs.

    Args:
        scales: of finished cells.
        cell: whose model's shape is known.
        languages: for which its tuned weights are stored.
    """
    configuration = scales.configuration
    trained, shape = trained_in(configuration, cell), shape_of(configuration, cell.model)
    work = training_of(configuration, cell)
    assert trained is not None and shape is not None and work is not None
    alike = _alike(scales.cells, cell)
    stored = FLOAT_BYTES * trained.stored * (median(own.stored for own in alike) if alike else 1.0)
    base = 0 if METHODS[trained.options.method].trains == "full" else FLOAT_BYTES * shape.total
    return Cost(
        memory=memory_of(configuration, cell) + (median(own.memory for own in alike) if alike else 0.0),
        seconds=scales.times.price(kind_of_cell(configuration, cell), work).seconds,
        stored=stored,
        deployed=languages * stored + base,
    )


def _alike(cells: Sequence[Scale], cell: Cell) -> Sequence[Scale]:
    """Return the most similar finished cells: of the same model and method, or the same model, or all."""
    same_model = [own for own in cells if own.model == cell.model]
    return [own for own in same_model if own.method == cell.method] or same_model or cells


def seconds_to_run(scales: Scales, cell: Cell) -> float:
    """Return what running a cell takes: its training, its test set, and the search for a learning rate, if need be."""
    configuration = scales.configuration
    training, sizes = training_of(configuration, cell), sizes_of(configuration, cell.model)
    assert training is not None and sizes is not None
    test = decoding_work(sizes, text_of(configuration, cell.model, cell.pair, "test"), configuration.decoding)
    work, kind = training + test, kind_of_cell(configuration, cell)
    if needs_search(configuration, cell):
        searched, _, _ = search_of_rate(configuration, tuple(getattr(cell, name) for name in RATE_LABELS))
        work = work + searched if searched else work
    return scales.times.price(kind, work).seconds

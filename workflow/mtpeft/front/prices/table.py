"""The table of prices: what is left of each study, what it takes here and on GPUs, and what these figures rest on."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from mtpeft.cells import ANY, Cell
from mtpeft.config.schema import Configuration
from mtpeft.core.text_tables import aligned
from mtpeft.front.prices.costs import Costs, Price
from mtpeft.front.prices.gpus import BF16, GPUS, PRECISIONS, ComputedIn, Gpu, assumptions, seconds_on
from mtpeft.front.prices.jobs import BASE_MODELS, Job
from mtpeft.front.prices.limit import SECONDS_PER_HOUR
from mtpeft.front.prices.storage import Storage, storage_of
from mtpeft.front.prices.text import GIVEN_SENTENCES, text_of
from mtpeft.front.prices.work import sizes_of
from mtpeft.steps.cells_of_studies import placed_cells, placed_study_cells

GIGABYTE = 1e9
ALL = "all, each once"
UNKNOWN = "?"
"""Stands for the work of models whose shape is not known yet."""
NO_ROOM = "*"
"""Marks hours on a GPU that has less memory than the largest cell needs."""


@dataclass(frozen=True)
class Prices:
    """What a configuration's table of prices is made from.

    Attributes:
        configuration: of the studies.
        jobs: what is left to do.
        costs: of operations on this machine.
        cores: how many jobs of one thread run side by side.
    """

    configuration: Configuration
    jobs: Sequence[Job]
    costs: Costs
    cores: int


def prices_table(prices: Prices) -> str:
    """Write a row for what base models need, for each study without what those above it have, and for all of them."""
    header = (
        *("left to do", "trainings", "trials", "updates", "core hours", f"hours, CORES={prices.cores}"),
        *(f"{gpu.name} hours" for gpu in GPUS),
        *("disk GB", "memory GB", "of the largest cell"),
    )
    seen: set[Cell] = set()
    rows: list[Sequence[object]] = [header]
    rows += [_row(prices, BASE_MODELS, ())] if any(job.study == BASE_MODELS for job in prices.jobs) else []
    for label, study in prices.configuration.studies.items():
        cells = placed_study_cells(prices.configuration, study)
        rows.append(_row(prices, label, [cell for cell in cells if cell not in seen]))
        seen.update(cells)
    return aligned([*rows, _row(prices, ALL, placed_cells(prices.configuration))])


def _row(prices: Prices, label: str, cells: Iterable[Cell]) -> Sequence[object]:
    jobs = [job for job in prices.jobs if label in (job.study, ALL)]
    known = [(job, job.work) for job in jobs if job.work is not None]
    mark = UNKNOWN if len(known) < len(jobs) else ""
    storage = storage_of(prices.configuration, cells, at_once=prices.cores)
    updates = sum(work.updates for _, work in known)
    core_hours = sum(prices.costs.price(job.kind, work).seconds for job, work in known) / SECONDS_PER_HOUR
    return (
        label,
        sum(job.trainings for job in jobs) or ".",
        _trials(jobs),
        _marked(f"{updates:,.0f}" if updates else ".", mark),
        _marked(_number(core_hours), mark),
        _marked(_number(core_hours / prices.cores), mark),
        *(_marked(_number(_gpu_hours(prices.configuration, gpu, jobs)), _room(gpu, storage) + mark) for gpu in GPUS),
        _marked(_number((storage.stored + storage.states) / GIGABYTE), UNKNOWN if storage.unknown else ""),
        _marked(_number(storage.memory / GIGABYTE), UNKNOWN if storage.unknown else ""),
        storage.largest.path if storage.largest else ".",
    )


def _trials(jobs: Iterable[Job]) -> str:
    least, most = (sum(own) for own in zip(*((0, 0), *(job.trials for job in jobs)), strict=True))
    return f"{least} to {most}" if most > least else f"{most or '.'}"


def _gpu_hours(configuration: Configuration, gpu: Gpu, jobs: Iterable[Job], precision: str = "") -> float:
    """Return the hours that jobs of known work take on a GPU, in a precision or in those of the configuration."""
    given, total = (configuration.training.precision, configuration.decoding.precision), 0.0
    for job in jobs:
        model = sizes_of(configuration, job.model) if job.model in configuration.models else None
        if job.work is not None and model is not None:
            own = BF16 if configuration.models[job.model].precision == "bfloat16" else precision
            total += seconds_on(gpu, job.work, model, ComputedIn(*((own, own) if own else given)))
    return total / SECONDS_PER_HOUR


def _room(gpu: Gpu, storage: Storage) -> str:
    return NO_ROOM if storage.memory > gpu.gigabytes * GIGABYTE else ""


def _marked(number: str, mark: str) -> str:
    return f"{number}{mark}" if number != "." or not mark else mark


def _number(value: float) -> str:
    """Write a number with two digits at least, and a dot for nothing."""
    if not value:
        return "."
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2g}"


def notes(prices: Prices) -> Iterator[str]:
    """Write what the table counts, what its hours rest on, and how far estimates of finished cells are off."""
    configuration = prices.configuration
    yield "A study has what no study above it has; what is finished costs nothing."
    yield "Trials of searches are the least and the most; their hours are those of one rate more than the candidates."
    yield "Text, scores and the start of processes are not counted. Memory is that of tensors; libraries take more."
    if any(job.kind.with_experts for job in prices.jobs):
        yield "What experts and their routers take to be made is counted in operations, and was not measured."
    models = {job.model for job in prices.jobs if job.work is None}
    if models:
        named = ", ".join(sorted(models))
        yield f"{UNKNOWN}: of {named} nothing is known before the model is fetched, which `make plan CALIBRATE=1` does."
    if any(_is_assumed(configuration, cell) for cell in placed_cells(configuration)):
        yield (
            "Some text is not here yet: its sentences are taken to be as long as the mean of the shortest and the "
            f"longest that is drawn, and a dev or test set of its own to have {GIVEN_SENTENCES:,} sentences."
        )
    yield from _basis(prices)
    yield from errors(prices.costs)
    yield assumptions()
    yield from _precisions(prices)
    if any(_room(gpu, storage_of(configuration, placed_cells(configuration), at_once=1)) for gpu in GPUS):
        yield f"{NO_ROOM}: the largest cell needs more memory than this GPU has; smaller micro-batches may help."


def _is_assumed(configuration: Configuration, cell: Cell) -> bool:
    """Return whether nothing says how long the text of a cell is, or of how many sentences its dev set."""
    return cell.model != ANY and any(text_of(configuration, cell.model, pair, "dev").assumed for pair in cell.members)


def _basis(prices: Prices) -> Iterator[str]:
    """Say what the hours here rest on, by their share."""
    parts: dict[str, float] = defaultdict(float)
    for job in prices.jobs:
        price = prices.costs.price(job.kind, job.work) if job.work is not None else Price(0.0, {})
        for words, seconds in price.rests_on.items():
            parts[words] += seconds
    total = sum(parts.values())
    shares = sorted(parts.items(), key=lambda own: -own[1])
    if total:
        yield "Hours here rest on: " + ", ".join(f"{words} ({own / total:.0%})" for words, own in shares) + "."


def errors(costs: Costs) -> Iterator[str]:
    """Say how estimates of finished cells compare with what they took, each by all others."""
    ratios = costs.ratios_of_cells()
    if ratios:
        yield (
            f"Estimates of {len(ratios)} finished cells, each by what else was measured, against what they took: "
            f"{median(ratios):.2f} in the median, {min(ratios):.2f} to {max(ratios):.2f}."
        )


def _precisions(prices: Prices) -> Iterator[str]:
    """Say what all would cost in each precision."""
    hours = {
        precision: [_gpu_hours(prices.configuration, gpu, prices.jobs, precision) for gpu in GPUS]
        for precision in PRECISIONS
    }
    if not any(any(own) for own in hours.values()):
        return
    named = (
        f"{precision} {', '.join(f'{gpu.name} {_number(own)}' for gpu, own in zip(GPUS, found, strict=True))}"
        for precision, found in hours.items()
    )
    own = prices.configuration.training.precision, prices.configuration.decoding.precision
    yield f"By the precision of training and decoding, which are {' and '.join(own)}: {'; '.join(named)}."

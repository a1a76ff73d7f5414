"""What of a configuration is left to compute, each thing once, in the order in which a sweep does it.

Counted are base models that are trained here, dev scores of untouched models, searches for learning rates, cells,
cells on other pairs than their own, and cells that are served with experts. Text, scores, tables and the start of
processes are not, which take a few per cent of the time of small models.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from mtpeft.cells import ANY, RATE_LABELS, Cell, OnPair, Served
from mtpeft.config import corpora
from mtpeft.config.model_origins import ancestors
from mtpeft.config.schema import Configuration
from mtpeft.config.serving import active_experts
from mtpeft.config.start_from import with_parents
from mtpeft.config.studies import served_cells, study_cells, study_others
from mtpeft.core.options import DecodingOptions
from mtpeft.front.prices.serving import making_experts
from mtpeft.front.prices.text import mean_text, text_of
from mtpeft.front.prices.work import (
    FLOAT32,
    Kind,
    Work,
    decoding_work,
    evaluation_of,
    evaluation_work,
    forward_work,
    kind_of,
    kind_of_cell,
    search_of_rate,
    shape_of,
    sizes_of,
    trained_by,
    training_of,
    update_work,
)
from mtpeft.methods import method_for
from mtpeft.steps.base_models import base_file, model_name
from mtpeft.steps.cells_of_studies import places, priority
from mtpeft.steps.evaluate_base import start_file
from mtpeft.steps.freshness import current_records, served_records_now
from mtpeft.steps.search_rate import needs_search, rates_file
from mtpeft.steps.split_experts import experts_name
from mtpeft.steps.train import placed

BASE_MODELS = "base models"
"""In the place of a study, for what base models need before any study."""
FULL, UNTRAINED = "full", "none"
"""Methods of base models that are made here, and of those that nothing has touched."""
MANY = 10**9
"""Pairs of a text for pre-training, of which batches are as full as they can be."""

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True)
class Job:
    """Something that is left to do.

    Attributes:
        name: of the job, for people.
        study: the first that needs it, or `BASE_MODELS`.
        model: label of the model.
        kind: of its work.
        work: None where the model's shape is not known before it is fetched.
        trainings: number of trainings that are no trials.
        trials: the least and the most trials of a search.
        is_cell: whether it is a cell.
        makes: records that it makes: of a cell that of its training, then those of its decodings.
        decoding: the part of the work of a cell that follows its training.
    """

    name: str
    study: str
    model: str
    kind: Kind
    work: Work | None
    trainings: int = 0
    trials: tuple[int, int] = (0, 0)
    is_cell: bool = False
    makes: tuple[str, ...] = ()
    decoding: Work = field(default_factory=Work)


def jobs_left(configuration: Configuration) -> list[Job]:
    """List what is left to do, in the order of a sweep: base models first, then by the priority of the jobs."""
    known, ranked = places(configuration), []
    for label, cell in _first_studies(configuration):
        if job := _cell_left(configuration, label, cell):
            ranked.append((priority(known, "train", cell.named), job))
    for label, cell in _first_searches(configuration):
        if not Path(rates_file(configuration, cell)).exists():
            ranked.append((priority(known, "search_rate", cell.named), _search(configuration, label, cell)))
    for label, other in _first_others(configuration):
        if "decode" not in current_records(configuration, *other):
            labels = {**other.cell.named, "other": other.pair}
            ranked.append((priority(known, "decode_other", labels), _decoding(configuration, label, other)))
    for label, cell in _first_served(configuration):
        for step, job in _serving(configuration, label, cell):
            ranked.append((priority(known, step, cell.named), job))
    ranked.sort(key=lambda own: -own[0])
    return [*_base_models(configuration), *(job for _, job in ranked)]


def _with_first_study(configuration: Configuration, of_study: Callable[[str], Iterable[T]]) -> Iterator[tuple[str, T]]:
    """Yield whatever studies have, each once, with the first study that has it."""
    seen: set[T] = set()
    for label in configuration.studies:
        for own in of_study(label):
            if own not in seen:
                seen.add(own)
                yield label, own


def _first_studies(configuration: Configuration) -> Iterator[tuple[str, Cell]]:
    """Yield each cell once, with the first study that has it."""

    def cells(label: str) -> Iterable[Cell]:
        return with_parents(configuration, study_cells(configuration, configuration.studies[label]))

    for label, cell in _with_first_study(configuration, cells):
        yield label, placed(configuration, cell)


def _first_searches(configuration: Configuration) -> Iterator[tuple[str, Cell]]:
    """Yield a cell of each search whose rate no table has, with the first study that needs it."""
    seen: set[str] = set()
    for label, cell in _first_studies(configuration):
        if needs_search(configuration, cell) and (file := rates_file(configuration, cell)) not in seen:
            seen.add(file)
            yield label, cell


def _first_others(configuration: Configuration) -> Iterator[tuple[str, OnPair]]:
    """Yield each cell on each other pair that it is scored on, with the first study that does so."""
    for label, other in _with_first_study(configuration, partial(study_others, configuration)):
        yield label, OnPair(placed(configuration, other.cell), other.pair)


def _first_served(configuration: Configuration) -> Iterator[tuple[str, Cell]]:
    """Yield each cell that is served with experts once, with the first study that shows it so."""
    for label, cell in _with_first_study(configuration, partial(served_cells, configuration)):
        yield label, placed(configuration, cell)


def _serving(configuration: Configuration, study: str, cell: Cell) -> Iterator[tuple[str, Job]]:
    """Yield the making of a cell's experts, and each decoding with some of them, by the names of their steps."""
    name, kind = experts_name(configuration), kind_of_cell(configuration, cell)
    served = [Served(cell, name, active) for active in active_experts(configuration)]
    current = [served_records_now(configuration, own) for own in served]
    if "split_experts" not in current[0]:
        work, made = making_experts(configuration, cell), (str(served[0].split / "experts.json"),)
        yield "split_experts", Job(f"the experts of {cell.path}", study, cell.model, kind, work, makes=made)
    for own, records in zip(served, current, strict=True):
        if "decode_with_experts" not in records:
            work, made = _decoded(configuration, cell.model, cell.pair), (str(own.folder / "served.json"),)
            told, with_experts = f"{cell.path} with {own.active} experts", replace(kind, with_experts=True)
            yield "decode_with_experts", Job(told, study, cell.model, with_experts, work, makes=made)


def _cell_left(configuration: Configuration, study: str, cell: Cell) -> Job | None:
    """Return what is left to do for a cell on its own pairs, or None."""
    records = {measured.pair: current_records(configuration, *measured) for measured in cell.measured}
    undecoded = [pair for pair, own in records.items() if "decode" not in own]
    untrained = any("train" not in own for own in records.values())
    if not undecoded and not untrained:
        return None
    is_trained = method_for(configuration.methods[cell.method]).trains != "none"
    parts = [_decoded(configuration, cell.model, pair) for pair in undecoded]
    decoding = _together(parts)
    if untrained and is_trained:
        parts.append(training_of(configuration, cell))
    return Job(
        name=cell.path,
        study=study,
        model=cell.model,
        kind=kind_of_cell(configuration, cell),
        work=_together(parts),
        trainings=int(untrained and is_trained),
        is_cell=True,
        makes=(f"{cell.folder}/train.json", *(f"{OnPair(cell, pair).folder}/decode.json" for pair in undecoded)),
        decoding=decoding or Work(),
    )


def _search(configuration: Configuration, study: str, cell: Cell) -> Job:
    labels = tuple(getattr(cell, name) for name in RATE_LABELS)
    work, least, most = search_of_rate(configuration, labels)
    return Job(
        f"the search for the rate of {'/'.join(labels)}",
        study,
        cell.model,
        kind_of_cell(configuration, cell),
        work,
        trials=(least, most),
        makes=(rates_file(configuration, cell),),
    )


def _decoding(configuration: Configuration, study: str, other: OnPair) -> Job:
    work = _decoded(configuration, other.cell.model, other.pair)
    return Job(
        f"{other.cell.path} on {other.pair}",
        study,
        other.cell.model,
        kind_of_cell(configuration, other.cell),
        work,
        makes=(f"{other.folder}/decode.json",),
    )


def _decoded(configuration: Configuration, model: str, pair: str) -> Work | None:
    """Return the work of translating all test sets of a pair; None before a model is fetched.

    Retrieval, which has no model, takes no work that is worth counting.
    """
    if model == ANY:
        return Work()
    if (sizes := sizes_of(configuration, model)) is None:
        return None
    texts = [text_of(configuration, model, pair, name) for name in corpora.test_sets(configuration, pair)]
    return sum((decoding_work(sizes, text, configuration.decoding) for text in texts), start=Work())


def _together(parts: Iterable[Work | None]) -> Work | None:
    """Add works; None where one of them is not known."""
    own = list(parts)
    known = [part for part in own if part is not None]
    return sum(known, start=Work()) if len(known) == len(own) else None


def _base_models(configuration: Configuration) -> Iterator[Job]:
    """Yield the trainings of base models of the studies, and their dev scores before anything of them is trained."""
    cells = [cell for _, cell in _first_studies(configuration) if cell.model != ANY]
    for model in dict.fromkeys(own for cell in cells for own in reversed(ancestors(configuration, cell.model))):
        entry = configuration.models[model]
        if (entry.pretrain or entry.healing) and not Path(base_file(configuration, model)).exists():
            work = _making(configuration, model)
            kind = kind_of(model_name(configuration, model), {"method": FULL}, FLOAT32)
            made = (base_file(configuration, model),)
            yield Job(f"the base model {model}", BASE_MODELS, model, kind, work, trainings=1, makes=made)
    for model, pair in dict.fromkeys((cell.model, pair) for cell in cells for pair in cell.members):
        if not Path(start_file(configuration, model, pair)).exists():
            work = _dev_score(configuration, model, pair)
            kind = kind_of(model_name(configuration, model), {"method": UNTRAINED}, FLOAT32)
            made = (start_file(configuration, model, pair),)
            yield Job(f"the dev score of {model} on {pair}", BASE_MODELS, model, kind, work, makes=made)


def _dev_score(configuration: Configuration, model: str, pair: str) -> Work | None:
    """Return the work of translating dev with an untouched model; None before it is fetched."""
    if (sizes := sizes_of(configuration, model)) is None:
        return None
    dev, reads = text_of(configuration, model, pair, "dev"), evaluation_of(configuration)
    return evaluation_work(sizes, dev, configuration.decoding, reads)


def _making(configuration: Configuration, model: str) -> Work | None:
    """Return the work of pre-training a model, or of healing it; None before what it is made from is fetched."""
    shape, sizes, entry = shape_of(configuration, model), sizes_of(configuration, model), configuration.models[model]
    if shape is None or sizes is None:
        return None
    part = trained_by({"method": FULL}, shape, None).part
    given = entry.pretrain or entry.healing
    pairs = entry.pretrain.pairs if entry.pretrain else [given.pair]
    text = mean_text(text_of(configuration, model, pair, "pretrain") for pair in pairs)
    updates = update_work(sizes, part, text, batch_tokens=given.batch_tokens, pairs=MANY).times(given.updates)
    if entry.pretrain and entry.pretrain.inherit:
        inherit = entry.pretrain.inherit
        if (teacher := sizes_of(configuration, inherit.model)) is None:
            return None
        asked = forward_work(teacher, text, batch_tokens=given.batch_tokens, pairs=MANY)
        return updates + asked.times(round(inherit.until * given.updates))
    if entry.pretrain:
        return updates
    dev = decoding_work(sizes, text_of(configuration, model, pairs[0], "dev"), DecodingOptions())
    return updates + dev.times(given.evaluations + 1)

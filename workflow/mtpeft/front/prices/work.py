"""The work of a training, of a decoding and of a search for a learning rate: operations, updates, steps of decoding."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any

from mtpeft.cells import RATE_LABELS, Cell
from mtpeft.config import rate_search
from mtpeft.config.methods import method_options, search_of, with_languages
from mtpeft.config.models import model_shape
from mtpeft.config.pairs import pair_languages
from mtpeft.config.schema import Configuration
from mtpeft.core.options import DecodingOptions
from mtpeft.front.prices.text import Text, mean_text, text_of, update_size
from mtpeft.methods import METHODS, options_of
from mtpeft.methods.base import MethodOptions
from mtpeft.methods.budget import Allocation, allocation_of
from mtpeft.methods.full import ScratchOptions
from mtpeft.methods.staged import stages_of
from mtpeft.methods.trained_part import trained_part
from mtpeft.models.architecture import ModelShape
from mtpeft.models.operations import TrainedPart, decoding_operations, training_operations

DECODED_TOKENS = 16384
"""Padded source tokens of a batch of decoding, each counted once per beam (see `mtpeft.decoding.search`)."""
LONGEST_HYPOTHESIS = 1.5
"""Tokens of the longest hypothesis of a batch against those of the mean one, by assumption."""
EXTENSIONS = 1
"""Rates that a search adds to its candidates: 70 searches of `workflow/rates.csv` tried 3.96 rates in the mean."""


@dataclass(frozen=True)
class Work:
    """Work of the same model, in units that cost about the same.

    Attributes:
        training: operations of updates.
        updates: number of updates.
        decoding: operations of translating sentences.
        steps: steps of decoding, each of which adds a token to every hypothesis of a batch.
    """

    training: float = 0.0
    updates: float = 0.0
    decoding: float = 0.0
    steps: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.training + other.training,
            self.updates + other.updates,
            self.decoding + other.decoding,
            self.steps + other.steps,
        )

    def times(self, number: float) -> "Work":
        """Return the same work done so many times."""
        return Work(self.training * number, self.updates * number, self.decoding * number, self.steps * number)


@dataclass(frozen=True)
class Trained:
    """What a system trains of its model.

    Attributes:
        options: of its method.
        allocation: sizes and number of trained parameters.
        part: what of it operations and memory depend on.
        stored: parameters that its cells store.
    """

    options: MethodOptions
    allocation: Allocation
    part: TrainedPart
    stored: int


@lru_cache(maxsize=256)
def shape_of(configuration: Configuration, model: str) -> ModelShape | None:
    """Return the shape of a model; None before it is fetched."""
    return model_shape(configuration, model)


def trained_in(configuration: Configuration, cell: Cell) -> Trained | None:
    """Return what a cell trains; None before its model is fetched, and for a cell that trains nothing."""
    shape = shape_of(configuration, cell.model) if cell.model in configuration.models else None
    if shape is None or METHODS[configuration.methods[cell.method].method].trains == "none":
        return None
    return _trained(configuration, cell.model, cell.method, cell.budget, cell.pair if cell.is_group else "")


@lru_cache(maxsize=4096)
def _trained(configuration: Configuration, model: str, method: str, budget: str, group: str) -> Trained:
    options = method_options(configuration, method)
    if group:
        sides = [pair_languages(configuration, member) for member in Cell(model, group, *[""] * 4).members]
        options = with_languages(options, [dict(zip(("source", "target"), own, strict=True)) for own in sides])
    shape = shape_of(configuration, model)
    assert shape is not None
    return trained_by(options, shape, configuration.budgets.get(budget))


def trained_by(params: Mapping[str, Any], shape: ModelShape, share: float | None) -> Trained:
    """Return what a method with these options trains of a model.

    Args:
        params: options of the method, as the params of a cell have them.
        shape: of the model.
        share: of its parameters, for a method that meets a budget.
    """
    method, options = METHODS[params["method"]], options_of(params)
    share = share if method.trains == "budgeted" else None
    allocation = allocation_of(method, options, shape, share=share)
    stored = method.stored_parameters
    return Trained(
        options=options,
        allocation=allocation,
        part=trained_part(method, options, shape, allocation),
        stored=stored(shape, options, allocation.sizes) if stored else allocation.trained,
    )


def training_of(configuration: Configuration, cell: Cell) -> Work | None:
    """Return the work of training a cell, with its evaluations on dev; None before its model is fetched."""
    trained, shape = trained_in(configuration, cell), shape_of(configuration, cell.model)
    if trained is None or shape is None:
        return None
    size, given = configuration.sizes[cell.size], configuration.training
    updates, evaluations = planned(trained.options, size.updates, given.evaluations)
    train, dev = (
        [text_of(configuration, cell.model, pair, part) for pair in cell.members] for part in ("train", "dev")
    )
    pairs = size.pairs * len(cell.members)
    own = update_work(shape, trained.part, mean_text(train), batch_tokens=given.batch_tokens, pairs=pairs)
    evaluated = sum((decoding_work(shape, text, configuration.decoding) for text in dev), start=Work())
    return own.times(updates) + evaluated.times(evaluations)


def planned(options: MethodOptions, updates: int, evaluations: int) -> tuple[int, int]:
    """Return the updates of a training and how often it decodes dev, if it does not stop early.

    Args:
        options: of the method; one that starts as the base model takes its dev score at the start from a record.
        updates: of the size.
        evaluations: of the section `training`.
    """
    longer = options.longer if isinstance(options, ScratchOptions) else 1
    stages, starts_as_base = len(stages_of(options)), METHODS[options.method].starts_as_base
    each = max(1, longer * evaluations // stages)
    return stages * (longer * updates // stages), stages * (each + 1) - starts_as_base


def update_work(shape: ModelShape, part: TrainedPart, text: Text, *, batch_tokens: int, pairs: float) -> Work:
    """Return the work of an update on a text, with batches of so many tokens, cut from so many pairs."""
    size = update_size(text, batch_tokens=batch_tokens, pairs=pairs)
    return Work(training=training_operations(shape, size, part), updates=1)


def decoding_work(shape: ModelShape, text: Text, search: DecodingOptions) -> Work:
    """Return the work of translating a text."""
    one = decoding_operations(shape, source=text.source, target=text.target, beam_size=search.beam_size)
    batches = ceil(text.sentences * text.source * search.beam_size / DECODED_TOKENS)
    return Work(decoding=text.sentences * one, steps=batches * LONGEST_HYPOTHESIS * text.target)


def search_of_rate(configuration: Configuration, labels: tuple[str, ...]) -> tuple[Work | None, int, int]:
    """Return the work of a search for a learning rate, and the least and the most of its trials.

    A search tries its candidates, then at most `extensions` rates more, each on every pair and seed of `rate_search`.
    The work is that of one rate more than the candidates.

    Args:
        configuration: of the study.
        labels: of the search, as `RATE_LABELS` has them.
    """
    named = dict(zip(RATE_LABELS, labels, strict=True))
    cells = rate_search.trial_cells(configuration, Cell(pair="", seed="", **named))
    searched, extensions = search_of(configuration, named["method"]), configuration.rate_search.extensions
    candidates = len(searched.search)
    works = [training_of(configuration, cell) for cell in cells]
    known = [work for work in works if work is not None]
    tried = candidates + min(EXTENSIONS, extensions)
    whole = sum(known, start=Work()).times(tried) if len(known) == len(works) else None
    return whole, candidates * len(cells), (candidates + extensions) * len(cells)

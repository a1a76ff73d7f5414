"""The work of a training, of a decoding and of a search for a learning rate: operations, updates, steps of decoding."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from typing import Any

from mtpeft.cells import ANY, RATE_LABELS, Cell
from mtpeft.config import rate_search
from mtpeft.config.methods import method_options, search_of, with_languages
from mtpeft.config.model_shapes import model_shape
from mtpeft.config.pairs import pair_languages
from mtpeft.config.schema import Configuration
from mtpeft.core.files import canonical
from mtpeft.core.options import DecodingOptions
from mtpeft.core.section import plain
from mtpeft.front.prices.text import Text, mean_text, text_of, update_size
from mtpeft.methods import method_for, method_of, options_of
from mtpeft.methods.base import MethodOptions
from mtpeft.methods.budget import Allocation, allocation_of
from mtpeft.methods.full import ScratchOptions
from mtpeft.methods.staged import stages_of
from mtpeft.methods.trained_part import trained_part
from mtpeft.models.architecture import ModelShape
from mtpeft.models.operations import (
    ModelSizes,
    TrainedPart,
    decoding_operations,
    forward_operations,
    model_sizes,
    training_operations,
)
from mtpeft.steps.base_models import model_name

DECODED_TOKENS = 16384
"""Padded source tokens of a batch of decoding, each counted once per beam (see `mtpeft.decoding.search`)."""
LONGEST_HYPOTHESIS = 1.5
"""Tokens of the longest hypothesis of a batch against those of the mean one, by assumption."""
FLOAT32 = "float32"
FULL = canonical({"method": "full"})
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
class Kind:
    """What work is alike in: its model and its method, whatever the budget.

    Attributes:
        model: name of the base model, with its digest.
        method: options of the method as canonical JSON; training from scratch is full fine-tuning.
        whole: whether the weights of the model itself are trained.
        precision: floats in which matrices are multiplied in training.
        with_experts: whether tokens have some of the experts of feed-forward blocks alone.
    """

    model: str
    method: str
    whole: bool
    precision: str
    with_experts: bool = False


def kind_of(model: str, options: Mapping[str, Any], precision: str) -> Kind:
    """Return the kind of a cell by the name of its model and the options of its method, as its params have them."""
    method = method_of(options)
    if method.trains == "full":
        return Kind(model, FULL, whole=True, precision=precision)
    own = {key: value for key, value in options.items() if key != "languages"}
    precision = FLOAT32 if method.trains == "none" else precision
    return Kind(model, canonical(own), whole=method.trains_base, precision=precision)


def kind_of_cell(configuration: Configuration, cell: Cell) -> Kind:
    """Return the kind of a cell of a configuration."""
    model = cell.model if cell.model == ANY else model_name(configuration, cell.model)
    return kind_of(model, method_options(configuration, cell.method), configuration.training.precision)


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


@lru_cache(maxsize=256)
def sizes_of(configuration: Configuration, model: str) -> ModelSizes | None:
    """Return the numbers of a model that operations follow from; None before it is fetched."""
    shape = shape_of(configuration, model)
    return model_sizes(shape) if shape else None


def trained_in(configuration: Configuration, cell: Cell) -> Trained | None:
    """Return what a cell trains; None before its model is fetched, and for a cell that trains nothing."""
    is_known = cell.model in configuration.models and shape_of(configuration, cell.model) is not None
    if not is_known or method_for(configuration.methods[cell.method]).trains == "none":
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
    method, options = method_of(params), options_of(params)
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
    trained, model = trained_in(configuration, cell), sizes_of(configuration, cell.model)
    if trained is None or model is None:
        return None
    size, given = configuration.sizes[cell.size], configuration.training
    updates, evaluations = planned(trained.options, size.updates, given.evaluations)
    train, dev = (
        [text_of(configuration, cell.model, pair, part) for pair in cell.members] for part in ("train", "dev")
    )
    pairs = size.pairs * len(cell.members)
    own = update_work(model, trained.part, mean_text(train), batch_tokens=given.batch_tokens, pairs=pairs)
    search, reads = configuration.decoding, evaluation_of(configuration)
    evaluated = sum((evaluation_work(model, text, search, reads) for text in dev), start=Work())
    return own.times(updates) + evaluated.times(evaluations)


def evaluation_of(configuration: Configuration) -> Mapping[str, Any]:
    """Return the options of reading dev during training, as params have them."""
    return plain(configuration.evaluation)


def evaluation_work(model: ModelSizes, dev: Text, search: DecodingOptions, reads: Mapping[str, Any]) -> Work:
    """Return the work of an evaluation on a dev set, of which a part may be read, with a beam size of its own."""
    sentences = min(dev.sentences, reads.get("sentences") or dev.sentences)
    beam_size = reads.get("beam_size") or search.beam_size
    return decoding_work(model, replace(dev, sentences=sentences), search.model_copy(update={"beam_size": beam_size}))


def planned(options: MethodOptions, updates: int, evaluations: int) -> tuple[int, int]:
    """Return the updates of a training and how often it decodes dev, if it does not stop early.

    Args:
        options: of the method; one that starts as the base model takes its dev score at the start from a record.
        updates: of the size.
        evaluations: of the section `training`.
    """
    longer = options.longer if isinstance(options, ScratchOptions) else 1
    stages, starts_as_base = len(stages_of(options)), method_for(options).starts_as_base
    each = max(1, longer * evaluations // stages)
    return stages * (longer * updates // stages), stages * (each + 1) - starts_as_base


def update_work(model: ModelSizes, part: TrainedPart, text: Text, *, batch_tokens: int, pairs: float) -> Work:
    """Return the work of an update on a text, with batches of so many tokens, cut from so many pairs."""
    size = update_size(text, batch_tokens=batch_tokens, pairs=pairs)
    return Work(training=training_operations(model, size, part), updates=1)


def forward_work(model: ModelSizes, text: Text, *, batch_tokens: int, pairs: float) -> Work:
    """Return the work of asking a model for the logits of a batch of an update, which it is not trained on."""
    return Work(training=forward_operations(model, update_size(text, batch_tokens=batch_tokens, pairs=pairs)))


def decoding_work(model: ModelSizes, text: Text, search: DecodingOptions) -> Work:
    """Return the work of translating a text."""
    one = decoding_operations(model, source=text.source, target=text.target, beam_size=search.beam_size)
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

"""The types of config.yaml: every key, its type, its default and what it means.

`workflow/schemas/config.schema.json` is made from these classes, so that editors can complete and check the file.
"""

import operator
from collections.abc import Iterable
from functools import reduce
from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, PrivateAttr, create_model

from mtpeft.cells import members_of
from mtpeft.config.comet_section import Comet
from mtpeft.config.corpora import Corpus
from mtpeft.config.figures import FigureName
from mtpeft.config.findings import Finding, Metric
from mtpeft.config.forms import Language, Probability, Share
from mtpeft.config.margins import Margin, Margins
from mtpeft.config.models import Model
from mtpeft.config.section import Section
from mtpeft.config.study_file import ALONE
from mtpeft.methods import METHODS
from mtpeft.methods.base import Method


class Pair(Section):
    """A translation direction; its label is `source-target` unless the two keys say otherwise."""

    corpus: str = Field(description="A label of `corpora`.")
    source: Language | None = Field(default=None, description="Language code of the source side.")
    target: Language | None = Field(default=None, description="Language code of the target side.")


class Size(Section):
    """An amount of fine-tuning data and the updates spent on it."""

    pairs: PositiveInt = Field(description="Sentence pairs; of one draw, smaller sizes are subsets of larger ones.")
    updates: PositiveInt = Field(description="Optimiser steps.")
    draws: Literal["by_seed", "fixed"] = Field(
        default="by_seed",
        description="Whether each seed draws its own sentence pairs, so that intervals are about more than one draw, "
        "or all seeds share one fixed draw.",
    )


class Training(Section):
    """Fine-tuning, the same for all methods."""

    batch_tokens: PositiveInt = Field(default=512, description="Padded tokens of a batch, on its longer side.")
    label_smoothing: Probability = 0.1
    dropout: Probability = 0.1
    warmup: Probability = Field(default=0.1, description="Share of the updates in which the rate rises.")
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip_norm: PositiveFloat = Field(default=1.0, description="Largest norm of a gradient.")
    temperature: Annotated[float, Field(ge=1)] = Field(
        default=1.0,
        description="Of a group of pairs: one with n sentence pairs has a share of the training in proportion to "
        "n^(1/temperature). 1: as many as there are; the higher, the more alike.",
    )
    evaluations: PositiveInt = Field(default=3, description="Times that the dev set is decoded, step 0 not counted.")


class Tuning(Section):
    """How learning rates are searched for, by the dev score, on text that no comparison uses."""

    pair: str | None = Field(default=None, description="Label of the pair to search on.")
    seed: NonNegativeInt | None = Field(default=None, description="Of the trials. Empty, without `seeds`: 0.")
    pairs: list[str] = Field(
        default=[], description="In the place of `pair`: several, such as a near language and a far one."
    )
    seeds: list[NonNegativeInt] = Field(
        default=[],
        description="In the place of `seed`: several. The rate with the best mean over pairs and seeds wins.",
    )
    widenings: NonNegativeInt = Field(
        default=4, le=20, description="Most rates to add, one after another, while the best lies at an end of the list."
    )
    table: str | None = Field(
        default=None, description="Results of earlier searches; those with the same settings are not made again."
    )

    @property
    def all_pairs(self) -> list[str]:
        """Labels of the pairs to search on."""
        return self.pairs or [pair for pair in (self.pair,) if pair is not None]

    @property
    def all_seeds(self) -> list[int]:
        """Seeds of the trials on each pair."""
        return self.seeds or [self.seed or 0]


class Decoding(Section):
    """Search, the same for every cell."""

    beam_size: PositiveInt = Field(default=1, le=100, description="1 is greedy.")
    length_penalty: float = Field(default=1.0, description="Exponent of the length in a beam hypothesis's score.")
    max_length_ratio: PositiveFloat = Field(
        default=2.0, le=100, description="Longest hypothesis, in source tokens, plus 10."
    )


class Block(Section):
    """Lists of labels that take the place of a study's own, such as more seeds for some of its methods."""

    models: list[str] | None = Field(default=None, min_length=1)
    pairs: list[str] | None = Field(default=None, min_length=1)
    sizes: list[str] | None = Field(default=None, min_length=1)
    methods: list[str] | None = Field(default=None, min_length=1)
    budgets: list[str] | None = None
    seeds: list[NonNegativeInt] | None = Field(default=None, min_length=1)


class Study(Section):
    """Lists of labels, drawn as one figure; every combination is a cell."""

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
    metric: Metric = Field(default="chrf", description="What the figure shows; `comet` where it is asked for.")
    stamp: str = Field(default="", description="Words to print on the figure, such as what it can't show.")

    @property
    def members(self) -> list[str]:
        """Labels of the pairs that it trains and scores on, those of groups one by one, each once."""
        return list(dict.fromkeys(member for pair in self.pairs for member in members_of(pair)))

    @property
    def blocks(self) -> list[Self]:
        """The study as studies of plain lists: its own, and those of `also`."""
        own = self.model_copy(update={"also": []})
        given = ({key: labels for key, labels in vars(block).items() if labels is not None} for block in self.also)
        return [own, *(own.model_copy(update=lists) for lists in given)]


def _entry_of(methods: Iterable[Method]) -> Any:
    """The type of an entry of `methods`: one of the options, told apart by `tuner`."""
    return Annotated[reduce(operator.or_, (method.options for method in methods)), Field(discriminator="tuner")]


MethodEntry = _entry_of(METHODS.values())


class Configuration(Section):
    """The whole of config.yaml. It equals nothing but itself, so that what follows from it can be worked out once."""

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    _study_file: str = PrivateAttr(default=ALONE)

    @property
    def study_file(self) -> str:
        """Name of the files that it was read from, under which its tables and figures lie."""
        return self._study_file

    def named(self, study_file: str) -> Self:
        """The same, read from files with this name."""
        self._study_file = study_file
        return self

    corpora: dict[str, Corpus]
    pairs: dict[str, Pair]
    sizes: dict[str, Size]
    models: dict[str, Model]
    method_modules: list[str] = Field(default=[], description="Python files that hold methods of your own.")
    methods: dict[str, MethodEntry]
    budgets: dict[str, Share]
    training: Training = Training()
    tuning: Tuning | None = None
    decoding: Decoding = Decoding()
    comet: Comet | None = Field(default=None, description="Scores of COMET beside chrF and BLEU. Empty: none.")
    margin: Margin = Field(
        default=Margins(),
        description="Difference within which two systems count as on par: of chrF, or one for each metric.",
    )
    studies: dict[str, Study]
    findings: dict[str, Finding] = Field(default={}, description="Claims that are tested on the cells of studies.")


def configuration_type() -> type[Configuration]:
    """The type of a configuration with all methods that are in the registry now, those from outside included."""
    if not any(method.module for method in METHODS.values()):
        return Configuration
    return create_model("Configuration", __base__=Configuration, methods=(dict[str, _entry_of(METHODS.values())], ...))

"""The types of config.yaml: every key, its type, its default and what it means.

`workflow/schemas/config.schema.json` is made from these classes, so that editors can complete and check the file.
"""

import operator
from collections.abc import Iterable
from functools import reduce
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt, create_model

from mtpeft.cells import members_of
from mtpeft.config.comet_section import Comet
from mtpeft.config.findings import Finding
from mtpeft.config.forms import MEMBERS, SHA256, DatasetId, Language, Probability, Share
from mtpeft.config.models import Model
from mtpeft.config.section import Section
from mtpeft.methods import METHODS
from mtpeft.methods.base import Method

# Data records of models hold the description of files. One that was written before there was a form must stay equal.
LaterForm = Annotated[str | None, Field(exclude_if=lambda path: path is None)]


class Wheel(Section):
    """Message catalogues inside a Python wheel, which is downloaded and read, never installed."""

    version: str = Field(description="Exact version.")
    sha256: str = Field(pattern=SHA256, description="Hash of the wheel file.")
    format: Literal["json", "gettext"] = Field(description="Format of the catalogues.")
    members: str = Field(pattern=MEMBERS, description="Where they lie, with {language}, * and ** in it.")
    languages: dict[Language, str] = Field(default={}, description="What the wheel calls a language, where it differs.")
    python: str | None = Field(default=None, description="Python version that the wheel asks for, where ours is older.")


class TextFiles(Section):
    """Files of one part of a corpus: one per language, line-aligned, or one that holds all languages.

    Each may be compressed, with a name that ends with .gz, .xz or .zst.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[Language, str]

    tsv: str | None = Field(default=None, description="A tab-separated file.")
    csv: LaterForm = Field(default=None, description="A comma-separated file with quotes as in RFC 4180.")
    jsonl: LaterForm = Field(default=None, description="A file with one JSON object per line.")
    tmx: LaterForm = Field(default=None, description="A translation memory; 'written_in' of the corpus is needed.")
    columns: dict[Language, str | int] = Field(
        default={}, description="Column of each language: header or number, or the key in JSON, as translation.sw."
    )

    @property
    def both_sides(self) -> dict[str, str]:
        """The file that holds all languages, by its form; more than one is a mistake."""
        forms = ("tsv", "csv", "jsonl", "tmx")
        return {form: path for form in forms if (path := getattr(self, form))}

    @property
    def sides(self) -> dict[str, str]:
        """The files of one language each."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def languages(self) -> list[str] | None:
        """The languages that are named, or None where the file itself says which it has."""
        return None if self.tmx else list(self.columns or self.sides)


class Datasets(Section):
    """Published text by mtdata's ids; those of a part are put together.

    {foreign} in an id is the language of each pair that the corpus was not written in.
    """

    train: list[DatasetId] = Field(min_length=1, description="Ids of the text; all of it, or the training part.")
    dev: list[DatasetId] = Field(default=[], description="Ids of the dev set; otherwise we split.")
    test: list[DatasetId] = Field(default=[], description="Ids of the test set; otherwise we split.")
    sha256: dict[DatasetId, Annotated[str, Field(pattern=SHA256)]] = Field(
        default={}, description="Hash of the file that is downloaded for an id; of two files, one after the other."
    )


class Cleaning(Section):
    """What is done to training text. Empty keys have the value that is usual for the kind of corpus: messages of
    catalogues are full of markup and labels, files and datasets are taken for prose, of which nothing is changed.
    """

    max_characters: PositiveInt | None = Field(
        default=None, description="Longest side, in characters. Empty: 180 for wheels, 1000 for prose."
    )
    max_words: PositiveInt | None = Field(
        default=None, description="Longest side, in words. Empty: 30 for wheels, 200 for prose."
    )
    max_length_ratio: Annotated[float, Field(ge=1)] | None = Field(
        default=None, description="Longer by shorter side, in characters. Empty: 3 for wheels, 9 for prose."
    )
    markup: bool | None = Field(
        default=None,
        description="Take off tags, links, entities, signs of emphasis and of list items, and take out what still has "
        "signs of a template. Empty: for wheels.",
    )
    placeholders: bool | None = Field(
        default=None,
        description="Words such as VAR0 and URL0 for placeholders, code, addresses; pairs whose sides have different "
        "ones are taken out. Empty: for wheels.",
    )
    sentences: bool | None = Field(
        default=None, description="Cut text into its sentences where both sides have equally many. Empty: for wheels."
    )
    letters: bool | None = Field(
        default=None, description="Take out pairs with a side that has no letter. Empty: for wheels."
    )
    same_text: bool | None = Field(
        default=None, description="Take out pairs whose sides are the same text. Empty: for all."
    )
    duplicates: Literal["sentences", "pairs", "keep"] | None = Field(
        default=None,
        description="What stays of text that stands several times: one pair of each sentence of the language written "
        "in, one of equal pairs, or all. Empty: sentences for wheels, pairs for prose.",
    )
    script: Share | None = Field(
        default=None,
        description="Least share of a side's letters that are of its language's script. Empty: not looked at.",
    )
    language: Share | None = Field(
        default=None,
        description="Least probability that a side is in its language, by an identifier. Empty: not looked at.",
    )


class Split(Section):
    """How many sentences are set aside; the same ones for every language."""

    present_in: list[Language] = Field(
        default=[],
        description="Dev, test and tuning sentences of a corpus of wheels or datasets exist in all of these; adding a "
        "pair in another language changes none of them. Empty, or where datasets give dev or test: in the languages of "
        "all pairs of the corpus. A corpus of files takes those of its first pair, or of all if it gives dev or test.",
    )
    dev: PositiveInt = Field(default=300, description="Sentences on which checkpoints are chosen.")
    test: PositiveInt = Field(default=1000, description="Sentences that only decoding and scoring see.")
    tuning: PositiveInt | None = Field(
        default=None,
        description="Sentences for fine-tuning, as long as those of the test set; what is left is for pre-training. "
        "Empty: all.",
    )
    words: list[PositiveInt] | None = Field(
        default=None,
        min_length=2,
        max_length=2,
        description="Shortest and longest sentence drawn. Empty: [3, 20] for wheels, [3, 60] for prose.",
    )
    near_duplicate: Share = Field(
        default=0.6, description="Character 4-gram Dice with a dev or test sentence at which a sentence is removed."
    )


class MoreText(TextFiles):
    """A further test set: the user's files, or published text by mtdata's ids."""

    mtdata: list[DatasetId] = Field(default=[], description="Ids, put together, in the place of files.")


class Corpus(Section):
    """A parallel corpus, from wheels, from one's own files or from published datasets."""

    wheels: dict[str, Wheel] = Field(default={}, description="Wheels whose catalogues are put together.")
    files: TextFiles | None = Field(default=None, description="Own text; all of it, or the training part.")
    dev_files: TextFiles | None = Field(default=None, description="Own dev set; otherwise we split.")
    test_files: TextFiles | None = Field(default=None, description="Own test set; otherwise we split.")
    mtdata: Datasets | None = Field(default=None, description="Datasets that mtdata fetches.")
    more_tests: dict[str, MoreText] = Field(
        default={}, description="Further test sets by name, taken as they are; cells are scored on all of them."
    )
    written_in: Language | None = Field(
        default=None, description="Language that the text was written in; sentences are told apart by it."
    )
    clean: Cleaning = Cleaning()
    split: Split = Split()


class Pair(Section):
    """A translation direction; its label is `source-target` unless the two keys say otherwise."""

    corpus: str = Field(description="A label of `corpora`.")
    source: Language | None = Field(default=None, description="Language code of the source side.")
    target: Language | None = Field(default=None, description="Language code of the target side.")


class Size(Section):
    """An amount of fine-tuning data and the updates spent on it."""

    pairs: PositiveInt = Field(description="Sentence pairs; smaller sizes are subsets of larger ones.")
    updates: PositiveInt = Field(description="Optimiser steps.")


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

    pair: str = Field(description="Label of the pair to search on.")
    seed: NonNegativeInt = Field(default=0, description="Of the trials.")
    widenings: NonNegativeInt = Field(
        default=4, le=20, description="Most rates to add, one after another, while the best lies at an end of the list."
    )
    table: str | None = Field(
        default=None, description="Results of earlier searches; those with the same settings are not made again."
    )


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

    figure: (
        Literal["budgets", "languages", "models", "data_sizes", "exposure", "forgetting", "methods", "representations"]
        | None
    ) = Field(default=None, description="Which figure is drawn. Empty: the one named as the study.")
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
    margin: PositiveFloat = Field(default=1.0, le=100, description="chrF within which two systems count as on par.")
    studies: dict[str, Study]
    findings: dict[str, Finding] = Field(default={}, description="Claims that are tested on the cells of studies.")


def configuration_type() -> type[Configuration]:
    """The type of a configuration with all methods that are in the registry now, those from outside included."""
    if not any(method.module for method in METHODS.values()):
        return Configuration
    return create_model("Configuration", __base__=Configuration, methods=(dict[str, _entry_of(METHODS.values())], ...))

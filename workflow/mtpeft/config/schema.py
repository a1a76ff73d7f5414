"""The types of config.yaml: every key, its type, its default and what it means.

`workflow/schemas/config.schema.json` is made from these classes, so that editors can complete and check the file.
"""

from typing import Self

from pydantic import Field, PrivateAttr, create_model

from mtpeft.config.comet_section import Comet
from mtpeft.config.corpora import corpus_type
from mtpeft.config.findings import Finding
from mtpeft.config.margins import Margin, Margins
from mtpeft.config.methods import MethodEntry, entry_type
from mtpeft.config.models import Model
from mtpeft.config.pairs import Pair
from mtpeft.config.rate_search import RateSearch
from mtpeft.config.sizes import Size
from mtpeft.config.studies import Study
from mtpeft.config.study_file import ALONE
from mtpeft.core.forms import Share
from mtpeft.core.options import DecodingOptions, TrainingOptions
from mtpeft.core.section import Section
from mtpeft.data.readers import READERS
from mtpeft.data.sources import SOURCES
from mtpeft.methods import METHODS

CorpusEntry = corpus_type()


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

    corpora: dict[str, CorpusEntry]
    pairs: dict[str, Pair]
    sizes: dict[str, Size]
    models: dict[str, Model]
    method_modules: list[str] = Field(default=[], description="Python files that hold methods of your own.")
    methods: dict[str, MethodEntry]
    budgets: dict[str, Share]
    training: TrainingOptions = TrainingOptions()
    rate_search: RateSearch | None = None
    decoding: DecodingOptions = DecodingOptions()
    comet: Comet | None = Field(default=None, description="Scores of COMET beside chrF and BLEU. Empty: none.")
    margin: Margin = Field(
        default=Margins(),
        description="Difference within which two systems count as on par: of chrF, or one for each metric.",
    )
    studies: dict[str, Study]
    findings: dict[str, Finding] = Field(default={}, description="Claims that are tested on the cells of studies.")


def configuration_type() -> type[Configuration]:
    """Make the type of a configuration with all that is in the registries now, entries from outside included."""
    if not any(entry.module for entry in (*METHODS.values(), *SOURCES.entries.values(), *READERS.entries.values())):
        return Configuration
    return create_model(
        "Configuration",
        __base__=Configuration,
        corpora=(dict[str, corpus_type()], ...),
        methods=(dict[str, entry_type(METHODS.values())], ...),
    )

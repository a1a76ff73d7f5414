"""The type of config.yaml: its sections, each declared in a file of its own.

A section is a file of this folder with its types and its checks, a field here, and its checks in the table of
`mtpeft.config.load`. The fields are written out, not put together from a registry, so that readers and editors know
the type of `configuration.training`. What comes from outside of the package needs no section by itself: it brings the
keys of its entries in a section that is there, such as the options of a method in `methods`.

`workflow/schemas/config.schema.json` is made from this type, so that editors can complete and check the file.
"""

from functools import lru_cache
from typing import Any, Self

from pydantic import Field, PrivateAttr, create_model

from mtpeft.config.corpora import Corpus, corpus_type
from mtpeft.config.decoding import Decoding
from mtpeft.config.findings import CLAIMS, Finding, finding_fields
from mtpeft.config.methods import entry_type
from mtpeft.config.metrics import ComputedMetricName, metric_fields
from mtpeft.config.models import Model
from mtpeft.config.pairs import Pair
from mtpeft.config.rate_search import RateSearch
from mtpeft.config.serving import Serving
from mtpeft.config.sizes import Size
from mtpeft.config.studies import Study
from mtpeft.config.study_file import ALONE
from mtpeft.core.options import EvaluationOptions, TrainingOptions
from mtpeft.core.section import Section
from mtpeft.core.value_types import Share
from mtpeft.data.readers import READERS
from mtpeft.data.sources import SOURCES
from mtpeft.methods import METHODS
from mtpeft.methods.base import MethodOptions
from mtpeft.metrics.base import ALWAYS, METRICS


class Configuration(Section):
    """The whole of config.yaml, with overlays merged into it.

    It equals nothing but itself, so that functions of it can be cached. Where the entries of a section come from a
    registry, the type here is what all of them have in common; `configuration_type` puts the keys of each in.
    """

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    _study_file: str = PrivateAttr(default=ALONE)

    @property
    def study_file(self) -> str:
        """Name of the files that it was read from; its tables and figures lie in a folder of this name."""
        return self._study_file

    def named(self, study_file: str) -> Self:
        """Set the name of the files that it was read from, and return it."""
        self._study_file = study_file
        return self

    corpora: dict[str, Corpus]
    pairs: dict[str, Pair]
    sizes: dict[str, Size]
    models: dict[str, Model]
    modules: list[str] = Field(
        default=[],
        description="Python files that hold methods, metrics, claims or others of your own; see workflow/examples.",
    )
    methods: dict[str, MethodOptions]
    budgets: dict[str, Share]
    training: TrainingOptions = TrainingOptions()
    evaluation: EvaluationOptions = EvaluationOptions()
    rate_search: RateSearch | None = None
    decoding: Decoding = Decoding()
    serving: Serving | None = None
    metrics: list[ComputedMetricName] = Field(
        default=[*ALWAYS],
        description="Metrics that the step `score` computes for every cell; chrF is one of them. A metric with a "
        "section of its own, such as `comet`, is asked for by that section.",
    )
    margin: Any = None
    studies: dict[str, Study]
    findings: dict[str, Finding] = Field(default={}, description="Claims that are tested on the cells of studies.")


def configuration_type() -> type[Configuration]:
    """Return the type of a configuration with all that is in the registries now, entries from outside included."""
    registries = (METHODS, METRICS, CLAIMS, SOURCES, READERS)
    entries = ((name, id(entry)) for own in registries for name, entry in dict(getattr(own, "entries", own)).items())
    return _configuration_type(tuple(entries))


@lru_cache(maxsize=8)
def _configuration_type(entries: tuple[tuple[str, int], ...]) -> type[Configuration]:
    fields = {
        "corpora": (dict[str, corpus_type()], ...),
        "methods": (dict[str, entry_type(METHODS.values())], ...),
        **metric_fields(),
        **finding_fields(),
    }
    return create_model("Configuration", __base__=Configuration, __doc__=Configuration.__doc__, **fields)

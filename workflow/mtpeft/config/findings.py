"""The section `findings` of config.yaml: claims, and the studies on whose cells each is tested.

A claim is one file in `mtpeft.analysis.claims`, or one from outside that the configuration names in `modules`: its
keys, the systems that it compares, and its rule. The configuration stands below the analysis. It reads the claims from
the registry, which imports their files when it is asked for the first time, so that no module of `config` imports one.

Where a claim compares with full fine-tuning, that is the method `full` of the same study. A budget may be left out for
a method that has one size only. Keys that are left out are not among the params of a finding, so a key that is added
later with a default makes nothing stale.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from mtpeft.config.messages import named_twice
from mtpeft.config.metrics import MetricName, metric_mistakes
from mtpeft.config.pairs import group_claim_mistakes
from mtpeft.config.significance import MOST_TESTS
from mtpeft.core.registry import Registry
from mtpeft.core.section import Section
from mtpeft.core.wording import unknown
from mtpeft.methods import method_for
from mtpeft.metrics.base import DEFAULT_METRIC

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

StudyLabel = Annotated[str, Field(description="A label of `studies`, whose models, pairs, sizes and seeds are taken.")]
MethodLabel = Annotated[str, Field(description="A label of `methods`, parameter-efficient.")]
BudgetLabel = Annotated[str | None, Field(description="A label of `budgets`, for methods that have one.")]
Owner = Literal["paper", "models"]
PARAMETER_EFFICIENT = ("budgeted", "fixed")
CATALOGUE_OF = {
    "study": "studies",
    "method": "methods",
    "methods": "methods",
    "budget": "budgets",
    "budgets": "budgets",
    "in_context": "methods",
    "larger": "models",
    "smaller": "models",
    "size": "sizes",
    "sizes": "sizes",
}
"""Catalogue of the labels that stand under a key of a finding, whatever its claim is."""


class Finding(Section):
    """Keys that a finding may have whatever its claim is."""

    study: StudyLabel
    metric: MetricName = Field(default=DEFAULT_METRIC, description="Metric in which quality is measured.")
    of: Owner = Field(
        default="paper",
        description="Whose claim it is: what fails of the paper's is called not reproduced at this scale, what fails "
        "of one on the models at hand is called refuted.",
    )


class FindingOnPairs(Finding):
    """Keys of a finding whose claim is about every pair, or about the mean over languages."""

    over: Literal["every", "mean"] = Field(
        default="every",
        description="What the verdict asks: whether it holds for every pair, or for the mean over languages.",
    )


def nothing_lacking(configuration: "Configuration", finding: Any) -> Iterator[str]:
    """Default: the study lacks nothing."""
    yield from ()


def nothing_compared(finding: Any) -> list[tuple[str, str]]:
    """Default: the claim compares no labels with each other, only with full fine-tuning."""
    return []


@dataclass(frozen=True, kw_only=True)
class ConfiguredClaim:
    """The part of a claim that the configuration reads; `mtpeft.analysis.findings.claim.Claim` adds its rule.

    Attributes:
        options: keys of a finding with this claim; the literal of its key `claim` is the claim's name.
        contrasts: the contrasts of a finding, as plain params.
        lacks: what the study of a finding lacks for it, a sentence each, besides the labels that the finding names.
        compared: labels of a finding that are compared with each other, which must differ.
        needs_full: whether the study must have full fine-tuning.
        needs_budgets: whether its methods must have several budgets.
        reads_ranks: whether it is about the ranks of representations, which its study must show.
        version: is raised by hand when the claim is decided in another way, and makes the findings stale.
        module: file that a claim from outside of the package comes from; empty for one of the package.
    """

    options: type[Finding]
    contrasts: Callable[["Configuration", Any], Iterator[dict[str, Any]]]
    lacks: Callable[["Configuration", Any], Iterator[str]] = nothing_lacking
    compared: Callable[[Any], list[tuple[str, str]]] = nothing_compared
    needs_full: bool = True
    needs_budgets: bool = False
    reads_ranks: bool = False
    version: int = 1
    module: str = ""

    @property
    def name(self) -> str:
        """The word under `claim` by which a finding asks for it."""
        return self.options.model_fields["claim"].annotation.__args__[0]

    @property
    def can_be_over_mean(self) -> bool:
        """Whether its contrasts differ in their pairs, so that a mean over languages says something."""
        return issubclass(self.options, FindingOnPairs)


CLAIMS: Registry[ConfiguredClaim] = Registry(ConfiguredClaim, "mtpeft.analysis.claims", word="claim")


def finding_fields() -> dict[str, Any]:
    """The field `findings` of the configuration, from the registry of claims, as `create_model` takes it."""
    options = reduce(operator.or_, (claim.options for claim in CLAIMS.entries.values()))
    entry = Annotated[options, Field(discriminator="claim")]
    description = "Claims that are tested on the cells of studies."
    return {"findings": (dict[str, entry], Field(default={}, description=description))}


def named_labels(finding: Mapping[str, object]) -> list[tuple[str, str]]:
    """Key and label of everything that a finding, as a plain mapping, takes from a catalogue."""
    named = [(key, finding[key]) for key in CATALOGUE_OF if finding.get(key) is not None]
    return [(key, label) for key, labels in named for label in (labels if isinstance(labels, list) else [labels])]


def mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find labels that no section has, and methods and budgets that can't be compared."""
    for label, finding in configuration.findings.items():
        for name in ("methods", "smaller"):
            yield from named_twice(f"findings.{label}.{name}", getattr(finding, name, ()))
        found = list(_unknown_labels(configuration, f"findings.{label}", finding))
        found = found or list(_odd_comparisons(configuration, f"findings.{label}", finding))
        if finding.study in configuration.studies:
            found += group_claim_mistakes(f"findings.{label}", configuration.studies[finding.study])
        yield from found or _too_many_contrasts(configuration, label)
        yield from _metric_mistakes(configuration, f"findings.{label}.metric", finding)


def _metric_mistakes(configuration: "Configuration", key: str, finding: Finding) -> Iterator[str]:
    """Find a metric that no cell is scored with, and one of a claim that is not about scores."""
    if CLAIMS[finding.claim].reads_ranks and "metric" in finding.model_fields_set:
        yield f"'{key}' is '{finding.metric}', but '{finding.claim}' compares ranks, no scores; take the key out."
    else:
        yield from metric_mistakes(configuration, key, finding.metric)


def _too_many_contrasts(configuration: "Configuration", label: str) -> Iterator[str]:
    from mtpeft.config.contrasts import finding_params  # which itself needs the types of this module

    contrasts = len(finding_params(configuration, label)["members"])
    if contrasts > MOST_TESTS:
        yield (
            f"'findings.{label}' has {contrasts} contrasts, so many that the strictest of their tests could not "
            f"decide; write claims of at most {MOST_TESTS} contrasts each, on studies of fewer pairs, models, sizes or "
            "methods."
        )


def _unknown_labels(configuration: "Configuration", key: str, finding: Finding) -> Iterator[str]:
    for name, label in named_labels(finding.model_dump()):
        catalogue = CATALOGUE_OF[name]
        yield from unknown(f"{key}.{name}", [label], getattr(configuration, catalogue), catalogue)


def _odd_comparisons(configuration: "Configuration", key: str, finding: Finding) -> Iterator[str]:
    claim = CLAIMS[finding.claim]
    named = named_labels(finding.model_dump())
    for name, method in ((name, label) for name, label in named if name in ("method", "methods")):
        kind = method_for(configuration.methods[method]).trains
        if kind not in PARAMETER_EFFICIENT:
            yield f"'{key}.{name}' names '{method}', which is not parameter-efficient; name a method that is."
        elif kind != "budgeted" and claim.needs_budgets:
            yield f"'{key}.{name}' names '{method}', which has one size only; name a method that has budgets."
        elif kind == "budgeted" and "budget" in type(finding).model_fields and finding.budget is None:
            yield f"'{key}.budget' is missing; write the budget of '{method}', a label of 'budgets'."
    for one, other in claim.compared(finding):
        if one == other:
            yield f"'{key}' compares '{one}' with itself; write two different labels."

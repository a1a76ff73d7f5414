"""The claim that fine-tuning is better than in-context learning (Liu et al. 2022, arXiv 2205.05638)."""

from collections.abc import Iterator
from typing import Literal

from mtpeft.analysis.findings.claim import advantage
from mtpeft.cells import ANY
from mtpeft.config.contrasts import ContrastParams, contrasts_with, own_budget
from mtpeft.config.findings import BudgetLabel, FindingOnPairs, MethodLabel
from mtpeft.config.schema import Configuration


class BeatsInContext(FindingOnPairs):
    """The method is better than the untouched model that reads examples before each source."""

    claim: Literal["beats_in_context"]
    method: MethodLabel
    budget: BudgetLabel = None
    in_context: MethodLabel


def contrasts(configuration: Configuration, finding: BeatsInContext) -> Iterator[ContrastParams]:
    """The method and in-context learning on each pair, with as many sentence pairs."""
    return contrasts_with(
        configuration,
        finding,
        method=finding.method,
        budget=own_budget(configuration, finding, finding.method)[0],
        other=finding.in_context,
        other_budget=ANY,
    )


BEATS_IN_CONTEXT = advantage(
    options=BeatsInContext,
    contrasts=contrasts,
    statement="{method}{budget} is better than in-context learning ({in_context}).",
    effect="{metric} of the method minus {metric} of in-context learning",
    needs_full=False,
)

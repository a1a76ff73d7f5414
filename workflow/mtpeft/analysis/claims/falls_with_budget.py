"""The claim that the quality of methods falls with their budget."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from mtpeft.analysis.findings.claim import advantage
from mtpeft.config.contrasts import ContrastParams, all_budgets, contrasts_on_pairs, study_of
from mtpeft.config.findings import FindingOnPairs
from mtpeft.config.schema import Configuration


class FallsWithBudget(FindingOnPairs):
    """The quality of the methods falls with their budget, over all budgets of the study."""

    claim: Literal["falls_with_budget"]
    methods: list[str] = Field(min_length=1, description="Labels of `methods`.")


def contrasts(configuration: Configuration, finding: FallsWithBudget) -> Iterator[ContrastParams]:
    """Each method at all budgets of the study."""
    return contrasts_on_pairs(configuration, finding, methods=finding.methods, budgets_of=all_budgets)


def lacks(configuration: Configuration, finding: FallsWithBudget) -> Iterator[str]:
    """A study of one budget shows no fall."""
    if len(study_of(configuration, finding).labels("budgets")) < 2:
        yield f"'studies.{finding.study}.budgets' has fewer than two"


FALLS_WITH_BUDGET = advantage(
    options=FallsWithBudget,
    contrasts=contrasts,
    lacks=lacks,
    needs_full=False,
    needs_budgets=True,
    statement="The quality of {methods} falls with the budget.",
    effect="drop in {metric} from the largest to the smallest budget, on the least-squares line of {metric} over the "
    "logarithm of the achieved share",
    noun="a drop",
    needs_gain=True,
)

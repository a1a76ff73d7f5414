"""The claim that a method on a larger model is better than full fine-tuning of a smaller one."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from mtpeft.analysis.findings.claim import advantage
from mtpeft.config.contrasts import ContrastParams, contrasts_on_pairs, own_budget
from mtpeft.config.findings import BudgetLabel, FindingOnPairs, MethodLabel
from mtpeft.config.schema import Configuration


class LargerBeatsSmaller(FindingOnPairs):
    """The method on a larger model is better than full fine-tuning of smaller ones, such as seeds of one."""

    claim: Literal["larger_beats_smaller"]
    method: MethodLabel
    budget: BudgetLabel = None
    larger: str = Field(description="A label of `models`, tuned with the method.")
    smaller: list[str] = Field(min_length=1, description="Labels of `models`, tuned in full.")


def contrasts(configuration: Configuration, finding: LargerBeatsSmaller) -> Iterator[ContrastParams]:
    """The method on the larger model, and full fine-tuning of each smaller one."""
    return contrasts_on_pairs(
        configuration,
        finding,
        methods=[finding.method],
        budgets_of=own_budget,
        models=[finding.larger],
        smaller=finding.smaller,
    )


LARGER_BEATS_SMALLER = advantage(
    options=LargerBeatsSmaller,
    contrasts=contrasts,
    compared=lambda finding: [(finding.larger, label) for label in finding.smaller],
    statement="{method}{budget} on the model {larger} is better than full fine-tuning of {smaller}.",
    effect="{metric} of the method on the larger model minus {metric} of full fine-tuning of the smaller one",
)

"""The claim that methods are better than full fine-tuning where there is little training data."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from mtpeft.analysis.findings.claim import advantage
from mtpeft.config.contrasts import ContrastParams, contrasts_on_pairs, own_budget
from mtpeft.config.findings import BudgetLabel, FindingOnPairs
from mtpeft.config.schema import Configuration


class BeatsOnSmallData(FindingOnPairs):
    """With few training pairs the methods are better than full fine-tuning."""

    claim: Literal["beats_on_small_data"]
    methods: list[str] = Field(min_length=1, description="Labels of `methods`.")
    budget: BudgetLabel = None
    size: str = Field(description="A label of `sizes`.")


def contrasts(configuration: Configuration, finding: BeatsOnSmallData) -> Iterator[ContrastParams]:
    """Each method and full fine-tuning at the size of the finding."""
    return contrasts_on_pairs(
        configuration, finding, methods=finding.methods, budgets_of=own_budget, sizes=[finding.size]
    )


BEATS_ON_SMALL_DATA = advantage(
    options=BeatsOnSmallData,
    contrasts=contrasts,
    statement="With the training data {size}, {methods}{budget} are better than full fine-tuning.",
    effect="{metric} of the method minus {metric} of full fine-tuning",
)

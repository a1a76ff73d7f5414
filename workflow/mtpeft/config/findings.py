"""The types of the section `findings` of config.yaml: claims, and the cells of a study on which each is tested.

Where a claim compares with full fine-tuning, that is the method `full` of the same study. A budget may be left out for
a method that has one size only. Keys that are left out are no settings of a finding, so a key that is added later with
a default makes nothing stale.
"""

from typing import Annotated, Literal

from pydantic import Field

from mtpeft.core.section import Section

StudyLabel = Annotated[str, Field(description="A label of `studies`, whose models, pairs, sizes and seeds are taken.")]
MethodLabel = Annotated[str, Field(description="A label of `methods`, parameter-efficient.")]
BudgetLabel = Annotated[str | None, Field(description="A label of `budgets`, for methods that have one.")]
Metric = Literal["chrf", "bleu", "comet"]
Owner = Literal["paper", "models"]


class Claim(Section):
    """What every claim says of itself."""

    study: StudyLabel
    metric: Metric = Field(default="chrf", description="What quality is measured in; `comet` where it is asked for.")
    of: Owner = Field(
        default="paper",
        description="Whose claim it is: what fails of the paper's is called not reproduced at this scale, what fails "
        "of one on the models at hand is called refuted.",
    )


class ClaimOnPairs(Claim):
    """A claim whose members are pairs."""

    over: Literal["every", "mean"] = Field(
        default="every",
        description="What the verdict asks: whether it holds for every pair, or for the mean over languages.",
    )


class OnPar(ClaimOnPairs):
    """The method is as good as full fine-tuning, up to the margin."""

    claim: Literal["on_par"]
    method: MethodLabel
    budget: BudgetLabel = None


class FallsWithBudget(ClaimOnPairs):
    """The quality of the methods falls with their budget, over all budgets of the study."""

    claim: Literal["falls_with_budget"]
    methods: list[str] = Field(min_length=1, description="Labels of `methods`.")


class FallsFasterWithDistance(Claim):
    """From one budget to a smaller one, quality falls more for languages that are further from English."""

    claim: Literal["falls_faster_with_distance"]
    method: MethodLabel
    budgets: list[str] = Field(min_length=2, max_length=2, description="Two labels of `budgets`.")


class LargerBeatsSmaller(ClaimOnPairs):
    """The method on a larger model is better than full fine-tuning of smaller ones, such as seeds of one."""

    claim: Literal["larger_beats_smaller"]
    method: MethodLabel
    budget: BudgetLabel = None
    larger: str = Field(description="A label of `models`, tuned with the method.")
    smaller: list[str] = Field(min_length=1, description="Labels of `models`, tuned in full.")


class BeatsOnSmallData(ClaimOnPairs):
    """With few training pairs the methods are better than full fine-tuning."""

    claim: Literal["beats_on_small_data"]
    methods: list[str] = Field(min_length=1, description="Labels of `methods`.")
    budget: BudgetLabel = None
    size: str = Field(description="A label of `sizes`.")


class MattersLessWhereSeen(Claim):
    """More data, and more trained parameters, bring less for pairs that the base model was pre-trained to translate.

    After what Tian et al. 2024 (arXiv 2403.08433) found on vision and language: they matter where fine-tuning is unlike
    pre-training. It is no claim of the paper that is reproduced here.
    """

    claim: Literal["matters_less_where_seen"]
    of: Owner = Field(default="models", description="Whose claim it is, as for the others.")
    method: MethodLabel
    sizes: list[str] = Field(min_length=2, max_length=2, description="Two labels of `sizes`, at the larger budget.")
    budgets: list[str] = Field(min_length=2, max_length=2, description="Two labels of `budgets`, at the larger size.")


Finding = Annotated[
    OnPar | FallsWithBudget | FallsFasterWithDistance | LargerBeatsSmaller | BeatsOnSmallData | MattersLessWhereSeen,
    Field(discriminator="claim"),
]

CATALOGUE_OF = {
    "study": "studies",
    "method": "methods",
    "methods": "methods",
    "budget": "budgets",
    "budgets": "budgets",
    "larger": "models",
    "smaller": "models",
    "size": "sizes",
    "sizes": "sizes",
}
"""Catalogue of the labels that stand under a key of a finding."""


def named_labels(finding: dict[str, object]) -> list[tuple[str, str]]:
    """Key and label of everything that a finding, as a plain mapping, takes from a catalogue."""
    named = [(key, finding[key]) for key in CATALOGUE_OF if finding.get(key) is not None]
    return [(key, label) for key, labels in named for label in (labels if isinstance(labels, list) else [labels])]

"""An example of a claim that is no part of the package: a method beats full fine-tuning by more than the margin.

The smallest claim there is: its keys, the systems that it compares, and its rule. To use it:

    modules: [workflow/examples/beats_by_margin.py]
    findings:
      clear: {claim: beats_by_margin, study: data_sizes, method: lora, budget: b10}

This file is read whenever Snakemake reads the configuration, so it imports nothing heavy.
"""

from collections.abc import Iterator
from typing import Literal

from mtpeft.analysis.findings.claim import Claim, Test
from mtpeft.analysis.p_values import p_greater, p_less
from mtpeft.config.contrasts import ContrastParams, contrasts_on_pairs, own_budget
from mtpeft.config.findings import BudgetLabel, FindingOnPairs, MethodLabel
from mtpeft.config.schema import Configuration


class BeatsByMargin(FindingOnPairs):
    """The method is better than full fine-tuning by more than the margin."""

    claim: Literal["beats_by_margin"]
    method: MethodLabel
    budget: BudgetLabel = None


def contrasts(configuration: Configuration, finding: BeatsByMargin) -> Iterator[ContrastParams]:
    """The method and full fine-tuning on each pair."""
    return contrasts_on_pairs(configuration, finding, methods=[finding.method], budgets_of=own_budget)


BEATS_BY_MARGIN = Claim(
    options=BeatsByMargin,
    contrasts=contrasts,
    statement="{method}{budget} beats full fine-tuning by more than the margin.",
    effect="{metric} of the method minus {metric} of full fine-tuning",
    decision="Supported if the effect is shown to be above {margin}, refuted if it is shown to be below {margin}.",
    refuted="shown to be below {margin}",
    test=Test(
        p_for=p_greater,
        p_against=p_less,
        gap=lambda effect, margin: abs(margin - effect),
        supports=lambda effect, margin: effect > margin,
    ),
)

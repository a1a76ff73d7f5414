"""The claim that a method is on par with full fine-tuning."""

from collections.abc import Iterator
from typing import Literal

from mtpeft.analysis.findings.claim import EQUIVALENCE, Claim
from mtpeft.config.contrasts import ContrastParams, contrasts_on_pairs, own_budget
from mtpeft.config.findings import BudgetLabel, FindingOnPairs, MethodLabel
from mtpeft.config.schema import Configuration


class OnPar(FindingOnPairs):
    """The method is as good as full fine-tuning, up to the margin."""

    claim: Literal["on_par"]
    method: MethodLabel
    budget: BudgetLabel = None


def contrasts(configuration: Configuration, finding: OnPar) -> Iterator[ContrastParams]:
    """The method and full fine-tuning on each pair."""
    return contrasts_on_pairs(configuration, finding, methods=[finding.method], budgets_of=own_budget)


ON_PAR = Claim(
    options=OnPar,
    contrasts=contrasts,
    statement="{method}{budget} is on par with full fine-tuning.",
    effect="{metric} of the method minus {metric} of full fine-tuning",
    decision="Supported if two one-sided tests (Schuirmann 1987) show the effect within {margin} of 0; refuted if it "
    "is shown to be further from 0 than that, on either side, so with twice the p-value of one.",
    refuted="shown to be more than {margin} from 0",
    test=EQUIVALENCE,
    needs_transfer=True,
)

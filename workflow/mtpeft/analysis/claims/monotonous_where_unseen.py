"""The claim that quality rises with each level of data and of trained parameters for pairs that were not seen."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mtpeft.analysis.findings.claim import Claim
from mtpeft.config.contrasts import (
    LESS_SEEN,
    ContrastParams,
    models_on_pairs,
    seeds_of_systems,
    study_of,
    system_block,
)
from mtpeft.config.findings import Finding, MethodLabel, Owner
from mtpeft.config.pretraining import exposure_of
from mtpeft.config.schema import Configuration

if TYPE_CHECKING:
    from mtpeft.analysis.findings.contrasts import ClaimContext, Contrast
    from mtpeft.analysis.findings.records import ContrastRecord

FEWEST_LEVELS = 3
"""Levels of data or of budgets without which an order says no more than a comparison of two."""


class MonotonousWhereUnseen(Finding):
    """Quality rises with the training size and with the budget, over all levels of the study, where a pair is unseen.

    After what Tian et al. 2024 (arXiv 2403.08433) asked of models of vision and language. It is no claim of the paper
    that is reproduced here.
    """

    claim: Literal["monotonous_where_unseen"]
    of: Owner = Field(default="models", description="Whose claim it is, as for the others.")
    method: MethodLabel


def contrasts(configuration: Configuration, finding: MonotonousWhereUnseen) -> Iterator[ContrastParams]:
    """The method at all sizes and budgets of the study, the largest first, on each pair that was not seen."""
    seeds = seeds_of_systems(configuration)
    for model, pair in models_on_pairs(configuration, finding, LESS_SEEN):
        yield {
            "name": f"{exposure_of(configuration, model, pair)} {model}, {pair}",
            "pair": pair,
            "language": None,
            "peft": [system_block(seeds, model, pair, *place) for place in _grid(configuration, finding)],
            "full": None,
        }


def lacks(configuration: Configuration, finding: MonotonousWhereUnseen) -> Iterator[str]:
    """Pairs that were not seen, levels, and cells of the grid that the study does not have."""
    study, systems = study_of(configuration, finding), seeds_of_systems(configuration)
    unseen = models_on_pairs(configuration, finding, LESS_SEEN)
    if not unseen:
        yield f"'studies.{finding.study}' has no model with a pair less seen than in parallel"
    if max(len(study.labels(name)) for name in ("sizes", "budgets")) < FEWEST_LEVELS:
        yield f"'studies.{finding.study}' has fewer than {FEWEST_LEVELS} sizes and fewer than {FEWEST_LEVELS} budgets"
    for own, place in product(unseen, _grid(configuration, finding)):
        if (*own, *place) not in systems:
            yield f"'studies.{finding.study}' has no cells {'/'.join((*own, *place))}"


def _grid(configuration: Configuration, finding: MonotonousWhereUnseen) -> list[tuple[str, str, str]]:
    """Size, method and budget of all levels of the study, the larger ones first."""
    study = study_of(configuration, finding)
    sizes = sorted(study.labels("sizes"), key=lambda label: -configuration.sizes[label].pairs)
    budgets = sorted(study.labels("budgets"), key=lambda label: -configuration.budgets[label])
    return [(size, finding.method, budget) for size, budget in product(sizes, budgets)]


def decide(contrasts: "Sequence[Contrast]", context: "ClaimContext", *, metric: str) -> "list[ContrastRecord]":
    """One record for each model and pair."""
    from mtpeft.analysis.findings.monotone import monotone_records

    return monotone_records(contrasts, context, metric=metric)


MONOTONOUS_WHERE_UNSEEN = Claim(
    options=MonotonousWhereUnseen,
    contrasts=contrasts,
    lacks=lacks,
    decide=decide,
    needs_full=False,
    needs_budgets=True,
    statement="The quality of {method} falls nowhere from a level of data or of trained parameters to a larger one, "
    "for pairs that the base model was not pre-trained to translate.",
    effect="largest fall in {metric} from a size or a budget to a larger one, over all levels of the study; below 0 "
    "where quality rises from each level to the next",
    decision="Supported if the largest fall is shown to be smaller than {margin}. Else refuted if a test of an "
    "isotonic fit against an unrestricted one, with the noise of resampled sentences and seeds around the isotonic "
    "fit, shows that quality is not in the order of the levels.",
)

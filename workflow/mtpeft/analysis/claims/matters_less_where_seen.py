"""The claim that data and trained parameters matter less for pairs that the base model has seen in pre-training."""

from collections.abc import Iterator
from itertools import product
from typing import Literal

from pydantic import Field

from mtpeft.analysis.findings.claim import advantage
from mtpeft.config.contrasts import (
    LESS_SEEN,
    SEEN,
    ContrastParams,
    models_on_pairs,
    seeds_of_systems,
    system_block,
)
from mtpeft.config.findings import Finding, MethodLabel, Owner
from mtpeft.config.pretraining import exposure_of
from mtpeft.config.schema import Configuration


class MattersLessWhereSeen(Finding):
    """More data, and more trained parameters, bring less for pairs that the base model was pre-trained to translate.

    After what Tian et al. 2024 (arXiv 2403.08433) found on vision and language: they matter where fine-tuning is unlike
    pre-training. It is no claim of the paper that is reproduced here.
    """

    claim: Literal["matters_less_where_seen"]
    of: Owner = Field(default="models", description="Whose claim it is, as for the others.")
    method: MethodLabel
    sizes: list[str] = Field(min_length=2, max_length=2, description="Two labels of `sizes`, at the larger budget.")
    budgets: list[str] = Field(min_length=2, max_length=2, description="Two labels of `budgets`, at the larger size.")


def contrasts(configuration: Configuration, finding: MattersLessWhereSeen) -> Iterator[ContrastParams]:
    """The gain from more data, and from more parameters, for each less seen pair minus that for each seen one."""
    seeds = seeds_of_systems(configuration)
    others, seen = (models_on_pairs(configuration, finding, exposures) for exposures in (LESS_SEEN, SEEN))
    for (what, labels), other, known in product(_gains(configuration, finding).items(), others, seen):
        sides = [
            {
                "pair": pair,
                "language": None,
                "peft": [system_block(seeds, model, pair, own, finding.method, share) for own, share in labels],
                "full": None,
            }
            for model, pair in (other, known)
        ]
        exposure = exposure_of(configuration, *other)
        name = f"{what}: {exposure} {', '.join(other)}, against {', '.join(known)}"
        yield {"name": name, **sides[0], "minus": {"name": ", ".join(known), **sides[1]}}


def lacks(configuration: Configuration, finding: MattersLessWhereSeen) -> Iterator[str]:
    """Kinds of exposure that a study does not have, and cells that a contrast would need."""
    for name, exposures in (("seen in parallel", SEEN), ("less seen than that", LESS_SEEN)):
        if not models_on_pairs(configuration, finding, exposures):
            yield f"'studies.{finding.study}' has no model with a pair {name}"
    systems = seeds_of_systems(configuration)
    wanted = dict.fromkeys(place for ends in _gains(configuration, finding).values() for place in ends)
    for own, (size, budget) in product(models_on_pairs(configuration, finding, (*SEEN, *LESS_SEEN)), wanted):
        system = (*own, size, finding.method, budget)
        if system not in systems:
            yield f"'studies.{finding.study}' has no cells {'/'.join(system)}"


def _gains(configuration: Configuration, finding: MattersLessWhereSeen) -> dict[str, list[tuple[str, str]]]:
    """Size and budget at both ends of what is gained by each, the larger end first."""
    size = sorted(finding.sizes, key=lambda label: -configuration.sizes[label].pairs)
    budget = sorted(finding.budgets, key=lambda label: -configuration.budgets[label])
    return {"data": [(label, budget[0]) for label in size], "budget": [(size[0], label) for label in budget]}


MATTERS_LESS_WHERE_SEEN = advantage(
    options=MattersLessWhereSeen,
    contrasts=contrasts,
    lacks=lacks,
    needs_full=False,
    statement="More data ({sizes}) and more trained parameters ({budgets}) bring {method} less for pairs that the base "
    "model was pre-trained to translate than for others.",
    effect="gain in {metric} from the smaller to the larger end for a pair that was less seen, minus the same gain for "
    "one that was seen in parallel",
    noun="a difference",
)

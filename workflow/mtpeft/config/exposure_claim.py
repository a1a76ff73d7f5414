"""The members of the claim that data and trained parameters matter less where the base model has seen the pair."""

from collections.abc import Iterator, Sequence
from itertools import product

from mtpeft.config.findings import MattersLessWhereSeen
from mtpeft.config.pretraining import exposure_of
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import Study, study_cells
from mtpeft.config.systems import Member, seeds_of_systems, system_block

EXPOSURE_CLAIM = "matters_less_where_seen"
SEEN, LESS_SEEN = ("parallel",), ("monolingual", "unseen")
Read = tuple[str, str]
"""A base model and a pair."""


def exposure_members(configuration: Configuration, finding: MattersLessWhereSeen, study: Study) -> Iterator[Member]:
    """What more data, and more trained parameters, bring for each less seen pair, against each one seen in parallel."""
    seeds = seeds_of_systems(configuration)
    gains = _gains(configuration, finding)
    others, seen = (_read(configuration, study, exposures) for exposures in (LESS_SEEN, SEEN))
    for (what, labels), other, known in product(gains.items(), others, seen):
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


def lacking_exposure(configuration: Configuration, finding: MattersLessWhereSeen, study: Study) -> Iterator[str]:
    """Kinds of exposure that a study does not have, and cells that a member would need."""
    for name, exposures in (("seen in parallel", SEEN), ("less seen than that", LESS_SEEN)):
        if not _read(configuration, study, exposures):
            yield f"'studies.{finding.study}' has no model with a pair {name}"
    systems = seeds_of_systems(configuration)
    wanted = dict.fromkeys(place for ends in _gains(configuration, finding).values() for place in ends)
    for read, (size, budget) in product(_read(configuration, study, (*SEEN, *LESS_SEEN)), wanted):
        system = (*read, size, finding.method, budget)
        if system not in systems:
            yield f"'studies.{finding.study}' has no cells {'/'.join(system)}"


def _gains(configuration: Configuration, finding: MattersLessWhereSeen) -> dict[str, list[tuple[str, str]]]:
    """Size and budget at both ends of what is gained by each, the larger end first."""
    size = sorted(finding.sizes, key=lambda label: -configuration.sizes[label].pairs)
    budget = sorted(finding.budgets, key=lambda label: -configuration.budgets[label])
    return {"data": [(label, budget[0]) for label in size], "budget": [(size[0], label) for label in budget]}


def _read(configuration: Configuration, study: Study, exposures: Sequence[str]) -> list[Read]:
    """Models and pairs of a study with one of these exposures, in the order of the study."""
    cells = dict.fromkeys((cell.model, cell.pair) for cell in study_cells(configuration, study))
    known = [read for read in cells if read[0] in configuration.models]
    return [read for read in known if exposure_of(configuration, *read) in exposures]

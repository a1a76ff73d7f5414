"""From findings to cells: which systems each member of a claim compares, as plain settings.

A system is a block of labels whose cells differ in their seed alone.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from mtpeft.cells import ALL, ANY, Cell, members_of
from mtpeft.config.checkpoints import one_checkpoint_each
from mtpeft.config.exposure_claim import EXPOSURE_CLAIM, exposure_members, lacking_exposure
from mtpeft.config.findings import CATALOGUE_OF, Finding, named_labels
from mtpeft.config.resolve import pair_languages
from mtpeft.config.schema import Configuration, Study
from mtpeft.config.studies import budget_labels
from mtpeft.config.systems import Member, seeds_of_systems, system_block
from mtpeft.languages import main_language
from mtpeft.methods import METHODS
from mtpeft.results.blocks import Block, unfold

FULL = "full"
GATES = ("none", "scratch")
"""Reference rows that full fine-tuning must beat for a comparison with it to mean something."""
ENGLISH = "en"


def claim_settings(configuration: Configuration, label: str) -> dict[str, Any]:
    """A finding with its members, or with what its study lacks for it."""
    finding = configuration.findings[label]
    study = configuration.studies[finding.study]
    lacks = list(_lacking(configuration, finding, study))
    members = [] if lacks else list(_members(configuration, finding, study))
    models = sorted({block[0][0] for block in _blocks(members)})
    return {
        "finding": json.loads(finding.model_dump_json(exclude_none=True)),
        "lacks": lacks,
        "one_checkpoint_each": one_checkpoint_each(configuration, models),
        "members": members,
    }


def _lacking(configuration: Configuration, finding: Finding, study: Study) -> Iterator[str]:
    """What a study would have to list for a finding to be tested; overlays shorten studies and leave findings alone."""
    wanted = {(CATALOGUE_OF[key], label) for key, label in named_labels(finding.model_dump()) if key != "study"}
    if finding.claim not in ("falls_with_budget", "falls_faster_with_distance", EXPOSURE_CLAIM):
        wanted.add(("methods", FULL))
    for name, label in sorted(wanted):
        if label not in getattr(study, name):
            yield f"'studies.{finding.study}.{name}' has no '{label}'"
    if finding.claim == "falls_with_budget" and len(study.budgets) < 2:
        yield f"'studies.{finding.study}.budgets' has fewer than two"
    if finding.claim == "falls_faster_with_distance":
        for name in ("models", "sizes"):
            if len(getattr(study, name)) > 1:
                yield f"'studies.{finding.study}.{name}' has more than one"
    if finding.claim == EXPOSURE_CLAIM:
        yield from lacking_exposure(configuration, finding, study)


def _members(configuration: Configuration, finding: Finding, study: Study) -> Iterator[Member]:
    if finding.claim == EXPOSURE_CLAIM:
        yield from exposure_members(configuration, finding, study)
        return
    models, sizes, seeds = study.models, study.sizes, seeds_of_systems(configuration)
    methods = getattr(finding, "methods", None) or [finding.method]
    smaller = getattr(finding, "smaller", [])
    if finding.claim == "larger_beats_smaller":
        models = [finding.larger]
    if finding.claim == "beats_on_small_data":
        sizes = [finding.size]
    for model, pair, size, method, other in product(models, study.pairs, sizes, methods, smaller or [None]):
        budgets = _budgets(configuration, finding, study, method)
        peft = [system_block(seeds, model, pair, size, method, budget) for budget in budgets]
        named = {"models": model, "sizes": size, "methods": method, "smaller": other}
        several = {"models": models, "sizes": sizes, "methods": methods, "smaller": smaller}
        name = ", ".join([pair, *(label for key, label in named.items() if len(several[key]) > 1)])
        yield {
            "name": name,
            "pair": pair,
            "language": foreign_language(configuration, pair),
            "peft": peft,
            "full": None if len(peft) > 1 else system_block(seeds, other or model, pair, size, FULL, ALL),
        }


def _budgets(configuration: Configuration, finding: Finding, study: Study, method: str) -> Sequence[str]:
    """Budgets of a member, the larger ones first."""
    if METHODS[configuration.methods[method].tuner].budget_labels is not None or finding.claim == "falls_with_budget":
        budgets = budget_labels(configuration, study, method)
    else:
        budgets = getattr(finding, "budgets", None) or [finding.budget]
    return sorted(budgets, key=lambda label: -configuration.budgets.get(label, 1.0))


def foreign_language(configuration: Configuration, pair: str) -> str | None:
    """The language of the side of a pair that is not English, without region; None if neither or both are."""
    codes = [main_language(language) for language in pair_languages(configuration, pair)]
    foreign = [code for code in codes if code != ENGLISH]
    return foreign[0] if len(foreign) == 1 else None


def gate_settings(configuration: Configuration) -> list[Member]:
    """Full fine-tuning on one pair beside the untouched model and beside training from scratch, if a study has both."""
    systems = seeds_of_systems(configuration)
    found = []
    for (model, pair, size, method, budget), seeds in systems.items():
        references = {"none": (ANY, "none", ANY), "scratch": (size, "scratch", budget)}
        for name in GATES if method == FULL and len(members_of(pair)) == 1 else ():
            reference = (model, pair, *references[name])
            common = _common_seeds(seeds, systems.get(reference, []))
            if common:
                sides = zip(((model, pair, size, method, budget), reference), common, strict=True)
                full, other = ([*([label] for label in labels), own] for labels, own in sides)
                labels = {"model": model, "pair": pair, "size": size, "reference": name}
                found.append({**labels, "full": full, "other": other})
    return found


def _common_seeds(seeds: Sequence[str], others: Sequence[str]) -> tuple[Sequence[str], Sequence[str]] | None:
    """Seeds of two systems that can be matched; a run without a seed goes with all."""
    if others == [ANY]:
        return seeds, others
    common = [seed for seed in seeds if seed in others]
    return (common, common) if common else None


def claim_cells(settings: dict[str, Any]) -> list[Cell]:
    """Cells that the claims and the gate of resolved findings read, sorted."""
    blocks = [block for row in settings["gate"] for block in (row["full"], row["other"])]
    for claim in settings["claims"].values():
        blocks += _blocks(claim["members"])
    return sorted(set(unfold(blocks)))


def _blocks(members: Sequence[Member]) -> list[Block]:
    own = [block for member in members for block in (*member["peft"], *([member["full"]] if member["full"] else []))]
    return [*own, *(block for member in members for block in _blocks([*filter(None, [member.get("minus")])]))]

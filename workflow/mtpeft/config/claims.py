"""From findings to cells: which systems each member of a claim compares, as plain settings.

A system is a block of labels whose cells differ in their seed alone.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from mtpeft.cells import ALL, ANY, Block, Cell, cells_told, members_of, unfold
from mtpeft.config.exposure_claim import EXPOSURE_CLAIM, exposure_members, lacking_exposure
from mtpeft.config.findings import CATALOGUE_OF, Finding, named_labels
from mtpeft.config.pairs import pair_languages
from mtpeft.config.pretraining import exposure_of, one_checkpoint_each
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import NONE, Study, budget_labels
from mtpeft.config.systems import Member, seeds_of_systems, system_block
from mtpeft.core.languages import main_language
from mtpeft.methods import METHODS

FULL = "full"
GATES = ("none", "scratch")
"""Reference rows that full fine-tuning must beat for a comparison with it to mean something."""
UNTRAINED = ("scratch", "retrieval")
"""Reference rows that know nothing of the pre-training of a model."""
ENGLISH = "en"


def claim_settings(configuration: Configuration, label: str) -> dict[str, Any]:
    """A finding with its members, or with what its study lacks for it."""
    finding = configuration.findings[label]
    study = configuration.studies[finding.study]
    lacks = list(_lacking(configuration, finding, study))
    members = [] if lacks else list(_members(configuration, finding, study))
    models = sorted({block[0][0] for block in _blocks(members)})
    return {
        "finding": json.loads(finding.model_dump_json(exclude_none=True, exclude_defaults=True)),
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
        setting = [label for key, label in named.items() if len(several[key]) > 1]
        by_distance = finding.claim == "falls_faster_with_distance"
        yield {
            "name": ", ".join([pair, *setting]),
            "setting": ", ".join(setting),
            "pair": pair,
            "language": foreign_language(configuration, pair),
            "languages": pair_of_languages(configuration, pair),
            "peft": peft,
            "full": None if len(peft) > 1 else system_block(seeds, other or model, pair, size, FULL, ALL),
            **({"gain": _gain(seeds, model, pair, size)} if by_distance else {}),
        }


def _gain(seeds: Mapping[tuple[str, ...], Sequence[str]], model: str, pair: str, size: str) -> list[Block] | None:
    """Full fine-tuning and the untouched model, whose difference is all that it gains; None if the sweep lacks one."""
    systems = [(model, pair, size, FULL, ALL), (model, pair, ANY, NONE, ANY)]
    return [system_block(seeds, *labels) for labels in systems] if all(own in seeds for own in systems) else None


def _budgets(configuration: Configuration, finding: Finding, study: Study, method: str) -> Sequence[str]:
    """Budgets of a member, the larger ones first."""
    if METHODS[configuration.methods[method].method].budget_labels is not None or finding.claim == "falls_with_budget":
        budgets = budget_labels(configuration, study, method)
    else:
        budgets = getattr(finding, "budgets", None) or [finding.budget]
    return sorted(budgets, key=lambda label: -configuration.budgets.get(label, 1.0))


def foreign_language(configuration: Configuration, pair: str) -> str | None:
    """Code of the language of a pair that is not English, without script and region; None if neither or both are."""
    foreign = [code for code in pair_of_languages(configuration, pair) if code != ENGLISH]
    return foreign[0] if len(foreign) == 1 else None


def pair_of_languages(configuration: Configuration, pair: str) -> list[str]:
    """Codes of the languages of a pair without script and region, sorted: the same for both of its directions."""
    return sorted(map(main_language, pair_languages(configuration, pair)))


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


def untouched_settings(configuration: Configuration) -> list[Member]:
    """The untouched model on each pair that it can translate, or may be able to, beside training from scratch and the
    nearest training source, at the smallest size that the sweep has of them.
    """
    systems = seeds_of_systems(configuration)
    found: dict[tuple[str, ...], Member] = {}
    by_size = sorted(
        systems, key=lambda labels: (configuration.sizes[labels[2]].pairs if labels[2] != ANY else 0, labels)
    )
    for labels, (model, pair) in product(by_size, _untouched_models(systems)):
        (other, on, size, method, _), key = labels, (model, pair, labels[3])
        if method in UNTRAINED and on == pair and other in (model, ANY) and key not in found:
            seen = exposure_of(configuration, model, pair)
            sides = {"untouched": (model, pair, ANY, NONE, ANY), "other": labels}
            blocks = {side: system_block(systems, *own) for side, own in sides.items()}
            row = {"model": model, "pair": pair, "size": size, "reference": method, "seen": seen, **blocks}
            found[key] = row
    return [row for key, row in sorted(found.items()) if row["seen"] in ("parallel", "unknown")]


def _untouched_models(systems: Mapping[tuple[str, ...], Sequence[str]]) -> list[tuple[str, str]]:
    """Models and pairs of the rows before tuning."""
    return [(model, pair) for model, pair, _, method, _ in systems if method == NONE]


def _common_seeds(seeds: Sequence[str], others: Sequence[str]) -> tuple[Sequence[str], Sequence[str]] | None:
    """Seeds of two systems that can be matched; a run without a seed goes with all."""
    if others == [ANY]:
        return seeds, others
    common = [seed for seed in seeds if seed in others]
    return (common, common) if common else None


def claim_cells(settings: dict[str, Any]) -> list[Cell]:
    """Cells that the claims and the gate of resolved findings read, sorted, with their digests where these are told."""
    if "cells" in settings:
        return sorted(cells_told(settings))
    blocks = [block for row in settings["gate"] for block in (row["full"], row["other"])]
    blocks += [block for row in settings["untouched"] for block in (row["untouched"], row["other"])]
    for claim in settings["claims"].values():
        blocks += _blocks(claim["members"])
    return sorted(set(unfold(blocks)))


def _blocks(members: Sequence[Member]) -> list[Block]:
    own = [block for member in members for block in _own_blocks(member)]
    return [*own, *(block for member in members for block in _blocks([*filter(None, [member.get("minus")])]))]


def _own_blocks(member: Member) -> list[Block]:
    return [*member["peft"], *([member["full"]] if member["full"] else []), *(member.get("gain") or [])]

"""From findings to cells: which systems each contrast of a claim compares, as plain params.

A system is a block of labels whose cells differ in their seed alone. A contrast is the comparison of some systems on
the test set of one pair.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Any

from mtpeft.cells import ALL, ANY, Cell, CellBlock, cells_in_params, members_of, unfold
from mtpeft.config.findings import CATALOGUE_OF, CLAIMS, Finding, named_labels
from mtpeft.config.pairs import pair_languages
from mtpeft.config.pretraining import exposure_of, one_checkpoint_each
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import (
    NONE,
    Study,
    all_cells,
    budget_labels,
    represented_cells,
    study_cells,
    system_labels,
)
from mtpeft.core.languages import ENGLISH, main_language
from mtpeft.methods import method_for

FULL = "full"
SANITY_CHECK_REFERENCES = ("none", "scratch")
"""Reference rows that full fine-tuning must beat for a comparison with it to mean something."""
WITHOUT_PRETRAINING = ("scratch", "retrieval")
"""Reference rows that know nothing of the pre-training of a model."""
SEEN, LESS_SEEN = ("parallel",), ("monolingual", "unseen")
"""Exposures of a base model that was trained to translate a pair, and of one that was not."""
ModelOnPair = tuple[str, str]
"""Labels of a base model and of a pair."""
ContrastParams = dict[str, Any]
"""A contrast: its name, its pair and languages, and its systems, `peft` (the larger budgets first) and `full`."""
BudgetsOf = Callable[[Configuration, Finding, str], Sequence[str]]
"""Budgets of a method that a finding compares."""


def finding_params(configuration: Configuration, label: str) -> dict[str, Any]:
    """A finding with its contrasts, or with what its study lacks for it."""
    finding = configuration.findings[label]
    claim = CLAIMS[finding.claim]
    lacks = [*_lacking_labels(configuration, finding), *claim.lacks(configuration, finding)]
    found = [] if lacks else list(claim.contrasts(configuration, finding))
    lacks = lacks or list(_never_compared(finding, found))
    contrasts = [] if lacks else found
    models = sorted({block[0][0] for block in _blocks(contrasts)})
    return {
        "finding": json.loads(finding.model_dump_json(exclude_none=True, exclude_defaults=True)),
        "lacks": lacks,
        "one_checkpoint_each": one_checkpoint_each(configuration, models),
        "members": contrasts,
        **({"module": claim.module} if claim.module else {}),
        **({"version": claim.version} if claim.version != 1 else {}),
    }


def study_of(configuration: Configuration, finding: Finding) -> Study:
    """The study on whose cells a finding is tested."""
    return configuration.studies[finding.study]


@lru_cache(maxsize=4)
def cells_with_ranks(configuration: Configuration) -> frozenset[Cell]:
    """Cells of the studies on which claims about ranks of representations are tested."""
    findings = configuration.findings.values()
    labels = {finding.study for finding in findings if CLAIMS[finding.claim].reads_ranks}
    return frozenset(cell for label in labels for cell in represented_cells(configuration, label))


def models_on_pairs(configuration: Configuration, finding: Finding, exposures: Sequence[str]) -> list[ModelOnPair]:
    """Models and pairs of the study of a finding with one of these exposures, in the order of the study."""
    cells = study_cells(configuration, study_of(configuration, finding))
    known = [own for own in dict.fromkeys((cell.model, cell.pair) for cell in cells) if own[0] in configuration.models]
    return [own for own in known if exposure_of(configuration, *own) in exposures]


def _lacking_labels(configuration: Configuration, finding: Finding) -> Iterator[str]:
    """Labels that the study lacks for its finding: overlays shorten studies and leave findings alone."""
    wanted = {(CATALOGUE_OF[key], label) for key, label in named_labels(finding.model_dump()) if key != "study"}
    if CLAIMS[finding.claim].needs_full:
        wanted.add(("methods", FULL))
    for name, label in sorted(wanted):
        if label not in study_of(configuration, finding).labels(name):
            yield f"'studies.{finding.study}.{name}' has no '{label}'"


def _never_compared(finding: Finding, contrasts: Sequence[ContrastParams]) -> Iterator[str]:
    """Labels of a finding that no contrast has: a claim of two methods says nothing where one is left out."""
    compared = {label for block in _blocks(contrasts) for label in (block[0][0], block[2][0], block[3][0])}
    for key, label in sorted(named_labels(finding.model_dump())):
        if CATALOGUE_OF[key] in ("models", "sizes", "methods") and label not in compared:
            yield f"'studies.{finding.study}' has no cells of '{label}' that can be compared"


def contrasts_on_pairs(
    configuration: Configuration,
    finding: Finding,
    *,
    methods: Sequence[str],
    budgets_of: BudgetsOf,
    models: Sequence[str] = (),
    sizes: Sequence[str] = (),
    smaller: Sequence[str] = (),
    with_gain: bool = False,
) -> Iterator[ContrastParams]:
    """One contrast for each model, pair, size and method of a study.

    A method with one budget is compared with full fine-tuning, one with several budgets with itself. What `also` of the
    study adds to its lists does not meet all of them: where the cells of a contrast are missing, there is none.

    Args:
        configuration: of the finding.
        finding: whose contrasts they are.
        methods: labels of parameter-efficient methods.
        budgets_of: the budgets at which a method is compared.
        models: labels of the models that are tuned; empty: those of the study.
        sizes: labels of the sizes; empty: those of the study.
        smaller: labels of models in whose full fine-tuning each contrast has its other side; empty: the model itself.
        with_gain: whether the contrast has the systems that tell what full fine-tuning gains.
    """
    study, seeds = study_of(configuration, finding), seeds_of_systems(configuration)
    of_study = {system_labels(cell) for cell in study_cells(configuration, study)}
    models, pairs, sizes = models or study.labels("models"), study.labels("pairs"), sizes or study.labels("sizes")
    for model, pair, size, method, other in product(models, pairs, sizes, methods, smaller or [None]):
        wanted = sorted(
            budgets_of(configuration, finding, method), key=lambda label: -configuration.budgets.get(label, 1.0)
        )
        systems = [(model, pair, size, method, budget) for budget in wanted]
        tuned = [system for system in systems if system in of_study]
        full = (other or model, pair, size, FULL, ALL)
        with_full = tuned == systems and full in seeds
        if len(tuned) < 2 and not with_full:
            continue
        named = {"models": model, "sizes": size, "methods": method, "smaller": other}
        several = {"models": models, "sizes": sizes, "methods": methods, "smaller": smaller}
        setting = [label for key, label in named.items() if len(several[key]) > 1]
        yield {
            "name": ", ".join([pair, *setting]),
            "setting": ", ".join(setting),
            "pair": pair,
            "language": foreign_language(configuration, pair),
            "languages": pair_of_languages(configuration, pair),
            "peft": [system_block(seeds, *system) for system in tuned],
            "full": None if len(tuned) > 1 else system_block(seeds, *full),
            **({"gain": _gain(seeds, model, pair, size)} if with_gain else {}),
        }


def contrasts_with(
    configuration: Configuration, finding: Finding, *, method: str, budget: str, other: str, other_budget: str
) -> Iterator[ContrastParams]:
    """One contrast for each model, pair and size of a study: a method, and another in the place of full fine-tuning.

    Args:
        configuration: of the finding.
        finding: whose contrasts they are.
        method: label of the method whose advantage is asked for.
        budget: its label.
        other: label of the method that it is compared with.
        other_budget: its label.
    """
    study, seeds = study_of(configuration, finding), seeds_of_systems(configuration)
    models, sizes = study.labels("models"), study.labels("sizes")
    for model, pair, size in product(models, study.labels("pairs"), sizes):
        own, with_other = (model, pair, size, method, budget), (model, pair, size, other, other_budget)
        if own not in seeds or with_other not in seeds:
            continue
        setting = [label for label, labels in ((model, models), (size, sizes)) if len(labels) > 1]
        yield {
            "name": ", ".join([pair, *setting]),
            "setting": ", ".join(setting),
            "pair": pair,
            "language": foreign_language(configuration, pair),
            "languages": pair_of_languages(configuration, pair),
            "peft": [system_block(seeds, *own)],
            "full": system_block(seeds, *with_other),
        }


def own_budget(configuration: Configuration, finding: Any, method: str) -> Sequence[str]:
    """The budget that a finding names, or the one that a method of one size has."""
    if method_for(configuration.methods[method]).budget_labels is None:
        return [finding.budget]
    return budget_labels(configuration, study_of(configuration, finding), method)


def all_budgets(configuration: Configuration, finding: Finding, method: str) -> Sequence[str]:
    """All budgets that a method has in the study."""
    return budget_labels(configuration, study_of(configuration, finding), method)


def _gain(seeds: Mapping[tuple[str, ...], Sequence[str]], model: str, pair: str, size: str) -> list[CellBlock] | None:
    """Full fine-tuning and the untouched model, whose difference is its whole gain; None if the sweep lacks one."""
    systems = [(model, pair, size, FULL, ALL), (model, pair, ANY, NONE, ANY)]
    return [system_block(seeds, *labels) for labels in systems] if all(own in seeds for own in systems) else None


def foreign_language(configuration: Configuration, pair: str) -> str | None:
    """Code of the language of a pair that is not English, without script and region; None if neither or both are."""
    foreign = [code for code in pair_of_languages(configuration, pair) if code != ENGLISH]
    return foreign[0] if len(foreign) == 1 else None


def pair_of_languages(configuration: Configuration, pair: str) -> list[str]:
    """Codes of the languages of a pair without script and region, sorted: the same for both of its directions."""
    return sorted(map(main_language, pair_languages(configuration, pair)))


def full_fine_tuning_checks(configuration: Configuration) -> list[ContrastParams]:
    """Full fine-tuning on one pair, to be compared with the untouched model and with training from scratch."""
    systems = seeds_of_systems(configuration)
    found = []
    for (model, pair, size, method, budget), seeds in systems.items():
        references = {"none": (ANY, "none", ANY), "scratch": (size, "scratch", budget)}
        for name in SANITY_CHECK_REFERENCES if method == FULL and len(members_of(pair)) == 1 else ():
            reference = (model, pair, *references[name])
            common = _common_seeds(seeds, systems.get(reference, []))
            if common:
                sides = zip(((model, pair, size, method, budget), reference), common, strict=True)
                full, other = ([*([label] for label in labels), own] for labels, own in sides)
                labels = {"model": model, "pair": pair, "size": size, "reference": name}
                found.append({**labels, "full": full, "other": other})
    return found


def untouched_checks(configuration: Configuration) -> list[ContrastParams]:
    """The untouched model on each pair that it can translate, or may be able to, beside training from scratch and the
    nearest training source, at the smallest size that the sweep has of them.
    """
    systems = seeds_of_systems(configuration)
    found: dict[tuple[str, ...], ContrastParams] = {}
    by_size = sorted(
        systems, key=lambda labels: (configuration.sizes[labels[2]].pairs if labels[2] != ANY else 0, labels)
    )
    for labels, (model, pair) in product(by_size, _untouched_models(systems)):
        (other, on, size, method, _), key = labels, (model, pair, labels[3])
        if method in WITHOUT_PRETRAINING and on == pair and other in (model, ANY) and key not in found:
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


def claim_cells(params: dict[str, Any]) -> list[Cell]:
    """Cells that the claims and the sanity checks read, sorted, with their digests where the params have them."""
    if "cells" in params:
        return sorted(cells_in_params(params))
    blocks = [block for row in params["gate"] for block in (row["full"], row["other"])]
    blocks += [block for row in params["untouched"] for block in (row["untouched"], row["other"])]
    for claim in params["claims"].values():
        blocks += _blocks(claim["members"])
    return sorted(set(unfold(blocks)))


def _blocks(contrasts: Sequence[ContrastParams]) -> list[CellBlock]:
    own = [block for contrast in contrasts for block in _own_blocks(contrast)]
    subtracted = [contrast["minus"] for contrast in contrasts if contrast.get("minus")]
    return [*own, *(_blocks(subtracted) if subtracted else ())]


def _own_blocks(contrast: ContrastParams) -> list[CellBlock]:
    return [*contrast["peft"], *([contrast["full"]] if contrast["full"] else []), *(contrast.get("gain") or [])]


@lru_cache(maxsize=4)
def seeds_of_systems(configuration: Configuration) -> Mapping[tuple[str, ...], Sequence[str]]:
    """Seeds of each system of the whole sweep: studies share cells, so a claim has those of all of them."""
    systems: dict[tuple[str, ...], list[str]] = {}
    for cell in sorted(all_cells(configuration), key=lambda cell: cell.labels):
        systems.setdefault(system_labels(cell), []).append(cell.seed)
    return systems


def system_block(seeds: Mapping[tuple[str, ...], Sequence[str]], *labels: str) -> CellBlock:
    """The cells of the system with these five labels."""
    return [*([label] for label in labels), seeds[labels]]

"""What is said of a system, and which systems belong in one panel."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from mtpeft.analysis.score_tables import DIVERGED, MISSING
from mtpeft.analysis.tables import ON_GROUP, Setting, System
from mtpeft.cells import ALL, ANY, JOIN, NATIVE, members_of

REFERENCES = ("none", "retrieval", "scratch")
TOLERANCE = 0.05
"""Relative difference of achieved shares from which methods at one budget no longer compare."""


def is_reference(system: System) -> bool:
    """Whether a system is one of the rows that are not fine-tuned from the base model."""
    return system.method in REFERENCES


def gap_of(system: System) -> str | None:
    """What to mark where seeds have no score: a divergence says more than a cell that has not run."""
    return DIVERGED if system.diverged else MISSING if system.missing else None


def is_untouched(system: System) -> bool:
    """Whether a seed kept step 0, the untouched model, as the best on dev."""
    return system.step_zero > 0 and not is_reference(system)


def full_method(systems: Iterable[System]) -> str | None:
    """The method that serves as full fine-tuning: `full`, or else the first by name that trains everything."""
    trained = {system.method for system in systems if system.budget == ALL}
    names = sorted(method for method in trained if method.partition(ON_GROUP)[0] not in REFERENCES)
    return "full" if "full" in names else next(iter(names), None)


def tuned_methods(systems: Sequence[System]) -> list[str]:
    """The fine-tuning methods but the one that serves as reference, sorted."""
    return sorted({system.method for system in systems if not is_reference(system)} - {full_method(systems)})


def settings_of(systems: Iterable[System]) -> list[Setting]:
    """Settings of the fine-tuned systems, sorted; reference rows alone make no setting."""
    return sorted({system.setting for system in systems if not is_reference(system)})


def fits(setting: Setting, wanted: Setting) -> bool:
    """Whether a row of `setting` holds in `wanted`, where the label `any` holds everywhere."""
    return (
        setting.model in (ANY, wanted.model)
        and setting.pair in (ANY, wanted.pair)
        and setting.size in (ANY, wanted.size)
        and setting.test_set == wanted.test_set
    )


def in_setting(systems: Iterable[System], setting: Setting) -> list[System]:
    """The systems that hold in a setting, reference rows included."""
    return [system for system in systems if fits(system.setting, setting)]


def budget_shares(systems: Iterable[System]) -> dict[str, float]:
    """Share to draw a system at that has none of its own yet, by budget: the largest that another one achieved."""
    shares: dict[str, float] = {}
    for system in systems:
        if system.share and system.budget not in (ALL, ANY, NATIVE):
            shares[system.budget] = max(system.share, shares.get(system.budget, 0.0))
    return shares


def pair_name(pair: str) -> str:
    """A pair as a title has it, or the pairs of a group."""
    sides = (member.rpartition("-") for member in members_of(pair))
    return JOIN.join(f"{source}\N{EN DASH}{target}" if source else target for source, _, target in sides)


def panel_name(setting: Setting, settings: Sequence[Setting]) -> str:
    """The pair, and whatever else tells this setting from the others; empty labels are left out."""
    parts = [pair_name(setting.pair)]
    if len({other.model for other in settings}) > 1:
        parts.append(setting.model)
    if len({other.size for other in settings}) > 1:
        parts.append(setting.size)
    # A test set that is named after its pair says nothing new.
    if len({other.test_set for other in settings if other.pair == setting.pair}) > 1:
        parts.append(setting.test_set)
    return ", ".join(part for part in parts if part)


def uneven_budgets(systems: Iterable[System]) -> dict[str, float]:
    """Budgets at which achieved shares differ too much to compare methods, with the largest relative difference."""
    shares: dict[tuple[str, str], set[float]] = defaultdict(set)
    for system in systems:
        if system.share and system.budget not in (ALL, ANY, NATIVE):
            shares[system.budget, system.setting.model].add(system.share)
    uneven: dict[str, float] = {}
    for (budget, _), values in sorted(shares.items()):
        difference = max(values) / min(values) - 1
        if difference >= TOLERANCE:
            uneven[budget] = max(difference, uneven.get(budget, 0.0))
    return uneven

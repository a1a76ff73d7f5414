"""Select the systems of a panel, and say what kind of system each is."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mtpeft.analysis.read_tables import ON_GROUP, Setting, System
from mtpeft.analysis.score_tables import DIVERGED, MISSING
from mtpeft.cells import ALL, ANY, JOIN, NATIVE, members_of

REFERENCE_ROWS = ("none", "retrieval", "scratch")
PanelRow = tuple[Setting, str]
"""A row of panels: the setting and the budget that they share."""


def is_reference(system: System) -> bool:
    """Return whether a system is a reference row, which is not fine-tuned from the base model, or trains nothing."""
    return system.method in REFERENCE_ROWS or system.budget == ANY


MOST_RUNS_APART = 3
"""Seeds that are drawn as points: an interval of so few spans a panel and hides what it should show."""


def with_runs_apart(system: System) -> System:
    """Return a system whose score has the interval over sentences and few seeds as points, where its table has both.

    With one seed, or with more than a few, it has the interval of its table, and no points.
    """
    score = system.score
    if score is None:
        return system
    if score.over_sentences and 1 < len(score.runs) <= MOST_RUNS_APART:
        low, high = score.over_sentences
        return replace(system, score=replace(score, low=low, high=high))
    return replace(system, score=replace(score, runs=()))


def gap_of(system: System) -> str | None:
    """Return why seeds have no score, if any lack one; a divergence says more than a cell that has not run."""
    return DIVERGED if system.diverged else MISSING if system.missing else None


def kept_untouched(system: System) -> bool:
    """Return whether a seed kept step 0, the untouched model, as the best on dev."""
    return system.step_zero > 0 and not is_reference(system)


def full_method(systems: Iterable[System]) -> str | None:
    """Return the method that serves as full fine-tuning: `full`, or else the first by name that trains everything."""
    trained = {system.method for system in systems if system.budget == ALL}
    names = sorted(method for method in trained if method.partition(ON_GROUP)[0] not in REFERENCE_ROWS)
    return "full" if "full" in names else next(iter(names), None)


def tuned_methods(systems: Sequence[System]) -> list[str]:
    """Return the fine-tuning methods without the one that serves as full fine-tuning, sorted."""
    return sorted({system.method for system in systems if not is_reference(system)} - {full_method(systems)})


def settings_of(systems: Iterable[System]) -> list[Setting]:
    """Return the settings of the fine-tuned systems, sorted; reference rows alone make no setting."""
    return sorted({system.setting for system in systems if not is_reference(system)})


def fits(setting: Setting, wanted: Setting) -> bool:
    """Return whether a row of `setting` holds in `wanted`; the label `any` holds everywhere."""
    return (
        setting.model in (ANY, wanted.model)
        and setting.pair in (ANY, wanted.pair)
        and setting.size in (ANY, wanted.size)
        and setting.test_set == wanted.test_set
    )


def in_setting(systems: Iterable[System], setting: Setting) -> list[System]:
    """Return the systems that hold in a setting, reference rows included."""
    return [system for system in systems if fits(system.setting, setting)]


def budget_shares(systems: Iterable[System]) -> dict[str, float]:
    """Return by budget the largest share that a system achieved, at which systems without a share are drawn."""
    shares: dict[str, float] = {}
    for system in systems:
        if system.share and system.budget not in (ALL, ANY, NATIVE):
            shares[system.budget] = max(system.share, shares.get(system.budget, 0.0))
    return shares


def pair_title(pair: str) -> str:
    """Return a pair, or the pairs of a group, as a title has them."""
    sides = (member.rpartition("-") for member in members_of(pair))
    return JOIN.join(f"{source}\N{EN DASH}{target}" if source else target for source, _, target in sides)


def panel_name(setting: Setting, settings: Sequence[Setting]) -> str:
    """Return the pair and whatever else tells this setting from the others; empty labels are left out."""
    parts = [pair_title(setting.pair)]
    if len({other.model for other in settings}) > 1:
        parts.append(setting.model)
    if len({other.size for other in settings}) > 1:
        parts.append(setting.size)
    # A test set that is named after its pair says nothing new.
    if len({other.test_set for other in settings if other.pair == setting.pair}) > 1:
        parts.append(setting.test_set)
    return ", ".join(part for part in parts if part)

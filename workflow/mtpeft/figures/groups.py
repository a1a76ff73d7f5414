"""Cells that differ in their seed alone, what is said of them together, and which of them belong in one panel."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mtpeft.cells import ALL, ANY, NATIVE
from mtpeft.figures.tables import DIVERGED, OK, Score

REFERENCES = ("none", "retrieval", "scratch")
TOLERANCE = 0.05
"""Relative difference of achieved shares from which methods at one budget no longer compare."""


@dataclass(frozen=True)
class Spread:
    """Mean and range over `count` seeds."""

    mean: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, order=True)
class Setting:
    """What stays the same within one panel."""

    model: str
    pair: str
    size: str
    test_set: str


@dataclass(frozen=True)
class Group:
    """The seeds of one method and budget in one setting."""

    setting: Setting
    method: str
    budget: str
    rows: tuple[Score, ...]

    @property
    def gaps(self) -> tuple[str, ...]:
        """Status of each seed without a score, sorted."""
        return tuple(sorted(row.status for row in self.rows if row.status != OK))

    @property
    def spread(self) -> Spread | None:
        """ChrF over the seeds that have one; None if none has."""
        return spread_of([row.chrf for row in self.rows if row.chrf is not None])

    @property
    def untouched(self) -> bool:
        """Whether a seed kept the untouched step 0, as the best on dev."""
        return self.method not in REFERENCES and any(row.status == OK and row.best_step == 0 for row in self.rows)

    @property
    def share(self) -> float | None:
        """Trained share of the base model: achieved where it was measured, else as requested."""
        achieved = [row.budget_achieved for row in self.rows if row.budget_achieved]
        requested = [row.budget_requested for row in self.rows if row.budget_requested]
        return max(achieved or requested, default=None)

    @property
    def training_pairs(self) -> int | None:
        """Number of training pairs, where a seed reports it."""
        return max((row.training_pairs for row in self.rows if row.training_pairs), default=None)


def spread_of(values: Sequence[float]) -> Spread | None:
    """Mean and range of values; None of nothing."""
    if not values:
        return None
    return Spread(sum(values) / len(values), min(values), max(values), len(values))


def group_seeds(scores: Iterable[Score]) -> list[Group]:
    """Groups over seeds, sorted by setting, method and share."""
    found: dict[tuple[Setting, str, str], list[Score]] = defaultdict(list)
    for score in scores:
        cell = score.cell
        found[Setting(cell.model, cell.pair, cell.size, score.test_set), cell.method, cell.budget].append(score)
    groups = [
        Group(setting, method, budget, tuple(sorted(rows, key=lambda row: row.cell)))
        for (setting, method, budget), rows in found.items()
    ]
    return sorted(groups, key=lambda group: (group.setting, group.method, group.share or 0.0, group.budget))


def is_reference(group: Group) -> bool:
    """Whether a group is one of the rows that are not fine-tuned from the base model."""
    return group.method in REFERENCES


def full_method(groups: Iterable[Group]) -> str | None:
    """The method that serves as full fine-tuning: `full`, or else the first by name that trains everything."""
    names = sorted({group.method for group in groups if group.budget == ALL and not is_reference(group)})
    return "full" if "full" in names else next(iter(names), None)


def settings_of(groups: Iterable[Group]) -> list[Setting]:
    """Settings of the fine-tuned groups, sorted; reference rows alone make no setting."""
    return sorted({group.setting for group in groups if not is_reference(group)})


def fits(setting: Setting, wanted: Setting) -> bool:
    """Whether a row of `setting` holds in `wanted`, where the label `any` holds everywhere."""
    return (
        setting.model in (ANY, wanted.model)
        and setting.pair in (ANY, wanted.pair)
        and setting.size in (ANY, wanted.size)
        and setting.test_set == wanted.test_set
    )


def in_setting(groups: Iterable[Group], setting: Setting) -> list[Group]:
    """The groups that hold in a setting, reference rows included."""
    return [group for group in groups if fits(group.setting, setting)]


def gap_to_full(group: Group, full: Group | None) -> Spread | None:
    """Difference in chrF to full fine-tuning over the seeds that both have; None without such a seed."""
    reference = {row.cell.seed: row.chrf for row in full.rows if row.chrf is not None} if full else {}
    return spread_of(
        [
            row.chrf - reference[row.cell.seed]
            for row in group.rows
            if row.chrf is not None and row.cell.seed in reference
        ]
    )


def panel_name(setting: Setting, settings: Sequence[Setting]) -> str:
    """The pair, and whatever else tells this setting from the others; empty labels are left out."""
    source, _, target = setting.pair.rpartition("-")
    parts = [f"{source}\N{EN DASH}{target}" if source else setting.pair]
    if len({other.model for other in settings}) > 1:
        parts.append(setting.model)
    if len({other.size for other in settings}) > 1:
        parts.append(setting.size)
    # A test set that is named after its pair says nothing new.
    if len({other.test_set for other in settings if other.pair == setting.pair}) > 1:
        parts.append(setting.test_set)
    return ", ".join(part for part in parts if part)


def uneven_budgets(groups: Iterable[Group]) -> dict[str, float]:
    """Budgets at which achieved shares differ too much to compare methods, with the largest relative difference."""
    shares: dict[tuple[str, str], set[float]] = defaultdict(set)
    for group in groups:
        achieved = [row.budget_achieved for row in group.rows if row.status == OK and row.budget_achieved]
        if achieved and group.budget not in (ALL, ANY, NATIVE):
            shares[group.budget, group.setting.model].update(achieved)
    uneven: dict[str, float] = {}
    for (budget, _), values in sorted(shares.items()):
        difference = max(values) / min(values) - 1
        if difference >= TOLERANCE:
            uneven[budget] = max(difference, uneven.get(budget, 0.0))
    return uneven


def gap_status(gaps: Sequence[str]) -> str | None:
    """The status to mark for a group: a divergence says more than a cell that has not run."""
    if not gaps:
        return None
    return DIVERGED if DIVERGED in gaps else gaps[0]

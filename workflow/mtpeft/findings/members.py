"""The comparisons that a claim consists of: which systems, with which coefficients, on which sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mtpeft.cells import Cell
from mtpeft.findings.known import Tuned
from mtpeft.findings.samples import sample_of
from mtpeft.results.blocks import unfold
from mtpeft.results.collect import MISSING
from mtpeft.results.systems import Run, Sample, System, system_of
from mtpeft.statistics.contrasts import Estimate, contrast, difference, matched_seeds


@dataclass(frozen=True)
class Member:
    """A comparison: its parameter-efficient systems, the larger budgets first, and full fine-tuning if it is in it.

    `minus` is a comparison whose effect is taken off, such as the same one for another pair.
    """

    name: str
    pair: str
    language: str | None
    peft: tuple[System, ...]
    full: System | None
    minus: "Member | None" = None

    @property
    def systems(self) -> tuple[System, ...]:
        """The systems that are compared on the member's test set."""
        return (*self.peft, *([self.full] if self.full else []))

    @property
    def all_systems(self) -> tuple[System, ...]:
        """Those and the ones of what is taken off."""
        return (*self.systems, *(self.minus.all_systems if self.minus else ()))

    @property
    def lacking(self) -> str:
        """What is missing to make the comparison, as the end of a sentence; empty when nothing is."""
        return lacking_cells([run for system in self.all_systems for run in system.lacking])

    @property
    def step_zero(self) -> list[Cell]:
        """Cells of the parameter-efficient side that kept the model as it was before any update.

        Of several budgets the largest alone counts: that a small one can't improve the model is a part of the fall.
        """
        return [run.cell for member in (self, self.minus) if member for run in member.peft[0].step_zero]

    @property
    def tuned_in_full(self) -> Tuned | None:
        """Model, pair and size of the full fine-tuning in it."""
        cells = [run.cell for run in self.full.runs] if self.full else []
        return (cells[0].model, cells[0].pair, cells[0].size) if cells else None

    def coefficients(self) -> list[float]:
        """Coefficients of the systems: a difference to full fine-tuning or between two budgets, or a drop."""
        if len(self.systems) == 2:
            return [1.0, -1.0]
        return drop_coefficients([system.share or 1.0 for system in self.peft])


@dataclass(frozen=True)
class Effect:
    """What a member says: its contrast in chrF with its uncertainty, and the same contrast in BLEU."""

    estimate: Estimate
    bleu: float


def lacking_cells(runs: Sequence[Run]) -> str:
    """Cells without a score, as the end of a sentence."""
    named = [run.cell.path if run.status == MISSING else f"{run.cell.path} ({run.status})" for run in runs]
    return f"cells {', '.join(named)}" if named else ""


def members_of(claim: Mapping[str, Any], runs: Mapping[Cell, Run]) -> list[Member]:
    """The members of a claim as the settings have it."""
    return [_member(member, runs) for member in claim["members"]]


def _member(settings: Mapping[str, Any], runs: Mapping[Cell, Run]) -> Member:
    return Member(
        name=settings["name"],
        pair=settings["pair"],
        language=settings["language"],
        peft=tuple(system_of(runs, unfold([block])) for block in settings["peft"]),
        full=system_of(runs, unfold([settings["full"]])) if settings["full"] else None,
        minus=_member(settings["minus"], runs) if settings.get("minus") else None,
    )


def drop_coefficients(shares: Sequence[float]) -> list[float]:
    """Coefficients of the scores whose sum is the drop from the largest to the smallest share.

    The drop is that of the least-squares line of the scores over the logarithm of the shares.
    """
    x = np.log10(shares)
    centred = x - x.mean()
    squares = float(centred @ centred)
    return list(centred / squares * np.ptp(x)) if squares else [0.0] * len(shares)


def sample_for(member: Member, part: str, similarities: Mapping[str, np.ndarray]) -> Sample | None:
    """The sentences of a part of the member's test set; None where they can't be chosen."""
    return sample_of(part, member.pair, member.systems[0], similarities)


def estimate(systems: Sequence[System], coefficients: Sequence[float], sample: Sample) -> Estimate:
    """The contrast of systems in chrF on a sample."""
    terms = [(weight, sample.score(system, "chrf")) for weight, system in zip(coefficients, systems, strict=True)]
    return contrast(terms, sentences=len(sample.rows), stream=sample.stream)


def measure(member: Member, part: str, similarities: Mapping[str, np.ndarray]) -> Effect | None:
    """The effect of a member that lacks nothing, on a part of its test set; None where that can't be chosen."""
    sample, other = sample_for(member, part, similarities), member.minus
    if sample is None:
        return None
    if other is None or other.pair == member.pair:
        weights = [*member.coefficients(), *(-weight for weight in (other.coefficients() if other else ()))]
        found = estimate(member.all_systems, weights, sample)
        return Effect(found, effect_in("bleu", member.all_systems, weights, sample=sample))
    own, taken = (measure(one, part, similarities) for one in (replace(member, minus=None), other))
    if own is None or taken is None:
        return None
    return Effect(difference(own.estimate, taken.estimate), own.bleu - taken.bleu)


def effect_in(metric: str, systems: Sequence[System], coefficients: Sequence[float], *, sample: Sample) -> float:
    """The same contrast, of the same seeds, in another metric."""
    scored = [sample.score(system, metric) for system in systems]
    seeds = matched_seeds(scored)
    return sum(
        weight * float(system.of(seeds).observed.mean()) for weight, system in zip(coefficients, scored, strict=True)
    )

"""The comparisons that a claim consists of: which systems, with which coefficients, on which sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtpeft.cells import Cell
from mtpeft.findings.known import Tuned
from mtpeft.findings.samples import sample_of
from mtpeft.results.blocks import unfold
from mtpeft.results.collect import MISSING
from mtpeft.results.systems import Run, Sample, System, system_of
from mtpeft.statistics.contrasts import Estimate, contrast, matched_seeds


@dataclass(frozen=True)
class Member:
    """A comparison: its parameter-efficient systems, the larger budgets first, and full fine-tuning if it is in it."""

    name: str
    pair: str
    language: str | None
    peft: tuple[System, ...]
    full: System | None

    @property
    def systems(self) -> tuple[System, ...]:
        """All systems of the comparison."""
        return (*self.peft, *([self.full] if self.full else []))

    @property
    def lacking(self) -> str:
        """What is missing to make the comparison, as the end of a sentence; empty when nothing is."""
        return lacking_cells([run for system in self.systems for run in system.lacking])

    @property
    def step_zero(self) -> list[Cell]:
        """Cells of the parameter-efficient side that kept the model as it was before any update.

        Of several budgets the largest alone counts: that a small one can't improve the model is a part of the fall.
        """
        return [run.cell for run in self.peft[0].step_zero]

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


def lacking_cells(runs: Sequence[Run]) -> str:
    """Cells without a score, as the end of a sentence."""
    named = [run.cell.path if run.status == MISSING else f"{run.cell.path} ({run.status})" for run in runs]
    return f"cells {', '.join(named)}" if named else ""


def members_of(claim: Mapping[str, Any], runs: Mapping[Cell, Run]) -> list[Member]:
    """The members of a claim as the settings have it."""
    return [
        Member(
            name=member["name"],
            pair=member["pair"],
            language=member["language"],
            peft=tuple(system_of(runs, unfold([block])) for block in member["peft"]),
            full=system_of(runs, unfold([member["full"]])) if member["full"] else None,
        )
        for member in claim["members"]
    ]


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


def effect_in(metric: str, member: Member, sample: Sample) -> float:
    """The same contrast, of the same seeds, in another metric."""
    scored = [sample.score(system, metric) for system in member.systems]
    seeds = matched_seeds(scored)
    return sum(
        weight * float(system.of(seeds).observed.mean())
        for weight, system in zip(member.coefficients(), scored, strict=True)
    )

"""The comparisons that a claim consists of: which systems, with which coefficients, on which sentences."""

from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.analysis.estimates import Estimate, contrast, difference
from mtpeft.analysis.resampling import Scored
from mtpeft.analysis.score_tables import MISSING, TEST_SET
from mtpeft.analysis.systems import Run, Sample, System, system_of
from mtpeft.analysis.tables import Distance
from mtpeft.cells import Cell, unfold
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record
from mtpeft.metrics.corpus_scores import SCORES
from mtpeft.metrics.names import NAMES


@dataclass(frozen=True)
class Member:
    """A comparison: its parameter-efficient systems, the larger budgets first, and full fine-tuning if it is in it.

    Attributes:
        name: the pair, and what else tells it from other members.
        setting: what is the same for members that differ in their pair alone.
        languages: codes of the languages of the pair, sorted: what happens in both directions happens to one language.
        language: that of them which is not English, if one alone is.
        gain: full fine-tuning and the untouched model, whose difference is all that fine-tuning gains.
        minus: a comparison whose effect is taken off, such as the same one for another pair.
    """

    name: str
    setting: str
    pair: str
    languages: tuple[str, ...]
    language: str | None
    peft: tuple[System, ...]
    full: System | None
    gain: tuple[System, ...] = ()
    minus: "Member | None" = None

    @property
    def systems(self) -> tuple[System, ...]:
        """The systems that are compared on the member's test set."""
        return (*self.peft, *([self.full] if self.full else []))

    @property
    def all_systems(self) -> tuple[System, ...]:
        """Those and the ones of what is taken off."""
        return (*self.systems, *(self.minus.all_systems if self.minus else ()))

    def lacking(self, metric: str) -> str:
        """What is missing to make the comparison in a metric, as the end of a sentence; empty when nothing is."""
        unscored = [run for system in self.all_systems for run in system.lacking_in(metric)]
        in_metric = f"{NAMES[metric]} of {lacking_cells(unscored)}" if unscored else ""
        return lacking_cells([run for system in self.all_systems for run in system.lacking]) or in_metric

    @property
    def tuned_runs(self) -> list[Run]:
        """Runs of the parameter-efficient side with a score, at its largest budget.

        Of several budgets the largest alone counts: that a small one can't improve the model is a part of the fall.
        """
        return [run for member in (self, self.minus) if member for run in member.peft[0].measured]

    @property
    def step_zero(self) -> list[Cell]:
        """Cells of the parameter-efficient side that kept the model as it was before any update."""
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
        setting=settings.get("setting", ""),
        pair=settings["pair"],
        languages=tuple(settings.get("languages", ())),
        language=settings["language"],
        peft=tuple(system_of(runs, unfold([block])) for block in settings["peft"]),
        full=system_of(runs, unfold([settings["full"]])) if settings["full"] else None,
        gain=tuple(system_of(runs, unfold([block])) for block in settings.get("gain") or ()),
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


def estimate(
    systems: Sequence[System], coefficients: Sequence[float], known: Known, *, sample: Sample, metric: str
) -> Estimate:
    """The contrast of systems in a metric on a sample."""
    scored = [_scored(system, known, sample=sample, metric=metric) for system in systems]
    terms = list(zip(coefficients, scored, strict=True))
    return contrast(terms, sentences=len(sample.rows), stream=sample.stream)


def _scored(system: System, known: Known, *, sample: Sample, metric: str) -> Scored:
    """Resampled scores of a system, computed once."""
    key = (*(run.folder for run in system.measured), sample.rows.tobytes(), metric)
    if key not in known.scored:
        known.scored[key] = sample.score(system, metric)
    return known.scored[key]


def measure(member: Member, part: str, known: Known) -> dict[str, Estimate] | None:
    """The effect of a member that lacks nothing, on a part of its test set, in each metric that all of its cells have.

    None where the part can't be chosen.
    """
    other = member.minus
    metrics = [metric for metric in SCORES if all(metric in system.metrics for system in member.all_systems)]
    if other is None or other.pair == member.pair:
        sample = sample_of(part, member.pair, member.all_systems, known)
        if sample is None:
            return None
        weights = [*member.coefficients(), *(-weight for weight in (other.coefficients() if other else ()))]
        return {name: estimate(member.all_systems, weights, known, sample=sample, metric=name) for name in metrics}
    own, taken = (measure(one, part, known) for one in (replace(member, minus=None), other))
    if own is None or taken is None:
        return None
    return {name: difference(own[name], taken[name]) for name in metrics}


Tuned = tuple[str, str, str]
"""Model, pair and size of a full fine-tuning."""
Read = tuple[str, str]
"""A pair, and the hash of a subset of its training text."""


@dataclass(frozen=True)
class Known:
    """What is known of the test sets, the languages and the full fine-tunings.

    Attributes:
        similarities: greatest similarity of each test sentence to a subset of the training text.
        distances: of each language from English.
        without_transfer: full fine-tunings that are not shown to beat the untouched model.
        margins: what counts as on par, by metric.
        resamples: how often test sentences and seeds are drawn again.
        scored: resampled scores of systems, which stand in several claims, by their folders, sentences and metric.
    """

    similarities: Mapping[Read, np.ndarray]
    distances: Mapping[str, Distance]
    without_transfer: Set[Tuned]
    margins: Mapping[str, float]
    resamples: int
    scored: dict[tuple[Hashable, ...], Scored] = field(default_factory=dict)


ALL, LEAST_SIMILAR = "test", "least_similar"
PARTS = (ALL, LEAST_SIMILAR)
SUBSET = "subset_sha256"


def read_similarities(records: Iterable[Path]) -> dict[Read, np.ndarray]:
    """Greatest similarity of each test sentence to a subset, by pair and hash of the subset."""
    read = [read_record(path) for path in records if path.exists()]
    return {(one["pair"], digest): np.array(found) for one in read for digest, found in one["subsets"].items()}


def subsets_read(systems: Iterable[System]) -> list[Read]:
    """Pair and hash of every subset that the runs of systems were trained on, each once."""
    runs = [run for system in systems for run in system.measured if SUBSET in run.train["inputs"]]
    return list(dict.fromkeys((run.cell.pair, run.train["inputs"][SUBSET]) for run in runs))


def sample_of(part: str, pair: str, systems: Sequence[System], known: Known) -> Sample | None:
    """The rows of a part of a pair's test set; None where the similarities are not known.

    The least similar half is that of the sentences whose greatest similarity to anything that one of the compared runs
    has read is lowest, over all their seeds and sizes, so that it is the same half for both sides of a comparison.

    Raises:
        UserError: the similarities belong to another test set.
    """
    first: Run = systems[0].measured[0]
    (sentences, _) = first.counts[TEST_SET]["chrf"].shape
    rows = np.arange(sentences)
    if part == LEAST_SIMILAR:
        wanted = subsets_read(systems)
        if not wanted or any(read not in known.similarities for read in wanted):
            return None
        found = [known.similarities[read] for read in wanted]
        if other := next((len(own) for own in found if len(own) != sentences), None):
            raise UserError(
                f"The similarities of {pair} are of {other} test sentences, but its scores are of {sentences}; run the "
                "sweep again."
            )
        rows = least_similar_half(np.max(found, axis=0))
    return Sample(TEST_SET, sentences, rows, stream=f"{pair} {part}", resamples=known.resamples)


def least_similar_half(similarities: np.ndarray) -> np.ndarray:
    """Rows below the median similarity, sorted; among equals the earlier ones."""
    order = np.argsort(similarities, kind="stable")
    return np.sort(order[: len(order) // 2])

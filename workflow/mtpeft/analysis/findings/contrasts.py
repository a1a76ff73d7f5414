"""The contrasts of a claim: which systems are compared, with which coefficients, on which test sentences."""

from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.analysis.estimates import Estimate, contrast, difference
from mtpeft.analysis.read_tables import Distance
from mtpeft.analysis.resampling import Scored
from mtpeft.analysis.score_tables import MISSING, TEST_SET
from mtpeft.analysis.systems import Sample, ScoredRun, SystemRuns, system_of
from mtpeft.cells import Cell, unfold
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record
from mtpeft.metrics.base import DEFAULT_METRIC, METRICS, in_order

ALL, LEAST_SIMILAR = "test", "least_similar"
PARTS = (ALL, LEAST_SIMILAR)
"""Parts of a test set: all of its sentences, and the half least similar to what the compared cells were trained on."""
SUBSET = "subset_sha256"
FullFineTuning = tuple[str, str, str]
"""Model, pair and size of a full fine-tuning."""
Subset = tuple[str, str]
"""A pair, and the hash of a subset of its training text."""


@dataclass(frozen=True)
class ClaimContext:
    """Inputs to the decisions on claims besides the scores of their cells.

    Attributes:
        similarities: greatest similarity of each test sentence to a subset of the training text.
        distances: of each language from English, or from the one that the claim names.
        without_transfer: full fine-tunings that are not shown to beat the untouched model.
        margins: difference within which two systems count as on par, by metric.
        resamples: number of resampled test sets.
        finding: that is tested, as its params have it.
        scored: resampled scores of systems, which stand in several claims, by their folders, sentences and metric.
    """

    similarities: Mapping[Subset, np.ndarray]
    distances: Mapping[str, Distance]
    without_transfer: Set[FullFineTuning]
    margins: Mapping[str, float]
    resamples: int
    finding: Mapping[str, Any] = field(default_factory=dict)
    scored: dict[tuple[Hashable, ...], Scored] = field(default_factory=dict)


@dataclass(frozen=True)
class Contrast:
    """A comparison of parameter-efficient systems with each other or with full fine-tuning.

    Attributes:
        name: the pair, and the labels that differ between the contrasts of its claim.
        setting: those labels without the pair, which are the same for contrasts that differ in their pair alone.
        pair: on whose test set the systems are compared.
        languages: codes of the languages of the pair, sorted: what happens in both directions happens to one language.
        language: the one of them that is not English, if only one is.
        peft: the parameter-efficient systems, the larger budgets first.
        full: full fine-tuning, if it is compared with.
        gain: full fine-tuning and the untouched model, whose difference is all that fine-tuning gains.
        subtracted: a contrast whose effect is subtracted, such as the same one for another pair.
    """

    name: str
    setting: str
    pair: str
    languages: tuple[str, ...]
    language: str | None
    peft: tuple[SystemRuns, ...]
    full: SystemRuns | None
    gain: tuple[SystemRuns, ...] = ()
    subtracted: "Contrast | None" = None

    @property
    def systems(self) -> tuple[SystemRuns, ...]:
        """The systems that are compared on the test set of the pair."""
        return (*self.peft, *([self.full] if self.full else []))

    @property
    def all_systems(self) -> tuple[SystemRuns, ...]:
        """Those and the systems of the subtracted contrast."""
        return (*self.systems, *(self.subtracted.all_systems if self.subtracted else ()))

    def lacking(self, metric: str) -> str:
        """Name the cells that are missing to measure the contrast in a metric; empty when none is."""
        unscored = [run for system in self.all_systems for run in system.lacking_in(metric)]
        in_metric = f"{METRICS[metric].title} of {lacking_cells(unscored)}" if unscored else ""
        return lacking_cells([run for system in self.all_systems for run in system.lacking]) or in_metric

    @property
    def tuned_runs(self) -> list[ScoredRun]:
        """Runs of the parameter-efficient side with a score, at its largest budget.

        Of several budgets the largest alone counts: that a small one can't improve the model is a part of the fall.
        """
        return [run for own in (self, self.subtracted) if own for run in own.peft[0].measured]

    @property
    def step_zero(self) -> list[Cell]:
        """Cells of the parameter-efficient side that kept the model as it was before any update."""
        return [run.cell for own in (self, self.subtracted) if own for run in own.peft[0].step_zero]

    @property
    def tuned_in_full(self) -> FullFineTuning | None:
        """Model, pair and size of the full fine-tuning in it."""
        cells = [run.cell for run in self.full.runs] if self.full else []
        return (cells[0].model, cells[0].pair, cells[0].size) if cells else None

    def coefficients(self) -> list[float]:
        """Coefficients of the systems: a difference to full fine-tuning or between two budgets, or a drop."""
        if len(self.systems) == 2:
            return [1.0, -1.0]
        return drop_coefficients([system.share or 1.0 for system in self.peft])


def lacking_cells(runs: Sequence[ScoredRun]) -> str:
    """Cells without a score, as the end of a sentence."""
    named = [run.cell.path if run.status == MISSING else f"{run.cell.path} ({run.status})" for run in runs]
    return f"cells {', '.join(named)}" if named else ""


def contrasts_of(claim: Mapping[str, Any], runs: Mapping[Cell, ScoredRun]) -> list[Contrast]:
    """The contrasts of a finding, from its params."""
    return [_contrast(params, runs) for params in claim["members"]]


def _contrast(params: Mapping[str, Any], runs: Mapping[Cell, ScoredRun]) -> Contrast:
    return Contrast(
        name=params["name"],
        setting=params.get("setting", ""),
        pair=params["pair"],
        languages=tuple(params.get("languages", ())),
        language=params["language"],
        peft=tuple(system_of(runs, unfold([block])) for block in params["peft"]),
        full=system_of(runs, unfold([params["full"]])) if params["full"] else None,
        gain=tuple(system_of(runs, unfold([block])) for block in params.get("gain") or ()),
        subtracted=_contrast(params["minus"], runs) if params.get("minus") else None,
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
    systems: Sequence[SystemRuns], coefficients: Sequence[float], context: ClaimContext, *, sample: Sample, metric: str
) -> Estimate:
    """The contrast of systems in a metric on a sample, with the sign turned where a lower score is better."""
    scored = [_scored(system, context, sample=sample, metric=metric) for system in systems]
    signed = [METRICS[metric].sign * weight for weight in coefficients]
    return contrast(list(zip(signed, scored, strict=True)), sentences=len(sample.rows), stream=sample.stream)


def _scored(system: SystemRuns, context: ClaimContext, *, sample: Sample, metric: str) -> Scored:
    """Resampled scores of a system, computed once."""
    key = (*(run.folder for run in system.measured), sample.rows.tobytes(), metric)
    if key not in context.scored:
        context.scored[key] = sample.score(system, metric)
    return context.scored[key]


def measure(own: Contrast, part: str, context: ClaimContext) -> dict[str, Estimate] | None:
    """The effect of a contrast that lacks nothing, on a part of its test set, in each metric that all its cells have.

    None where the part can't be chosen.
    """
    other = own.subtracted
    metrics = in_order(set.intersection(*(system.metrics for system in own.all_systems)))
    if other is None or other.pair == own.pair:
        sample = sample_of(part, own.pair, own.all_systems, context)
        if sample is None:
            return None
        weights = [*own.coefficients(), *(-weight for weight in (other.coefficients() if other else ()))]
        return {name: estimate(own.all_systems, weights, context, sample=sample, metric=name) for name in metrics}
    first, second = (measure(one, part, context) for one in (replace(own, subtracted=None), other))
    if first is None or second is None:
        return None
    return {name: difference(first[name], second[name]) for name in metrics}


def read_similarities(records: Iterable[Path]) -> dict[Subset, np.ndarray]:
    """Greatest similarity of each test sentence to a subset, by pair and hash of the subset."""
    read = [read_record(path) for path in records if path.exists()]
    return {(one["pair"], digest): np.array(found) for one in read for digest, found in one["subsets"].items()}


def subsets_read(systems: Iterable[SystemRuns]) -> list[Subset]:
    """Pair and hash of every subset that the runs of systems were trained on, each once."""
    runs = [run for system in systems for run in system.measured if SUBSET in run.train["inputs"]]
    return list(dict.fromkeys((run.cell.pair, run.train["inputs"][SUBSET]) for run in runs))


def sample_of(part: str, pair: str, systems: Sequence[SystemRuns], context: ClaimContext) -> Sample | None:
    """The rows of a part of a pair's test set; None where the similarities are not known.

    The least similar half is that of the sentences whose greatest similarity to anything that one of the compared runs
    has read is lowest, over all their seeds and sizes, so that it is the same half for both sides of a comparison.

    Raises:
        UserError: the similarities belong to another test set.
    """
    first: ScoredRun = systems[0].measured[0]
    (sentences, _) = first.statistics[TEST_SET][DEFAULT_METRIC].shape
    rows = np.arange(sentences)
    if part == LEAST_SIMILAR:
        wanted = subsets_read(systems)
        if not wanted or any(subset not in context.similarities for subset in wanted):
            return None
        found = [context.similarities[subset] for subset in wanted]
        if other := next((len(own) for own in found if len(own) != sentences), None):
            raise UserError(
                f"The similarities of {pair} are of {other} test sentences, but its scores are of {sentences}; run the "
                "sweep again."
            )
        rows = least_similar_half(np.max(found, axis=0))
    return Sample(TEST_SET, sentences, rows, stream=f"{pair} {part}", resamples=context.resamples)


def least_similar_half(similarities: np.ndarray) -> np.ndarray:
    """Rows below the median similarity, sorted; among equals the earlier ones."""
    order = np.argsort(similarities, kind="stable")
    return np.sort(order[: len(order) // 2])

"""The record of the findings, `findings.json`: every claim with its contrasts (`members`) and their effects."""

from typing import Any, Literal

from pydantic import Field

from mtpeft.core.records import Record

Verdict = Literal["supported", "refuted", "undecided"]


class MetricOutcome(Record):
    """The same effect in another metric, with the p-values of the same tests, not corrected."""

    effect: float
    interval: tuple[float, float] | None = None
    p_for: float | None = None
    p_against: float | None = None


class Outcome(Record):
    """The outcome of a contrast of a claim on one set of sentences; fields are None where nothing could be measured.

    `p_for` is the one-sided p-value for the effect that would support the claim, and `p_against` that for the effect
    that would refute it; those with `holm` are corrected over the contrasts. The verdict on this contrast uses the
    corrected p-values. `barred` says why the contrast can't support its claim, whatever is shown. `needs` says which
    sample sizes would decide it.
    """

    effect: float | None = None
    interval: tuple[float, float] | None = None
    metrics: dict[str, MetricOutcome] = Field(default={})
    p_for: float | None = None
    p_for_holm: float | None = None
    p_against: float | None = None
    p_against_holm: float | None = None
    sentences: int | None = None
    seeds: int | None = None
    languages: int | None = None
    verdict: Verdict = "undecided"
    barred: str = ""
    reason: str = ""
    needs: str = ""
    details: dict[str, Any] = Field(default={})


class ContrastRecord(Record):
    """One contrast of a claim: all test sentences, and the half least similar to what the cells were trained on."""

    member: str
    cells: list[str]
    step_zero: list[str]
    test: Outcome
    least_similar: Outcome


class Verdicts(Record):
    """The verdict on a claim on all test sentences, and on the least similar half."""

    test: Verdict
    least_similar: Verdict


class FindingRecord(Record):
    """A claim with its verdict.

    `over` says which of `verdicts` it is: the one for `every` contrast, or the one for the `mean` over languages, whose
    rows are in `mean`. `of` says whether the claim is the paper's or one on the models at hand.
    """

    claim: str
    study: str
    metric: str = "chrf"
    of: Literal["paper", "models"] = "paper"
    over: str = "every"
    statement: str
    effect: str
    rule: str
    verdict: Verdict
    least_similar_verdict: Verdict
    verdicts: dict[str, Verdicts] = Field(default={})
    scope: str
    reason: str
    members: list[ContrastRecord]
    mean: list[ContrastRecord] = Field(default=[])


class SanityCheckRecord(Record):
    """A sanity check: is full fine-tuning, or the untouched model, shown to be better than a reference row?

    `warning` says what it may mean if an untouched model is not.
    """

    model: str
    pair: str
    size: str
    reference: str
    effect: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None
    p_holm: float | None = None
    seeds: int | None = None
    exceeds: bool = False
    needs: str = ""
    warning: str = ""


class FindingsRecord(Record):
    """All findings of a run: `findings.json`. Effects and intervals are in the metric of each finding."""

    params: dict[str, Any]
    versions: dict[str, str]
    alpha: float
    margins: dict[str, float]
    resamples: int
    gate: list[SanityCheckRecord]
    untouched: list[SanityCheckRecord] = Field(default=[])
    findings: dict[str, FindingRecord]

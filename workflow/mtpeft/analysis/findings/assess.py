"""The step `test_claims`: test every claim on the cells of its study, and write the record and the page."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpeft.analysis.findings.claim import (
    EVERY,
    MEAN,
    bring_in_claims,
    claim_named,
    decision,
    effect_of,
    statement,
    verdict_on_all,
    verdict_on_one,
)
from mtpeft.analysis.findings.contrasts import ClaimContext, contrasts_of, read_similarities
from mtpeft.analysis.findings.decisions import decide_each, decide_mean
from mtpeft.analysis.findings.page import page_of
from mtpeft.analysis.findings.records import ContrastRecord, FindingRecord, FindingsRecord, Outcome, Verdicts
from mtpeft.analysis.findings.sanity_checks import check_full_fine_tuning, check_untouched, without_transfer
from mtpeft.analysis.read_tables import distances_of_languages
from mtpeft.analysis.score_tables import CellMetrics
from mtpeft.analysis.systems import ScoredRun, read_runs
from mtpeft.cells import Cell
from mtpeft.config.contrasts import claim_cells
from mtpeft.config.metrics import margins_in
from mtpeft.config.significance import ALPHA, resamples_for
from mtpeft.core.files import write_record, write_text
from mtpeft.core.languages import DISTANCES
from mtpeft.core.provenance import versions
from mtpeft.metrics.base import DEFAULT_METRIC

ONE_CHECKPOINT = "for these checkpoints"


def write_findings(
    params: Mapping[str, Any],
    *,
    similarities: Collection[Path],
    record: Path,
    page: Path,
    missing: Collection[Cell] = (),
    metrics: CellMetrics | None = None,
) -> None:
    """Write `findings.json` and `findings.md`.

    Args:
        params: `margin`, `claims`, `gate` (sanity checks of full fine-tuning), `untouched` (of untouched models).
        similarities: records of how much the test sentences resemble what the cells were trained on.
        record: where the record goes.
        page: where the readable page goes.
        missing: cells that have no results yet; claims that need them are left undecided.
        metrics: metrics that the cells were scored with.
    """
    bring_in_claims(params)
    runs = read_runs(claim_cells(dict(params)), missing, metrics)
    context = ClaimContext(
        similarities=read_similarities(similarities),
        distances=distances_of_languages(DISTANCES),
        without_transfer=frozenset(),
        margins=margins_in(params),
        resamples=resamples_for(_most_tests(params)),
    )
    checks = check_full_fine_tuning(params["gate"], runs, context)
    context = replace(context, without_transfer=without_transfer(checks))
    content = FindingsRecord(
        params=dict(params),
        versions=versions(("numpy", "scipy")),
        alpha=ALPHA,
        margins=dict(context.margins),
        resamples=context.resamples,
        gate=checks,
        untouched=check_untouched(params["untouched"], runs, context),
        findings={label: assess(claim, runs, context) for label, claim in params["claims"].items()},
    )
    write_record(record, content.model_dump())
    write_text(page, page_of(content))


def assess(params: Mapping[str, Any], runs: Mapping[Cell, ScoredRun], context: ClaimContext) -> FindingRecord:
    """Test one claim on all test sentences and on the half least similar to what the cells were trained on."""
    finding, contrasts = params["finding"], contrasts_of(params, runs)
    claim = claim_named(finding["claim"])
    if origin := finding.get("distance_from"):
        context = replace(context, distances=distances_of_languages(DISTANCES, origin))
    context = replace(context, finding=finding)
    metric, over = finding.get("metric", DEFAULT_METRIC), finding.get("over", EVERY)
    if claim.decide:
        rows = claim.decide(contrasts, context, metric=metric)
    else:
        rows = decide_each(contrasts, claim, context, metric=metric)
    means = decide_mean(contrasts, claim, context, metric=metric) if claim.can_be_over_mean else []
    verdict = verdict_on_one if claim.holds_for_one else verdict_on_all
    verdicts = {EVERY: _verdicts(rows, verdict), **({MEAN: _verdicts(means, verdict_on_all)} if means else {})}
    chosen = verdicts[over] if over in verdicts else Verdicts(test="undecided", least_similar="undecided")
    return FindingRecord(
        claim=claim.name,
        study=finding["study"],
        metric=metric,
        of=finding.get("of", claim.options.model_fields["of"].default),
        over=over,
        statement=statement(finding),
        effect=effect_of(claim, metric),
        rule=decision(finding, context.margins[metric]),
        verdict=chosen.test,
        least_similar_verdict=chosen.least_similar,
        verdicts=verdicts,
        scope=ONE_CHECKPOINT if params["one_checkpoint_each"] else "",
        reason="; ".join(params["lacks"]),
        members=rows,
        mean=means,
    )


def _most_tests(params: Mapping[str, Any]) -> int:
    """The largest number of tests that are corrected for together."""
    claims = [len(claim["members"]) for claim in params["claims"].values()]
    return max([1, len({row["pair"] for row in params["gate"]}), *claims])


def _verdicts(rows: Sequence[ContrastRecord], verdict: Callable[[Sequence[Outcome]], str]) -> Verdicts:
    return Verdicts(
        test=verdict([row.test for row in rows]), least_similar=verdict([row.least_similar for row in rows])
    )

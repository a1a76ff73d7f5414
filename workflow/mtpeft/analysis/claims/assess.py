"""Test every claim on the cells of its study, and write what comes out of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpeft.analysis.claims.differences import compared, decide
from mtpeft.analysis.claims.distance import KINDS, decide_distance, placed_members
from mtpeft.analysis.claims.gate import check_untouched, pass_gate, without_transfer
from mtpeft.analysis.claims.known import Known
from mtpeft.analysis.claims.mean import averaged, name_of, settings_of
from mtpeft.analysis.claims.members import Member, members_of
from mtpeft.analysis.claims.page import page_of
from mtpeft.analysis.claims.records import FindingRecord, FindingsRecord, MemberRecord, Outcome, Verdicts
from mtpeft.analysis.claims.rules import (
    DISTANCE_CLAIM,
    EVERY,
    MEAN,
    RULES,
    can_be_over_mean,
    decision,
    effect_of,
    statement,
    verdict_on_all,
    verdict_on_one,
)
from mtpeft.analysis.claims.samples import ALL, LEAST_SIMILAR, PARTS, read_similarities
from mtpeft.analysis.comet_scores import with_comet
from mtpeft.analysis.systems import Run, read_runs
from mtpeft.analysis.tables import distances_of_languages
from mtpeft.cells import Cell
from mtpeft.config.claims import claim_cells
from mtpeft.config.margins import margins_of
from mtpeft.config.significance import ALPHA, resamples_for
from mtpeft.core.files import write_record, write_text
from mtpeft.core.languages import DISTANCES
from mtpeft.core.provenance import versions
from mtpeft.metrics.names import CHRF

ONE_CHECKPOINT = "for these checkpoints"


def write_findings(
    settings: Mapping[str, Any],
    *,
    similarities: Collection[Path],
    record: Path,
    page: Path,
    missing: Collection[Cell] = (),
    comet: Collection[Cell] = (),
) -> None:
    """Write `findings.json` and `findings.md`.

    Args:
        settings: `margin`, `claims`, `gate`, `untouched`.
        similarities: records of how much the test sentences resemble what the cells have read.
        record: where the record goes.
        page: where the readable page goes.
        missing: cells that have no results yet; claims that need them are left undecided.
        comet: cells that COMET has scored.
    """
    runs = with_comet(read_runs(claim_cells(dict(settings)), missing), comet)
    known = Known(
        similarities=read_similarities(similarities),
        distances=distances_of_languages(DISTANCES),
        without_transfer=frozenset(),
        margins=margins_of(settings["margin"]),
        resamples=resamples_for(_most_tests(settings)),
    )
    gate = pass_gate(settings["gate"], runs, known)
    known = replace(known, without_transfer=without_transfer(gate))
    content = FindingsRecord(
        settings=dict(settings),
        versions=versions(("numpy", "scipy")),
        alpha=ALPHA,
        margins=dict(known.margins),
        resamples=known.resamples,
        gate=gate,
        untouched=check_untouched(settings["untouched"], runs, known),
        findings={label: assess(claim, runs, known) for label, claim in settings["claims"].items()},
    )
    write_record(record, content.model_dump())
    write_text(page, page_of(content))


def assess(claim: Mapping[str, Any], runs: Mapping[Cell, Run], known: Known) -> FindingRecord:
    """Test one claim on all test sentences and on the half least similar to what the cells have read."""
    finding, members = claim["finding"], members_of(claim, runs)
    kind, metric, over = finding["claim"], finding.get("metric", CHRF), finding.get("over", EVERY)
    by_distance = kind == DISTANCE_CLAIM
    rows = (_distance_rows if by_distance else _difference_rows)(kind, members, known, metric=metric)
    means = _mean_rows(kind, members, known, metric=metric) if can_be_over_mean(kind) else []
    verdicts = {EVERY: _verdicts(rows, on_one=by_distance), **({MEAN: _verdicts(means)} if means else {})}
    chosen = verdicts[over] if over in verdicts else Verdicts(test="undecided", least_similar="undecided")
    return FindingRecord(
        claim=kind,
        study=finding["study"],
        metric=metric,
        of=finding.get("of", RULES[kind].of),
        over=over,
        statement=statement(finding),
        effect=effect_of(kind, metric),
        rule=decision(finding, known.margins[metric]),
        verdict=chosen.test,
        least_similar_verdict=chosen.least_similar,
        verdicts=verdicts,
        scope=ONE_CHECKPOINT if claim["one_checkpoint_each"] else "",
        reason="; ".join(claim["lacks"]),
        members=rows,
        mean=means,
    )


def _most_tests(settings: Mapping[str, Any]) -> int:
    """The largest number of tests that are corrected for together."""
    claims = [len(claim["members"]) for claim in settings["claims"].values()]
    return max([1, len({row["pair"] for row in settings["gate"]}), *claims])


def _verdicts(rows: Sequence[MemberRecord], *, on_one: bool = False) -> Verdicts:
    verdict = verdict_on_one if on_one else verdict_on_all
    return Verdicts(
        test=verdict([row.test for row in rows]), least_similar=verdict([row.least_similar for row in rows])
    )


def _difference_rows(kind: str, members: list[Member], known: Known, *, metric: str) -> list[MemberRecord]:
    outcomes = {
        part: decide(
            [compared(member, RULES[kind], known, part=part, metric=metric) for member in members],
            RULES[kind],
            known,
            metric=metric,
        )
        for part in PARTS
    }
    return [
        _record(member.name, [member], outcomes[ALL][place], outcomes[LEAST_SIMILAR][place])
        for place, member in enumerate(members)
    ]


def _mean_rows(kind: str, members: list[Member], known: Known, *, metric: str) -> list[MemberRecord]:
    settings = settings_of(members)
    outcomes = {
        part: decide(
            [averaged(own, RULES[kind], known, part=part, metric=metric) for own in settings.values()],
            RULES[kind],
            known,
            metric=metric,
        )
        for part in PARTS
    }
    return [
        _record(name_of(setting, own), own, outcomes[ALL][place], outcomes[LEAST_SIMILAR][place])
        for place, (setting, own) in enumerate(settings.items())
    ]


def _distance_rows(kind: str, members: list[Member], known: Known, *, metric: str) -> list[MemberRecord]:
    if not members:
        return []
    outcomes = {part: decide_distance(members, known, part=part, metric=metric) for part in PARTS}
    placed = placed_members(members, known.distances)
    return [_record(f"{kind} distance", placed, outcomes[ALL][kind], outcomes[LEAST_SIMILAR][kind]) for kind in KINDS]


def _record(name: str, members: list[Member], test: Outcome, least_similar: Outcome) -> MemberRecord:
    cells = {run.cell for member in members for system in member.all_systems for run in system.runs}
    return MemberRecord(
        member=name,
        cells=[cell.path for cell in sorted(cells)],
        step_zero=[cell.path for member in members for cell in member.step_zero],
        test=test,
        least_similar=least_similar,
    )

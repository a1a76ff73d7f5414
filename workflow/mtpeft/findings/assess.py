"""Test every claim on the cells of its study, and write what comes out of it."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.config.claims import claim_cells
from mtpeft.config.settings import DISTANCES
from mtpeft.execution import versions
from mtpeft.figures.tables import read_distances
from mtpeft.findings.differences import decide_differences
from mtpeft.findings.distance import KINDS, decide_distance, placed_members
from mtpeft.findings.gate import pass_gate, without_transfer
from mtpeft.findings.known import Known
from mtpeft.findings.members import Member, members_of
from mtpeft.findings.page import page_of
from mtpeft.findings.rules import DISTANCE_CLAIM, RULES, decision, statement, verdict_of
from mtpeft.findings.samples import ALL, LEAST_SIMILAR, PARTS, read_similarities
from mtpeft.record_types import FindingRecord, FindingsRecord, MemberRecord
from mtpeft.records import write_record, write_text
from mtpeft.results.systems import Run, read_runs
from mtpeft.statistics.levels import ALPHA
from mtpeft.statistics.levels import RESAMPLES

ONE_CHECKPOINT = "for these checkpoints"


def write_findings(
    settings: Mapping[str, Any], *, parts: Mapping[str, Path], record: Path, page: Path, missing: Collection[Cell] = ()
) -> None:
    """Write `findings.json` and `findings.md`.

    Args:
        settings: `margin`, `claims`, `gate`.
        parts: `parts.json` of each pair.
        record: where the record goes.
        page: where the readable page goes.
        missing: cells that have no results yet; claims that need them are left undecided.
    """
    runs = read_runs(claim_cells(dict(settings)), missing)
    gate = pass_gate(settings["gate"], runs, settings["margin"])
    known = Known(read_similarities(parts), read_distances(DISTANCES), without_transfer(gate))
    content = FindingsRecord(
        settings=dict(settings),
        versions=versions(("numpy", "scipy")),
        alpha=ALPHA,
        margin=settings["margin"],
        resamples=RESAMPLES,
        gate=gate,
        findings={
            label: assess(claim, runs, known, margin=settings["margin"]) for label, claim in settings["claims"].items()
        },
    )
    write_record(record, content.model_dump())
    write_text(page, page_of(content))


def assess(claim: Mapping[str, Any], runs: Mapping[Cell, Run], known: Known, *, margin: float) -> FindingRecord:
    """Test one claim on all test sentences and on the half least similar to the fine-tuning text."""
    finding, members = claim["finding"], members_of(claim, runs)
    kind = finding["claim"]
    if kind == DISTANCE_CLAIM:
        rows = _distance_rows(members, known)
    else:
        rows = _difference_rows(kind, members, known, margin=margin)
    return FindingRecord(
        claim=kind,
        study=finding["study"],
        statement=statement(finding),
        effect=RULES[kind].effect,
        rule=decision(kind, margin),
        verdict=verdict_of(kind, [row.test.verdict for row in rows]),
        least_similar_verdict=verdict_of(kind, [row.least_similar.verdict for row in rows]),
        scope=ONE_CHECKPOINT if claim["one_checkpoint_each"] else "",
        reason="; ".join(claim["lacks"]),
        members=rows,
    )


def _difference_rows(kind: str, members: list[Member], known: Known, *, margin: float) -> list[MemberRecord]:
    outcomes = {part: decide_differences(members, RULES[kind], known, part=part, margin=margin) for part in PARTS}
    return [
        _record(member.name, [member], outcomes[ALL][place], outcomes[LEAST_SIMILAR][place])
        for place, member in enumerate(members)
    ]


def _distance_rows(members: list[Member], known: Known) -> list[MemberRecord]:
    if not members:
        return []
    outcomes = {part: decide_distance(members, known, part=part) for part in PARTS}
    placed = placed_members(members, known.distances)
    return [_record(f"{kind} distance", placed, outcomes[ALL][kind], outcomes[LEAST_SIMILAR][kind]) for kind in KINDS]


def _record(name: str, members: list[Member], test: Any, least_similar: Any) -> MemberRecord:
    cells = {run.cell for member in members for system in member.all_systems for run in system.runs}
    return MemberRecord(
        member=name,
        cells=[cell.path for cell in sorted(cells)],
        step_zero=[cell.path for member in members for cell in member.step_zero],
        test=test,
        least_similar=least_similar,
    )

"""What a study says, in sentences: its findings, which method to take in each setting, and what it can't show."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from mtpeft.analysis.findings.claim import claim_named, worded
from mtpeft.analysis.findings.number_formats import number, span
from mtpeft.analysis.findings.records import ContrastRecord, FindingRecord
from mtpeft.analysis.pairwise import Difference
from mtpeft.analysis.read_tables import System
from mtpeft.analysis.systems import OK
from mtpeft.cells import ANY
from mtpeft.config.significance import ALPHA
from mtpeft.figures.plotting.selection import REFERENCE_ROWS
from mtpeft.front.page.gather import Results
from mtpeft.front.page.matrices import Compared
from mtpeft.front.page.measured import SettingKey
from mtpeft.metrics.base import DEFAULT_METRIC, METRICS

MOST_NEEDS = 3
"""Cells that a sentence names of those that a finding waits for."""


def findings_of(results: Results) -> list[dict[str, Any]]:
    """Each claim with its verdict, and with effect, interval and reason of each comparison that it is made of."""
    if results.findings is None:
        return []
    return [_finding(label, finding) for label, finding in results.findings.findings.items()]


def _finding(label: str, finding: FindingRecord) -> dict[str, Any]:
    digits = METRICS[finding.metric].digits if claim_named(finding.claim).effect_is_score else 2
    chosen = finding.mean if finding.over == "mean" else finding.members
    return {
        "label": label,
        "study": finding.study,
        "statement": finding.statement,
        "verdict": worded(finding.verdict, finding.of),
        "kind": finding.verdict,
        "scope": finding.scope,
        "least_similar": worded(finding.least_similar_verdict, finding.of),
        "effect": finding.effect,
        "rule": finding.rule,
        "reason": finding.reason,
        "members": [_member(row, finding, digits) for row in chosen],
    }


def _member(row: ContrastRecord, finding: FindingRecord, digits: int) -> dict[str, Any]:
    own = row.test
    needs = _short_list(own.needs) if own.effect is None else own.needs
    return {
        "member": row.member,
        "effect": None if own.effect is None else number(own.effect, digits),
        "interval": span(own.interval, digits),
        "verdict": worded(own.verdict, finding.of),
        "kind": own.verdict,
        "reason": own.reason if own.effect is not None else f"needs {needs}" if needs else own.reason,
        "needs": own.needs if own.effect is not None else "",
        "cells": row.cells,
    }


def _short_list(needs: str) -> str:
    """The first of many cells that are named one after another."""
    named = needs.split(", ")
    return ", ".join(named[:MOST_NEEDS]) + (f" and {len(named) - MOST_NEEDS} more" if len(named) > MOST_NEEDS else "")


def choice_of(setting: SettingKey, compared: Compared, systems: Sequence[System]) -> dict[str, Any] | None:
    """The fine-tuned system with the best score in a setting, and the cheapest that is not shown to be worse.

    Args:
        setting: model, pair, size and test set.
        compared: the comparisons of the setting.
        systems: rows of the summary in the default metric.
    """
    own = {(one.method, one.budget): one for one in systems if (*vars(one.setting).values(),) == setting and one.score}
    tuned = [key for key in (compared.best, *compared.behind) if key in own]
    if compared.best not in own:
        return None
    alike = [key for key in tuned if key == compared.best or compared.behind[key].p_holm >= ALPHA]
    cheapest = min(alike, key=lambda key: own[key].costs.get("stored_bytes", float("inf")))
    return {
        "setting": list(setting),
        "pairs": max((own[key].training_pairs or 0 for key in tuned), default=0) or None,
        "best": list(compared.best),
        "cheapest": list(cheapest),
        "alike": [list(key) for key in alike],
        "behind": [[*key, *_written(difference)] for key, difference in compared.behind.items()],
        "of": len(tuned),
        "seeds": max(own[key].seeds for key in tuned),
    }


def _written(difference: Difference) -> list[float]:
    return [round(value, 4) for value in (difference.effect, difference.low, difference.high, difference.p_holm)]


def limits_of(results: Results) -> list[str]:
    """What this study can't show, a sentence each."""
    return [
        *_states(results),
        *_one_seed(results),
        *_undecided(results),
        *_one_checkpoint(results),
        *_transfer(results),
        *_devices(results),
        *(study.stamp for study in results.configuration.studies.values() if study.stamp),
    ]


def _states(results: Results) -> Iterator[str]:
    counts = Counter(cell.status for cell in results.cells)
    lacking = {state: count for state, count in counts.items() if state != OK}
    if lacking:
        words = ", ".join(f"{count} {state}" for state, count in sorted(lacking.items()))
        yield f"{counts[OK]} of {len(results.cells)} cells have a score; {words}. Nothing is filled in for the others."


def _one_seed(results: Results) -> Iterator[str]:
    tuned = [system for system in results.systems[DEFAULT_METRIC] if _is_tuned(system)]
    single = [system for system in tuned if system.seeds == 1]
    if single:
        yield (
            f"{len(single)} of {len(tuned)} tuned systems have one seed: their intervals cover the choice of test "
            "sentences, not that of the seed, so another seed may differ by more than they say."
        )


def _undecided(results: Results) -> Iterator[str]:
    findings = results.findings.findings if results.findings else {}
    if not findings:
        yield "The study file has no claims, so nothing is tested beyond differences between systems."
    open_ = [label for label, finding in findings.items() if finding.verdict == "undecided"]
    if open_:
        yield (
            f"{len(open_)} of {len(findings)} claims are undecided ({', '.join(open_)}): that is no evidence for or "
            "against them; what would decide each stands beside it."
        )


def _one_checkpoint(results: Results) -> Iterator[str]:
    scoped = results.findings and any(finding.scope for finding in results.findings.findings.values())
    if scoped:
        yield (
            "Claims hold for these checkpoints: no base model was pre-trained twice, so what another pre-training of "
            "the same model would give is unknown."
        )


def _transfer(results: Results) -> Iterator[str]:
    gate = results.findings.gate if results.findings else []
    not_shown = [row for row in gate if row.effect is not None and not row.exceeds]
    failed = sorted({f"{row.model}, {row.pair}, {row.size}" for row in not_shown})
    if failed:
        yield (
            f"Full fine-tuning is not shown to gain more than the margin in {len(failed)} settings ({failed[0]}"
            f"{' and others' if len(failed) > 1 else ''}), where being on par with it means little."
        )


def _devices(results: Results) -> Iterator[str]:
    devices = sorted({cell.costs.get("device", "") for cell in results.cells if cell.costs.get("device")})
    if len(devices) > 1:
        yield f"Cells ran on {', '.join(devices)}; times and memory can be compared only among cells of one device."
    elif devices:
        yield f"Times and memory are those of the machine that ran the cells (device: {devices[0]})."


def _is_tuned(system: System) -> bool:
    return system.method not in REFERENCE_ROWS and system.budget != ANY and system.score is not None

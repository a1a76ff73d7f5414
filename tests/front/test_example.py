"""The results that the README shows are those of the default study as it is now."""

import csv
import json
import re
from pathlib import Path

import pytest

from mtpeft.analysis.findings.claim import NOT_REPRODUCED, worded
from mtpeft.analysis.findings.number_formats import number, span
from mtpeft.analysis.findings.page import page_of
from mtpeft.analysis.findings.records import FindingsRecord
from mtpeft.config.load import load
from mtpeft.config.schema import Configuration
from mtpeft.core.files import canonical, read_record
from mtpeft.steps.cells_of_studies import all_cells
from support.record import schema_mistakes
from support.steps import claims_params

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "workflow" / "report" / "example"
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEFAULT = load()
EXPOSURE = load([ROOT / "workflow/studies/exposure.yaml"])
RECORD = read_record(EXAMPLE / "findings.json")
FINDINGS = FindingsRecord(**RECORD)
EFFECT = re.compile(r"(−?\d+\.\d\d) \((−?\d+\.\d\d to −?\d+\.\d\d)\)")


def row_of(label: str) -> str:
    """The README's row on a finding."""
    (row,) = re.findall(rf"(?m)^\| `{label}` \|.*$", README)
    return row


STUDIES = {"default study": (EXAMPLE, DEFAULT), "exposure": (EXAMPLE / "exposure", EXPOSURE)}
LATER = {"sequence_prefix", "norm_weights", "bitfit_norms"}
"""Methods of the study of all methods that came after its shipped results."""
UNTUNED = ("full", "scratch", "retrieval", "none")
METHODS = load([ROOT / "workflow/studies/methods.yaml"])


@pytest.mark.parametrize("study", STUDIES)
def test_the_claims_are_those_of_the_configuration_on_the_same_cells(study: str) -> None:
    folder, configuration = STUDIES[study]
    record = read_record(folder / "findings.json")
    assert schema_mistakes(record, "findings") == []
    # The digests of the cells are of the text, which the shipped results share with nobody.
    wanted = {key: value for key, value in claims_params(configuration).items() if key != "cells"}
    assert record["settings"] == json.loads(canonical(wanted))
    assert (folder / "findings.md").read_text(encoding="utf-8") == page_of(FindingsRecord(**record))


@pytest.mark.parametrize(
    ("folder", "configuration"), [*STUDIES.values(), (EXAMPLE / "methods", METHODS)], ids=[*STUDIES, "methods"]
)
def test_every_cell_has_its_score(folder: Path, configuration: Configuration) -> None:
    rows = list(csv.DictReader((folder / "summary.csv").open(encoding="utf-8")))
    cells = [cell for cell in all_cells(configuration) if cell.method not in LATER]
    assert sum(int(row["seeds"]) for row in rows) == len(cells)
    assert not LATER & {row["method"] for row in rows}
    assert {row["missing"] for row in rows} == {row["diverged"] for row in rows} == {"0"}


def test_the_readme_tells_what_exposure_did() -> None:
    (finding,) = FindingsRecord(**read_record(EXAMPLE / "exposure/findings.json")).findings.values()
    told = README[README.index("On the default models the claim is") :].split("###")[0]
    assert f"**{finding.verdict}**" in told
    effects = {(number(member.test.effect), span(member.test.interval)) for member in finding.members}
    numbers = set(re.findall(r"(−?\d+\.\d\d)(?: more,|,)? \(?(−?\d+\.\d\d to −?\d+\.\d\d)\)", " ".join(told.split())))
    assert len(numbers) == 3
    assert numbers <= effects


def test_the_readme_tells_what_tuning_costs_other_languages() -> None:
    rows = list(csv.DictReader((EXAMPLE / "forgetting/others.csv").open(encoding="utf-8")))
    told = " ".join(README[README.index("Full fine-tuning on Portuguese brings") :].split("###")[0].split())
    for row in rows:
        lost, most, least = (-float(row[f"minus_none{end}"]) for end in ("", "_low", "_high"))
        if row["method"] == "full":
            assert f"{lost:.1f} ({least:.1f} to {most:.1f})" in told
        else:
            assert least <= 0


def test_the_readme_tells_how_the_methods_compare() -> None:
    rows = list(csv.DictReader((EXAMPLE / "methods/summary.csv").open(encoding="utf-8")))
    tuned = [row for row in rows if row["minus_full"] and METHODS.methods[row["method"]].method not in UNTUNED]
    told = " ".join(README[README.index("A row per method, the best first") :].split("###")[0].split())
    measured = {
        (number(float(row[f"minus_{to}"])), span((float(row[f"minus_{to}_low"]), float(row[f"minus_{to}_high"]))))
        for row in rows
        for to in ("full", "none")
        if row[f"minus_{to}"]
    }
    assert len(EFFECT.findall(told)) == 10
    assert set(EFFECT.findall(told)) <= measured
    near = {row["method"] for row in tuned if row["budget"] == "b10" and float(row["minus_full_low"]) > -1}
    assert set(re.findall(r"`(\w+)`", told[told.index("eleven methods") : told.index("so does")])) == near
    assert not [row for row in tuned if row["budget"] == "b1" and float(row["minus_full_low"]) > -1]
    assert f"{sum(row['step_zero'] != '0' for row in tuned)} of the {len(tuned)} tuned systems" in told


@pytest.mark.parametrize("label", DEFAULT.findings)
def test_the_readme_tells_each_verdict_as_it_came_out(label: str) -> None:
    finding = FINDINGS.findings[label]
    told = [worded(found, finding.of) for found in (finding.verdict, finding.least_similar_verdict)]
    assert re.findall(rf"supported|refuted|undecided|{NOT_REPRODUCED}", row_of(label)) == told


@pytest.mark.parametrize("label", DEFAULT.findings)
def test_the_readme_has_its_numbers_from_the_findings(label: str) -> None:
    measured = {
        (number(outcome.effect), span(outcome.interval))
        for member in FINDINGS.findings[label].members
        for outcome in (member.test, member.least_similar)
    }
    told = set(EFFECT.findall(row_of(label)))
    assert told
    assert told <= measured


def test_the_readme_tells_how_the_gate_came_out() -> None:
    passed = sum(row.exceeds for row in FINDINGS.gate)
    assert f"{passed} of {len(FINDINGS.gate)} rows" in README

"""The results that the README and its pages show are those of the shipped studies as they are now."""

import csv
import json
import re
from pathlib import Path

import pytest

from mtpeft.analysis.findings.claim import NOT_REPRODUCED, worded
from mtpeft.analysis.findings.number_formats import number, span
from mtpeft.analysis.findings.page import page_of
from mtpeft.analysis.findings.records import FindingsRecord
from mtpeft.analysis.read_tables import read_distances
from mtpeft.config.load import load
from mtpeft.config.schema import Configuration
from mtpeft.core.files import canonical, read_record
from mtpeft.core.languages import DISTANCES
from mtpeft.steps.cells_of_studies import placed_cells
from support.pages import PAGES, README, rows, section
from support.record import schema_mistakes
from support.steps import params_of

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "workflow" / "report" / "example"
RESULTS = PAGES[ROOT / "workflow" / "docs" / "results.md"]
DEFAULT = load()
EXPOSURE = load([ROOT / "workflow/studies/exposure.yaml"])
RECORD = read_record(EXAMPLE / "findings.json")
FINDINGS = FindingsRecord(**RECORD)
EFFECT = re.compile(r"(−?\d+\.\d\d) \((−?\d+\.\d\d to −?\d+\.\d\d)\)")


def row_of(label: str) -> str:
    """The row of the page of results on a finding."""
    (row,) = re.findall(rf"(?m)^\| `{label}` \|.*$", RESULTS)
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
    wanted = {key: value for key, value in params_of("test_claims", configuration).items() if key != "cells"}
    assert record["params"] == json.loads(canonical(wanted))
    assert (folder / "findings.md").read_text(encoding="utf-8") == page_of(FindingsRecord(**record))


@pytest.mark.parametrize(
    ("folder", "configuration"), [*STUDIES.values(), (EXAMPLE / "methods", METHODS)], ids=[*STUDIES, "methods"]
)
def test_every_cell_has_its_score(folder: Path, configuration: Configuration) -> None:
    shipped = list(csv.DictReader((folder / "summary.csv").open(encoding="utf-8")))
    cells = [cell for cell in placed_cells(configuration) if cell.method not in LATER]
    assert sum(int(row["seeds"]) for row in shipped) == len(cells)
    assert not LATER & {row["method"] for row in shipped}
    assert {row["missing"] for row in shipped} == {row["diverged"] for row in shipped} == {"0"}


PAGE = "workflow/docs/results.md"


def table_of(file: str) -> list[dict[str, str]]:
    """The rows of a shipped table."""
    return list(csv.DictReader((EXAMPLE / file).open(encoding="utf-8")))


SUMMARY = table_of("summary.csv")


def value(row: dict[str, str], column: str) -> str:
    """A number of a table, as the page has it."""
    return number(float(row[column])) if row[column] else "–"


def effect(row: dict[str, str], column: str) -> str:
    """A number of a table with its interval, as the page has it."""
    interval = tuple(float(row[f"{column}_{end}"]) for end in ("low", "high")) if row[column] else ()
    return f"{value(row, column)} ({span(interval)})" if interval else "–"


def measured(rows: list[dict[str, str]] = SUMMARY, **labels: str) -> dict[str, str] | None:
    """The row of a shipped table with these labels."""
    found = [row for row in rows if all(row[name] == label for name, label in labels.items())]
    assert len(found) <= 1
    return found[0] if found else None


OF_THE_BUDGETS = {"model": "small", "pair": "pt-en", "size": "n1600"}
UNTOUCHED = measured(model="small", pair="pt-en", method="none")


def test_the_readme_shows_five_methods() -> None:
    told = rows(section("README.md", "Result"))
    methods = {"full fine-tuning": ("full", "all"), "adapter": ("adapter", "b10"), "LoRA": ("lora", "b10"),
               "prefix": ("prefix", "b10")}  # fmt: skip
    *tuned, untouched = told
    assert [row["method"] for row in tuned] == list(methods)
    assert untouched["chrF"] == value(UNTOUCHED, "chrf")
    for row in tuned:
        method, budget = methods[row["method"]]
        found = measured(**OF_THE_BUDGETS, method=method, budget=budget)
        assert row["chrF"] == value(found, "chrf")
        assert row["gain over the untouched model (95 % interval)"] == effect(found, "minus_none")
        assert row["trained share"] == f"{float(found['trained_share']):.0%}".replace("%", " %")


def test_the_readme_tells_how_many_cells_there_are() -> None:
    quick = load([ROOT / "workflow/studies/quick.yaml"])
    assert f"one pair, one seed, {len(placed_cells(quick))} cells" in README
    assert f"the default study ({len(placed_cells(DEFAULT))} cells)" in README


def test_the_readme_tells_the_verdicts() -> None:
    verdicts = {finding.verdict for finding in FINDINGS.findings.values()}
    assert "no claim of the paper was supported at this scale, and one was not reproduced" in README
    assert "supported" not in verdicts
    assert [worded(found.verdict, found.of) for found in FINDINGS.findings.values()].count(NOT_REPRODUCED) == 1


def test_the_page_tells_what_budgets_bring() -> None:
    text = section(PAGE, "Budgets")
    assert f"({value(UNTOUCHED, 'chrf')} chrF)" in text
    by_budget = [row for row in rows(text) if "50 %" in row]
    by_size = [row for row in rows(text) if "gain" in row]
    assert (len(by_budget), len(by_size)) == (5, 4)
    for row in by_budget:
        for share in ("0.5", "1", "5", "10", "20", "50"):
            found = measured(**OF_THE_BUDGETS, method=row["method"], budget=f"b{share}")
            assert row[f"{share} %"] == (value(found, "minus_none") if found else "–")
    for row in by_size:
        (found,) = [
            own for own in SUMMARY
            if own["method"] == row["method"] and OF_THE_BUDGETS.items() <= own.items() and own["budget"][0] != "b"
        ]  # fmt: skip
        assert row["gain"] == effect(found, "minus_none")
        assert row["trained share"] == f"{float(found['trained_share']):.1%}".replace("%", " %")


def test_the_page_tells_what_training_sizes_bring() -> None:
    told = rows(section(PAGE, "Training sizes"))
    assert len(told) == 4
    for row in told:
        where = {"pair": "pt-en", "size": f"n{row['training pairs'].replace(',', '')}"}
        full = measured(model="small", **where, method="full")
        assert row["full minus none"] == value(full, "minus_none")
        for method in ("adapter", "lora"):
            found = measured(model="small", **where, method=method, budget="b10")
            assert row[f"{method} minus full"] == (value(found, "minus_full") if found else "–")
        assert row["chrF of retrieval"] == value(measured(**where, method="retrieval"), "chrf")


def test_the_page_tells_what_languages_bring() -> None:
    told = rows(section(PAGE, "Languages"))
    distances = {language: own.syntactic for language, own in read_distances(DISTANCES).items()}
    pairs = [row["pair"] for row in told]
    assert sorted(pairs) == sorted(DEFAULT.studies["languages"].pairs)
    assert pairs == sorted(pairs, key=lambda pair: distances[pair.split("-")[0]])
    for row in told:
        where = {"model": "small", "pair": row["pair"], "size": "n1600"}
        assert row["gain of full"] == effect(measured(**where, method="full"), "minus_none")
        assert row["gain of adapter"] == effect(measured(**where, method="adapter", budget="b10"), "minus_none")
    kept = {pair: measured(pair=pair, model="small", method="adapter", budget="b10", size="n1600") for pair in pairs}
    assert {pair: row["step_zero"] for pair, row in kept.items() if row["step_zero"] != "0"} == {
        "tr-en": "3", "hu-en": "2", "lt-en": "1"}  # fmt: skip


def test_the_page_tells_what_exposure_did() -> None:
    (finding,) = FindingsRecord(**read_record(EXAMPLE / "exposure/findings.json")).findings.values()
    told = section(PAGE, "What the base model has seen")
    assert f"**{finding.verdict}**" in told
    effects = {(number(member.test.effect), span(member.test.interval)) for member in finding.members}
    numbers = set(EFFECT.findall(told))
    assert len(numbers) == 3
    assert numbers <= effects
    full = measured(table_of("exposure/summary.csv"), model="denoiser", size="n1600", method="full")
    assert f"full fine-tuning gains {float(full['minus_none']):.1f} chrF" in told


def test_the_page_tells_what_tuning_costs_other_languages() -> None:
    shipped = table_of("forgetting/others.csv")
    told = section(PAGE, "Catastrophic forgetting")
    for row in shipped:
        lost, most, least = (-float(row[f"minus_none{end}"]) for end in ("", "_low", "_high"))
        if row["method"] == "full":
            assert f"{lost:.1f} ({least:.1f} to {most:.1f})" in told
        else:
            assert least <= 0
    assert 2 * len(rows(told)) == len(shipped)
    for row in rows(told):
        for pair, language in (("de-en", "German"), ("tr-en", "Turkish")):
            found = measured(shipped, method=row["method"], budget=row["budget"], scored_pair=pair)
            assert row[language] == effect(found, "minus_none")


def test_the_page_tells_how_the_methods_compare() -> None:
    shipped = table_of("methods/summary.csv")
    tuned = [row for row in shipped if row["minus_full"] and METHODS.methods[row["method"]].method not in UNTUNED]
    told = section(PAGE, "All methods")
    compared = rows(told)
    assert len(compared) == 16
    for row in compared:
        found = measured(shipped, method=row["method"], budget=row["budget"])
        assert row["minus full"] == effect(found, "minus_full")
        assert row["minus none"] == effect(found, "minus_none")
        assert row["seconds per cell"] == f"{float(found['train_seconds']):.0f}"
    near = {row["method"] for row in tuned if row["budget"] == "b10" and float(row["minus_full_low"]) > -1}
    assert len(near) == 11
    assert set(re.findall(r"`(\w+)`", told[told.index("eleven methods") : told.index("The same holds")])) == near
    assert not [row for row in tuned if row["budget"] == "b1" and float(row["minus_full_low"]) > -1]
    assert f"{sum(row['step_zero'] != '0' for row in tuned)} of the {len(tuned)} tuned systems" in told
    assert set(re.findall(r"`(\w+)`", told[told.index("Methods that were added") :])) == LATER


def test_the_page_tells_what_tuning_does_to_representations() -> None:
    shipped = table_of("representations/representations.csv")
    told = rows(section(PAGE, "Representations"))
    assert len(told) == 5
    for row in told:
        for side in ("encoder", "decoder"):
            ranks = [
                float(own["effective_rank"]) for own in shipped
                if (own["method"], own["side"], own["layer"]) == (row["method"], side, "2")
            ]  # fmt: skip
            assert row[side] == f"{sum(ranks) / len(ranks):.1f}"


@pytest.mark.parametrize("label", DEFAULT.findings)
def test_the_page_tells_each_verdict_as_it_came_out(label: str) -> None:
    finding = FINDINGS.findings[label]
    told = [worded(found, finding.of) for found in (finding.verdict, finding.least_similar_verdict)]
    assert re.findall(rf"supported|refuted|undecided|{NOT_REPRODUCED}", row_of(label)) == told


@pytest.mark.parametrize("label", DEFAULT.findings)
def test_the_page_has_its_numbers_from_the_findings(label: str) -> None:
    found = {
        (number(outcome.effect), span(outcome.interval))
        for member in FINDINGS.findings[label].members
        for outcome in (member.test, member.least_similar)
    }
    told = set(EFFECT.findall(row_of(label)))
    assert told
    assert told <= found


def test_the_page_tells_how_the_gate_came_out() -> None:
    passed = sum(row.exceeds for row in FINDINGS.gate)
    assert f"{passed} of {len(FINDINGS.gate)} rows" in RESULTS

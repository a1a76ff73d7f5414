"""The results that the README and its pages show are those of `full.yaml` as it is now."""

import csv
import json
import re
from pathlib import Path

import pytest

from mtpeft.analysis.findings.claim import NOT_REPRODUCED, worded
from mtpeft.analysis.findings.number_formats import number, span
from mtpeft.analysis.findings.page import page_of
from mtpeft.analysis.findings.records import FindingsRecord
from mtpeft.analysis.read_tables import distances_of_languages
from mtpeft.config.load import load
from mtpeft.core.files import canonical, read_record
from mtpeft.core.languages import DISTANCES
from mtpeft.steps.cells_of_studies import placed_cells
from support.example import EXAMPLE, effect, known, measured, percent, shortfall, table_of, value
from support.pages import PAGES, README, rows, section
from support.record import schema_mistakes
from support.steps import params_of

ROOT = Path(__file__).parents[2]
PAGE = "workflow/docs/results.md"
RESULTS = PAGES[ROOT / PAGE]
DEFAULT = load()
FULL = load([ROOT / "workflow/studies/full.yaml"])
RECORD = read_record(EXAMPLE / "findings.json")
FINDINGS = FindingsRecord(**RECORD)
EFFECT = re.compile(r"(−?\d+\.\d\d) \((−?\d+\.\d\d to −?\d+\.\d\d)\)")
VERDICT = re.compile(rf"supported|refuted|undecided|{NOT_REPRODUCED}")


SUMMARY = table_of("summary.csv")


SPANISH = {"model": "student", "pair": "es-en", "size": "n1600"}
UNTOUCHED = known(SUMMARY, model="student", pair="es-en", method="none")


def test_the_claims_are_those_of_the_configuration_on_the_same_cells() -> None:
    assert schema_mistakes(RECORD, "findings") == []
    # The digests of the cells are those of the text as well, which is not here where the tests run.
    shipped, wanted = (
        {key: value for key, value in params.items() if key != "cells"}
        for params in (RECORD["params"], params_of("test_claims", FULL))
    )
    assert shipped == json.loads(canonical(wanted))
    assert (EXAMPLE / "findings.md").read_text(encoding="utf-8") == page_of(FINDINGS)


def test_every_cell_has_its_score() -> None:
    assert sum(int(row["seeds"]) for row in SUMMARY) == len(placed_cells(FULL))
    assert {row["missing"] for row in SUMMARY} == {row["diverged"] for row in SUMMARY} == {"0"}
    assert {row["step_zero"] for row in SUMMARY} == {"0"}


def test_every_figure_that_the_pages_show_is_there() -> None:
    shown = {name for text in PAGES.values() for name in re.findall(r"report/example/(\w+\.png)", text)}
    assert shown <= {path.name for path in EXAMPLE.glob("*.png")}
    assert {*FULL.studies, "efficiency"} == {path.stem for path in EXAMPLE.glob("*.png")}


def test_the_readme_shows_what_methods_bring() -> None:
    *tuned, untouched = (row for row in rows(section("README.md", "Result")) if "method" in row)
    labels = {"full fine-tuning": "full", "adapter": "adapter", "LoRA": "lora", "BitFit": "bitfit"}
    assert {row["method"] for row in tuned} == set(labels)
    assert untouched["chrF"] == value(UNTOUCHED, "chrf")
    for row in tuned:
        (found,) = (
            own for own in SUMMARY
            if SPANISH.items() <= own.items()
            and own["method"] == labels[row["method"]]
            and percent(own["trained_share"], 1) == row["trained share"]
        )  # fmt: skip
        assert row["chrF"] == value(found, "chrf")
        assert row["gain over the untouched model (95 % interval)"] == effect(found, "minus_none")


def test_the_readme_tells_how_many_cells_there_are() -> None:
    quick = load([ROOT / "workflow/studies/quick.yaml"])
    assert f"one pair, one seed, {len(placed_cells(quick))} cells" in README
    assert f"the default study ({len(placed_cells(DEFAULT))} cells)" in README
    cells, of_default = (len(placed_cells(study)) for study in (FULL, DEFAULT))
    assert f"it has {cells} cells, among them the {of_default} of the default study" in RESULTS


def test_the_readme_tells_the_verdicts() -> None:
    told = {row["claim"]: row["verdict"] for row in rows(section("README.md", "Result")) if "claim" in row}
    on_page = {row["claim of the paper"]: row["verdict"].strip("*") for row in rows(section(PAGE, "Claims"))}
    assert told == on_page


def test_the_page_tells_what_budgets_bring() -> None:
    text = section(PAGE, "Budgets")
    assert f"({value(UNTOUCHED, 'chrf')} chrF)" in text
    by_budget = [row for row in rows(text) if "10 %" in row]
    by_size = [row for row in rows(text) if "gain" in row]
    assert (len(by_budget), len(by_size)) == (3, 4)
    for row in by_budget:
        for share in ("0.5", "1", "10"):
            found = measured(SUMMARY, **SPANISH, method=row["method"], budget=f"b{share}")
            assert row[f"{share} %"] == (value(found, "minus_none") if found else "–")
    for row in by_size:
        (found,) = (
            own for own in SUMMARY
            if own["method"] == row["method"] and SPANISH.items() <= own.items() and own["budget"][0] != "b"
        )  # fmt: skip
        assert row["gain"] == effect(found, "minus_none")
        assert row["trained share"] == percent(found["trained_share"], 2)
    for method in ("lora", "adapter"):
        assert shortfall(known(SUMMARY, **SPANISH, method=method, budget="b10")) in text
    full, *least = (
        float(known(SUMMARY, **SPANISH, method=method, budget=budget)["minus_none"])
        for method, budget in (("full", "all"), ("lora", "b0.5"), ("layernorm", "native"))
    )
    assert f"Half a percent of the parameters brings {least[0] / full:.0%}".replace("%", " %") in text
    assert round(least[1] / full, 1) == 0.5


def test_the_page_tells_what_training_sizes_bring() -> None:
    told = rows(section(PAGE, "Training sizes"))
    assert len(told) == len(set(FULL.studies["data_sizes"].labels("sizes")))
    for row in told:
        where = {"pair": "es-en", "size": f"n{row['training pairs'].replace(',', '')}"}
        full = known(SUMMARY, model="student", **where, method="full")
        assert row["seeds"] == full["seeds"]
        assert row["full minus none"] == effect(full, "minus_none")
        for method in ("adapter", "lora"):
            found = known(SUMMARY, model="student", **where, method=method, budget="b10")
            assert row[f"{method} minus full"] == effect(found, "minus_full")
        assert row["chrF of retrieval"] == value(known(SUMMARY, **where, method="retrieval"), "chrf")


def test_the_page_tells_what_languages_bring() -> None:
    text = section(PAGE, "Languages")
    told = rows(text)
    distances = {language: own.syntactic for language, own in distances_of_languages(DISTANCES, "pt").items()}
    assert sorted(row["pair"] for row in told) == sorted(FULL.studies["languages"].pairs)
    assert [row["distance"] for row in told] == sorted(row["distance"] for row in told)
    texts = table_of("text.csv")
    for row in told:
        where = {"model": "student", "pair": row["pair"], "size": "n1600"}
        assert row["distance"] == f"{distances[row['pair'].split('-')[0]]:.3f}"
        of_text = known(texts, model="student", pair=row["pair"])
        assert row["unknown"] == percent(of_text["source_unknown"], 1)
        if of_text["sentences"] != "1200":
            assert of_text["sentences"] in text
        assert row["chrF of none"] == value(known(SUMMARY, model="student", pair=row["pair"], method="none"), "chrf")
        assert row["seeds"] == known(SUMMARY, **where, method="full")["seeds"]
        assert row["gain of full"] == effect(known(SUMMARY, **where, method="full"), "minus_none")
        for share in ("10", "1"):
            found = known(SUMMARY, **where, method="adapter", budget=f"b{share}")
            assert row[f"gain of adapter, {share} %"] == value(found, "minus_none")
    for pair, language in (("es-en", "on Spanish"), ("tr-en", "on Turkish"), ("de-en", "German")):
        where = {"model": "student", "pair": pair, "size": "n1600"}
        small, full = (
            float(known(SUMMARY, **where, method=method, budget=budget)["minus_none"])
            for method, budget in (("adapter", "b1"), ("full", "all"))
        )
        kept = percent(str(small / full), 0)
        assert re.search(rf"{kept} {language}|{language}.* keeps {kept}", text)


def test_the_page_tells_what_letters_bring() -> None:
    text = section(PAGE, "Letters")
    told, gaps, worse = rows(text), {"student": [], "lettered": []}, 0
    assert f"each of the {len(FULL.models['lettered'].extend.letters)} letters" in text
    assert sorted(row["pair"] for row in told) == sorted(FULL.studies["letters"].pairs)
    texts = table_of("text.csv")
    for row in told:
        for model, suffix in (("student", ""), ("lettered", " with letters")):
            where = {"model": model, "pair": row["pair"], "size": "n1600"}
            unknown = known(texts, model=model, pair=row["pair"])["source_unknown"]
            assert row[f"unknown{suffix}"] == percent(unknown, 1)
            adapter = known(SUMMARY, **where, method="adapter", budget="b10")
            assert row[f"full{suffix}"] == value(known(SUMMARY, **where, method="full"), "chrf")
            assert row[f"adapter minus full{suffix}"] == effect(adapter, "minus_full")
            gaps[model].append(-float(adapter["minus_full"]))
        worse += float(row["full with letters"]) < float(row["full"])
    without, with_letters = (f"{sum(own) / len(own):.1f}" for own in gaps.values())
    assert f"lower on {worse} of the {len(told)} languages" in text
    assert f"is {without} chrF without letters and {with_letters} with them" in text


def test_the_page_tells_what_frozen_embeddings_cost() -> None:
    told = rows(section(PAGE, "Embeddings"))
    assert {row["method"] for row in told} == {*FULL.studies["embeddings"].methods} - {"none"}
    budgets = ("all", "native", *FULL.studies["embeddings"].budgets)
    for row in told:
        found = next(
            own for own in SUMMARY
            if own["method"] == row["method"] and SPANISH.items() <= own.items() and own["budget"] in budgets
        )  # fmt: skip
        assert row["trained share"] == percent(found["trained_share"], 1)
        assert row["seeds"] == found["seeds"]
        assert row["gain"] == effect(found, "minus_none")


def test_the_page_tells_what_model_size_brings() -> None:
    text = section(PAGE, "Models")
    told = rows(text)
    assert [row["model"] for row in told] == FULL.studies["models"].models
    for row in told:
        where = {"model": row["model"], "pair": "es-en", "size": "n1600"}
        full = known(SUMMARY, **where, method="full")
        assert row["parameters"] == f"{int(full['trained_parameters']):,}"
        assert row["none"] == value(known(SUMMARY, model=row["model"], pair="es-en", method="none"), "chrf")
        assert row["full"] == effect(full, "chrf")
        adapter = known(SUMMARY, **where, method="adapter", budget="b10")
        assert row["adapter"] == effect(adapter, "chrf")
        assert shortfall(adapter) in text


def test_the_page_tells_what_tuning_costs_portuguese() -> None:
    shipped = table_of("others.csv")
    text = section(PAGE, "Catastrophic forgetting")
    told = rows(text)
    assert f"({value(known(SUMMARY, model='student', pair='pt-en', method='none'), 'chrf')})" in text
    assert len(told) == len(shipped)
    for row in told:
        found = known(shipped, method=row["method"], budget=row["budget"], scored_pair="pt-en")
        assert row["Portuguese"] == effect(found, "minus_none")


def row_of(label: str) -> dict[str, str]:
    """The row of the page of results on a finding."""
    (row,) = (row for row in rows(section(PAGE, "Claims")) if row["finding"] == label)
    return row


@pytest.mark.parametrize("label", FULL.findings)
def test_the_page_tells_each_verdict_as_it_came_out(label: str) -> None:
    finding, row = FINDINGS.findings[label], row_of(label)
    told = [VERDICT.findall(row[column]) for column in ("verdict", "on the least similar half")]
    assert told == [[worded(found, finding.of)] for found in (finding.verdict, finding.least_similar_verdict)]


@pytest.mark.parametrize("label", FULL.findings)
def test_the_page_has_its_numbers_from_the_findings(label: str) -> None:
    found = {(number(member.test.effect), span(member.test.interval)) for member in FINDINGS.findings[label].members}
    assert set(EFFECT.findall(row_of(label)["chrF with 95 % interval"])) == found


def test_the_page_tells_what_the_share_of_the_gain_says_of_distance() -> None:
    members = FINDINGS.findings["distance"].members
    of_shares = [member.test.details["share_of_gain"] for member in members]
    told = " and ".join(f"{number(own['effect'])} ({span(own['interval'])})" for own in of_shares)
    assert f"is {told};" in section(PAGE, "Claims")
    (in_bleu,) = {number(member.test.metrics["bleu"].effect) for member in members}
    assert f"in BLEU that of the fall itself is {in_bleu}." in section(PAGE, "Claims")


def test_the_page_tells_what_the_last_updates_of_the_searches_brought() -> None:
    with (ROOT / "workflow/rates.csv").open(encoding="utf-8") as file:
        chosen = [
            row for row in csv.DictReader(file)
            if (row["model"], row["size"], row["chosen"]) == ("student", "n1600", "yes")
        ]  # fmt: skip
    peft, gained = {("adapter", "b1"), ("adapter", "b10"), ("lora", "b1"), ("lora", "b10")}, {}
    for row in chosen:
        *_, before, last = (float(point.split(":")[1]) for point in row["dev_curve"].split())
        gained[row["pair"], row["method"], row["budget"]] = last - before
    far = [gained["sk-en", *system] for system in peft]
    told = (
        f"brought full fine-tuning {gained['sk-en', 'full', 'all']:.1f} chrF on dev, and adapters and LoRA on 1 and "
        f"10 % of the parameters {min(far):.1f} to {max(far):.1f}"
    )
    assert told in section(PAGE, "Limits")
    near = [gained["it-en", *system] for system in peft]
    assert min(near) < gained["it-en", "full", "all"] < max(near)


def test_the_page_tells_how_the_gate_came_out() -> None:
    passed = sum(row.exceeds for row in FINDINGS.gate)
    assert f"{passed} of {len(FINDINGS.gate)} rows" in RESULTS

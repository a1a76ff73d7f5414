"""Findings: every claim is supported where it is true, refuted where it is false, undecided where one can't tell."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtpeft.analysis.findings.assess import write_findings
from mtpeft.analysis.findings.claim import NOT_REPRODUCED
from mtpeft.analysis.findings.contrasts import drop_coefficients, least_similar_half
from mtpeft.analysis.findings.page import page_of
from mtpeft.analysis.read_tables import Distance, distances_of_languages
from mtpeft.cells import Cell
from mtpeft.config.contrasts import finding_params
from mtpeft.config.load import load, merge, validate
from mtpeft.config.pretraining import one_checkpoint_each
from mtpeft.core.errors import UserError
from mtpeft.core.languages import DISTANCES
from mtpeft.steps.choose_subset import subset_file
from mtpeft.steps.decontaminate_pair import pair_name
from mtpeft.steps.measure_similarity import similarity_records
from support.default import DEFAULT, tiny_study
from support.findings import (
    LANGUAGES,
    MODEL,
    SIMILAR,
    STUDY,
    build,
    configuration_of,
    finding,
    found,
    write_similarities,
)
from support.findings_cases import CASES, LOUD, PLACES, by_distance, by_method, one_pair_off, shuffled
from support.record import schema_mistakes
from support.steps import inputs_of, params_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


OF_MODELS = ("seen", "rising")
"""Findings whose claim is about the models at hand."""


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_claim_is_decided_by_what_is_true(case: str) -> None:
    label, quality, special, verdict, reason = CASES[case]

    record = finding(label, quality, **special)

    assert record.verdict == record.least_similar_verdict == verdict
    assert any(reason in outcome.reason for row in record.members for outcome in (row.test, row.least_similar))
    page = Path("results/findings.md").read_text(encoding="utf-8")
    told = NOT_REPRODUCED if verdict == "refuted" and label not in OF_MODELS else verdict
    assert record.of == ("models" if label in OF_MODELS else "paper")
    assert f"| **{told}** for these checkpoints | {told} |" in page
    assert label in OF_MODELS or "**refuted**" not in page
    assert record.rule in page and reason in page


def test_the_least_similar_half_has_its_own_verdict() -> None:
    def by_similarity(cell: Cell) -> np.ndarray:
        return np.where(SIMILAR, 60.0, 47.0) if cell.method != "full" else np.full(len(SIMILAR), 50.0)

    record = finding("small_data", by_similarity)

    assert (record.verdict, record.least_similar_verdict) == ("supported", "refuted")
    for row in record.members:
        assert row.test.effect == pytest.approx(3.5, abs=0.3)
        assert row.least_similar.effect == pytest.approx(-3.0, abs=0.5)
        assert (row.test.sentences, row.least_similar.sentences) == (100, 50)


def test_the_least_similar_half_takes_the_earlier_of_equal_rows() -> None:
    assert least_similar_half(np.array([0.3, 0.1, 0.3, 0.3, 0.2])).tolist() == [1, 4]
    assert least_similar_half(np.full(6, 0.5)).tolist() == [0, 1, 2]


def test_numbers_are_those_of_the_cells() -> None:
    record = finding("parity", one_pair_off)

    effects = {row.member: row.test for row in record.members}
    assert effects["de-en"].effect == pytest.approx(-4.0, abs=0.3)
    assert effects["es-en"].effect == pytest.approx(0.0, abs=0.3)
    for outcome in effects.values():
        low, high = outcome.interval
        assert low < outcome.effect < high
        assert outcome.metrics["bleu"].effect == pytest.approx(outcome.effect, abs=0.05)
        assert outcome.p_for <= outcome.p_for_holm and outcome.p_against <= outcome.p_against_holm
        assert (outcome.seeds, outcome.sentences) == (3, 100)
    assert record.members[0].cells == sorted(record.members[0].cells) and len(record.members[0].cells) == 6


def test_the_drop_is_that_of_the_line_over_the_logarithm_of_the_share() -> None:
    shares, scores = [0.2, 0.05, 0.01], np.array([50.0, 46.0, 45.0])
    slope = np.polyfit(np.log10(shares), scores, 1)[0]

    assert drop_coefficients(shares) @ scores == pytest.approx(slope * np.log10(20))
    assert drop_coefficients([0.2, 0.01]) == pytest.approx([1.0, -1.0])
    assert drop_coefficients([0.1, 0.1]) == [0.0, 0.0]


def test_an_undecided_claim_names_the_sample_sizes_that_would_decide_it() -> None:
    wide = finding("parity", by_method(), **LOUD)
    chance = finding("distance", shuffled(1.0), **LOUD)

    by_seed = {"1": -2.0, "3": 2.0}
    uneven = finding("parity", lambda cell: 50.0 + (cell.method == "adapter") * by_seed.get(cell.seed, 0.0))

    assert all("sentences" in row.test.needs and "seeds" not in row.test.needs for row in wide.members)
    assert all("seeds" in row.test.needs and "sentences" not in row.test.needs for row in uneven.members)
    assert uneven.verdict == "undecided"
    assert "languages" in " ".join(row.test.needs for row in chance.members)


def test_distances_come_with_the_falls_they_were_tested_on() -> None:
    record = finding("distance", by_distance(40.0))

    syntactic = record.members[0].test
    assert syntactic.effect == pytest.approx(1.0) and syntactic.interval[1] <= 1.0
    assert set(syntactic.details["falls"]) == set(LANGUAGES)
    reach = max(PLACES[pair[:2]] for pair in LANGUAGES) - min(PLACES[pair[:2]] for pair in LANGUAGES)
    assert syntactic.details["extra_fall"] == pytest.approx(40 * reach, abs=0.5)


@pytest.mark.parametrize("origin", ["en", "pt"])
def test_distances_are_measured_from_the_language_that_the_finding_names(origin: str) -> None:
    places = distances_of_languages(DISTANCES, origin)
    assert places[origin] == Distance(0.0, 0.0)
    configuration = configuration_of("distance", findings={"distance": {"distance_from": origin}})
    build(configuration, lambda cell: 50.0 - (cell.budget == "tiny") * 40.0 * places[cell.pair[:2]].syntactic)

    test = found(configuration).findings["distance"].members[0].test

    assert test.effect > 0.9
    assert {pair: row["distance"] for pair, row in test.details["falls"].items()} == {
        pair: places[pair[:2]].syntactic for pair in LANGUAGES
    }


def test_the_page_is_that_of_its_record_where_languages_are_equally_far() -> None:
    equally_far = ["es-en", "ca-en", "de-en", "cs-en"]  # Catalan and Spanish, from Portuguese
    overlay = {
        "pairs": {"ca-en": {"corpus": "interface"}},
        "models": {"base": {"pretrain": {"vocabulary_pairs": ["ca-en"]}}},
        "studies": {"tongues": {"pairs": equally_far}},
    }
    configuration = configuration_of("distance", findings={"distance": {"distance_from": "pt"}}, **overlay)
    build(configuration, by_method())

    record = found(configuration)

    assert page_of(record) == Path("results/findings.md").read_text(encoding="utf-8")


def test_a_finding_can_name_no_language_without_distances() -> None:
    configuration = configuration_of("distance", findings={"distance": {"distance_from": "eu"}})
    build(configuration, by_method())
    assert found(configuration).findings["distance"].reason == "no distance is known from 'eu'"


def test_the_gate_opens_only_where_full_fine_tuning_is_better_by_the_margin() -> None:
    configuration = configuration_of("parity")
    build(configuration, by_method(none=30.0, scratch=49.8))

    rows = {(row.pair, row.reference): row for row in found(configuration).gate}

    assert {pair for pair, _ in rows} == {"es-en", "de-en"}
    assert all(row.exceeds == (reference == "none") for (_, reference), row in rows.items())
    assert rows["es-en", "none"].effect == pytest.approx(20.0, abs=0.3)


def test_the_record_fits_its_schema_and_is_the_same_each_time() -> None:
    configuration = configuration_of("parity", "distance")
    build(configuration, by_distance(10.0))
    found(configuration)
    first = Path("results/findings.json").read_bytes()
    found(configuration)

    assert Path("results/findings.json").read_bytes() == first
    assert schema_mistakes(Path("results/findings.json"), "findings") == []


def test_the_gate_is_computed_without_claims() -> None:
    configuration = configuration_of()
    build(configuration, by_method(none=30.0))

    record = found(configuration)

    assert record.findings == {} and record.gate
    assert "write them under `findings`" in Path("results/findings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("label", "changes", "said"),
    [
        ("parity", {"methods": ["full", "lora"]}, "'studies.shares.methods' has no 'adapter'"),
        ("parity", {"methods": ["adapter"]}, "'studies.shares.methods' has no 'full'"),
        ("parity", {"budgets": ["tiny"]}, "'studies.shares.budgets' has no 'large'"),
        ("budget", {"budgets": ["tiny"]}, "'studies.shares.budgets' has fewer than two"),
    ],
)
def test_a_claim_that_its_study_can_t_test_says_so(label: str, changes: dict[str, Any], said: str) -> None:
    configuration = configuration_of(label, studies={"shares": changes})
    build(configuration, by_method())

    record = found(configuration).findings[label]

    assert (record.verdict, record.reason, record.members) == ("undecided", said, [])


METHODS_AT = {"adapter": 3, "lora": 2}
ONLY_SPANISH = {"es-en, adapter": 3, "es-en, lora": 3}
LORA_AT_TWO = {"methods": ["full", "adapter", "none"], "also": [{"methods": ["lora"], "budgets": ["tiny", "large"]}]}
FULL_ON_SPANISH = {"methods": ["adapter", "none"], "also": [{"methods": ["full"], "pairs": ["es-en"]}]}


@pytest.mark.parametrize(
    ("label", "changes", "compared"),
    [
        ("parity", LORA_AT_TWO, {"es-en": 1, "de-en": 1}),
        ("parity", {"budgets": ["tiny"], "also": [{"budgets": ["large"], "pairs": ["es-en"]}]}, {"es-en": 1}),
        ("parity", FULL_ON_SPANISH, {"es-en": 1}),
        ("budget", LORA_AT_TWO, {f"{pair}, {own}": n for pair in STUDY["pairs"] for own, n in METHODS_AT.items()}),
        ("budget", {"pairs": ["es-en"], "also": [{"pairs": ["de-en"], "budgets": ["tiny"]}]}, ONLY_SPANISH),
    ],
)
def test_a_claim_compares_the_cells_that_a_study_has_with_those_of_also(
    label: str, changes: dict[str, Any], compared: dict[str, int]
) -> None:
    configuration = configuration_of(label, studies={"shares": changes})

    params = finding_params(configuration, label)

    assert params["lacks"] == []
    assert {member["name"]: len(member["peft"]) for member in params["members"]} == compared


APART = {"pairs": ["es-en"], "methods": ["adapter"], "also": [{"methods": ["full"], "pairs": ["de-en"]}]}
LORA_AT_MANY = {"methods": ["full", "adapter"], "also": [{"methods": ["lora"], "sizes": ["many"]}]}


@pytest.mark.parametrize(
    ("label", "study", "changes", "left_out"),
    [
        ("parity", "shares", APART, "adapter"),
        ("small_data", "amounts", LORA_AT_MANY, "lora"),
        ("budget", "shares", {"methods": ["adapter"], "also": [{"methods": ["lora"], "budgets": ["tiny"]}]}, "lora"),
    ],
)
def test_a_claim_that_would_leave_out_what_it_names_says_so(
    label: str, study: str, changes: dict[str, Any], left_out: str
) -> None:
    params = finding_params(configuration_of(label, studies={study: changes}), label)
    assert params["lacks"] == [f"'studies.{study}' has no cells of '{left_out}' that can be compared"]
    assert params["members"] == []


def test_languages_without_a_distance_are_left_out_and_too_few_decide_nothing() -> None:
    pairs = {"pairs": ["es-en", "de-en"]}
    configuration = configuration_of("distance", studies={"tongues": pairs})
    build(configuration, by_distance(40.0))

    record = found(configuration).findings["distance"]

    assert record.verdict == "undecided"
    assert record.members[0].test.needs == "at least 3 languages with a distance; there are 2"


def test_the_inputs_of_the_rule_are_what_the_findings_read() -> None:
    configuration = configuration_of("parity", "larger")
    cells = build(configuration, by_method())

    named = [f"{cell.folder}/{step}.json" for step in ("train", "decode", "score") for cell in cells]
    assert inputs_of("test_claims", configuration)["records"] == named
    pairs = [pair_name(configuration, pair) for pair in ("de-en", "es-en")]
    assert similarity_records(configuration) == [f"results/config/similarity/{pair}.json" for pair in pairs]
    read = [subset_file(configuration, Cell("small", "de-en", "many", "full", "all", seed), "de-en") for seed in "123"]
    assert inputs_of("measure_similarity", configuration, "de-en")["subsets"] == read


def test_similarities_of_another_test_set_are_refused() -> None:
    configuration = configuration_of("parity")
    similarities = write_similarities(build(configuration, by_method()), sentences=90)

    with pytest.raises(UserError, match=r"similarities of .* are of 90 test sentences, but its scores"):
        write_findings(
            params_of("test_claims", configuration), similarities=similarities, record=Path("a.json"), page=Path("a.md")
        )


AGAIN = {"again": {"pretrain": MODEL | {"seed": 2}}}


@pytest.mark.parametrize(
    ("models", "scoped"), [(["base"], True), (["base", "wide"], True), (["base", "again"], False)], ids=str
)
def test_a_verdict_is_for_these_checkpoints_unless_another_seed_of_pretraining_is_tested(
    models: list[str], scoped: bool
) -> None:
    configuration = configuration_of("parity", models=AGAIN, studies={"shares": {"models": models}})
    build(configuration, by_method())
    record = found(configuration).findings["parity"]

    assert record.scope == ("for these checkpoints" if scoped else "")
    assert ("** for these checkpoints |" in Path("results/findings.md").read_text(encoding="utf-8")) == scoped


def test_shipped_models_are_known_by_their_records() -> None:
    configuration = tiny_study()

    assert one_checkpoint_each(configuration, ["small", "large", "denoiser"])
    assert not one_checkpoint_each(configuration, ["small", "small2"])
    wider = {"models": {"wide": {"extend": {"model": "small", "languages": {"ga": {}}}}}}
    assert one_checkpoint_each(validate(merge(DEFAULT, wider)), ["small", "wide"])
    assert one_checkpoint_each(load(), ["student", "shallow"])

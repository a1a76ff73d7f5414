"""Findings asked otherwise: in another metric, in the mean over languages, of both directions, of what was read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtpeft.analysis.findings.assess import write_findings
from mtpeft.analysis.findings.claim import verdict_on_all, verdict_on_one
from mtpeft.analysis.findings.contrasts import LEAST_SIMILAR, ClaimContext, sample_of
from mtpeft.analysis.findings.records import FindingsRecord, Outcome
from mtpeft.analysis.score_tables import CellMetrics
from mtpeft.analysis.systems import read_runs, system_of
from mtpeft.config.contrasts import claim_cells
from mtpeft.config.findings import CLAIMS
from mtpeft.config.load import merge, validate
from mtpeft.config.metrics import margin_params, margins_in
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record, sha256_of
from mtpeft.data.subsets import measure_similarity
from support.default import DEFAULT
from support.findings import LANGUAGES, SENTENCES, build, configuration_of, finding, found, write
from support.findings_cases import PLACES, by_distance, by_method
from support.steps import params_of

PARITY = {"claim": "on_par", "study": "tongues", "method": "adapter", "budget": "large"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        ({"margin": True}, "'margin' is true; write a number."),
        ({"margin": -1}, "'margin' is -1; write a number above 0."),
        ({"margin": {"chrff": 1.0}}, "'margin.chrff' is not a key of the configuration; did you mean 'chrf'?"),
        ({"margin": {"comet": 0}}, "'margin.comet' is 0; write a number above 0."),
        (
            {"findings": {"parity": {"metric": "meteor"}}},
            "'findings.parity.metric' is 'meteor'; write 'chrf', 'bleu', 'ter' or 'comet'",
        ),
        (
            {"findings": {"parity": {"metric": "ter"}}},
            "'findings.parity.metric' is 'ter', but 'metrics' does not list it; add it there, or",
        ),
        ({"metrics": ["bleu"]}, "'metrics' lacks 'chrf', by which cells are compared before all else; add it."),
        ({"metrics": ["chrf", "comet"]}, "'metrics' names 'comet', which has a step of its own; take it out"),
        (
            {"findings": {"parity": {"metric": "comet"}}},
            "'findings.parity.metric' is 'comet', but 'comet' names no model",
        ),
        (
            {"studies": {"budgets": {"metric": "comet"}}},
            "'studies.budgets.metric' is 'comet', but 'comet' names no model",
        ),
        ({"findings": {"parity": {"over": "all"}}}, "'findings.parity.over' is 'all'; write 'every' or 'mean'."),
        ({"findings": {"distance": {"over": "mean"}}}, "'findings.distance.over' is not a key"),
        ({"findings": {"parity": {"of": "me"}}}, "'findings.parity.of' is 'me'; write 'paper' or 'models'."),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_invalid_findings_are_refused_before_anything_runs(overlay: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as refused:
        validate(merge(DEFAULT, overlay))
    assert said in str(refused.value)


def test_more_members_than_could_be_decided_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtpeft.config.findings.MOST_TESTS", 7)
    with pytest.raises(UserError, match=r"'findings\.parity' has 8 contrasts, .* write claims of at most 7 contrasts"):
        validate(DEFAULT)


@pytest.mark.parametrize(
    ("given", "short"),
    [(1.0, 1.0), (2, 2.0), ({"chrf": 2.0}, 2.0), ({"bleu": 0.5}, {"chrf": 1.0, "bleu": 0.5, "comet": 0.01})],
)
def test_a_margin_is_of_chrf_unless_it_says_of_what(given: Any, short: Any) -> None:
    configuration = validate(merge(DEFAULT, {"margin": given}))

    assert margin_params(configuration) == params_of("test_claims", configuration)["margin"] == short
    assert margins_in({"margin": short}).items() <= dict(configuration.margin).items()


def test_keys_that_are_left_out_are_not_in_the_params_of_a_finding() -> None:
    claims = params_of("test_claims", validate(DEFAULT))["claims"]

    assert claims["parity"]["finding"] == DEFAULT["findings"]["parity"]


def test_claims_are_the_papers_unless_their_type_says_otherwise() -> None:
    owners = {name: claim.options.model_fields["of"].default for name, claim in CLAIMS.entries.items()}
    assert {name for name, owner in owners.items() if owner == "models"} == {
        "keeps_rank",
        "matters_less_where_seen",
        "monotonous_where_unseen",
    }


def in_metric(metric: str, **changes: Any) -> FindingsRecord:
    """The claim `on_par` in a metric, on cells whose method is 4 chrF and BLEU below full fine-tuning."""
    parity = PARITY | {"study": "shares", "metric": metric}
    configuration = configuration_of("parity", findings={"parity": parity}, **changes)
    build(configuration, by_method(adapter=46.0, none=30.0))
    return found(configuration)


def test_a_claim_in_bleu_is_decided_by_its_margin_and_told_in_bleu() -> None:
    record = in_metric("bleu", margin={"bleu": 5.0})
    parity = record.findings["parity"]

    assert record.margins == {"chrf": 1.0, "bleu": 5.0, "comet": 0.01}
    assert parity.verdict == "supported" and parity.statement.endswith("Metric: BLEU.")
    test = parity.members[0].test
    assert test.effect == pytest.approx(-4.0, abs=0.3)
    assert set(test.metrics) == {"chrf"} and test.metrics["chrf"].p_against < 0.05
    page = Path("results/findings.md").read_text(encoding="utf-8")
    assert "Effect: BLEU of the method minus BLEU of full fine-tuning." in page and "within 5 BLEU of 0" in page


def test_a_claim_in_comet_is_decided_by_comet_and_lacks_what_comet_has_not_scored() -> None:
    parity = PARITY | {"study": "shares"}
    configuration = configuration_of("parity", findings={"parity": parity})
    cells = build(configuration, by_method(none=30.0))
    for cell in cells:
        segments = np.random.default_rng(1).normal(0.8, 0.05, SENTENCES) - 0.05 * (cell.method == "adapter")
        write(cell.folder / "comet.json", {"test_sets": {"test": {"segments": segments.tolist()}}})
    params = params_of("test_claims", configuration)
    params["claims"]["parity"]["finding"]["metric"] = "comet"
    files = {"similarities": [], "record": Path("a.json"), "page": Path("a.md")}

    write_findings(params, **files, metrics=CellMetrics(scored={"comet": cells}))
    scored = read_record(Path("a.json"))["findings"]["parity"]
    others = [cell for cell in cells if (cell.method, cell.seed) != ("adapter", "2")]
    write_findings(params, **files, metrics=CellMetrics(scored={"comet": others}))
    lacking = read_record(Path("a.json"))["findings"]["parity"]

    assert scored["verdict"] == "refuted" and scored["members"][0]["test"]["effect"] == pytest.approx(-0.05)
    assert scored["members"][0]["test"]["metrics"]["chrf"]["p_for"] < 0.05
    assert any("COMET of cells" in row["test"]["reason"] for row in lacking["members"])


def one_language_off(off: float) -> Any:
    return lambda cell: {"none": 30.0}.get(cell.method, 50.0 - off * ((cell.method, cell.pair) == ("adapter", "de-en")))


@pytest.mark.parametrize("over", ["every", "mean"])
def test_a_claim_may_hold_in_the_mean_and_not_for_every_language(over: str) -> None:
    configuration = configuration_of("parity", findings={"parity": PARITY | {"over": over}})
    build(configuration, one_language_off(1.6))

    parity = found(configuration).findings["parity"]

    verdicts = {name: own.test for name, own in parity.verdicts.items()}
    assert verdicts == {"every": "refuted", "mean": "supported"}
    assert parity.verdict == verdicts[over]
    (mean,) = parity.mean
    assert mean.member == "mean over 6 languages" and mean.test.languages == 6
    assert mean.test.effect == pytest.approx(-1.6 / 6, abs=0.15)
    page = Path("results/findings.md").read_text(encoding="utf-8")
    other = {"every": "in the mean over languages supported", "mean": "for every pair not reproduced at this scale"}
    assert other[over] in page


def test_a_mean_needs_languages_to_be_one_of() -> None:
    configuration = configuration_of("parity", findings={"parity": PARITY | {"study": "shares", "over": "mean"}})
    build(configuration, by_method(none=30.0))

    parity = found(configuration).findings["parity"]

    assert (parity.verdict, parity.verdicts["every"].test) == ("undecided", "supported")
    assert parity.mean[0].test.needs == "at least 3 languages; there are 2"
    assert "needs at least 3 languages; there are 2" in Path("results/findings.md").read_text(encoding="utf-8")


def test_both_directions_of_a_language_count_once() -> None:
    both = [*LANGUAGES, *("-".join(reversed(pair.split("-"))) for pair in LANGUAGES)]
    configuration = configuration_of(
        "distance",
        "parity",
        findings={"parity": PARITY},
        pairs={pair: {"corpus": "interface"} for pair in both},
        studies={"tongues": {"pairs": both, "seeds": [1]}},
    )
    places = PLACES | {"en": 0.0}
    build(
        configuration,
        lambda cell: {"none": 30.0}.get(
            cell.method, 50.0 - (cell.budget == "tiny") * 40 * sum(places[code] for code in cell.pair.split("-"))
        ),
    )

    record = found(configuration)

    test = record.findings["distance"].members[0].test
    assert test.languages == 6 and len(test.details["falls"]) == 6
    assert test.effect == pytest.approx(1.0)
    assert record.findings["parity"].mean[0].test.languages == 6
    assert len(record.findings["parity"].members) == 12


def test_falls_come_with_shares_of_the_gain_and_with_the_untouched_score_held_fixed() -> None:
    """The gain is 20 chrF for all but Turkish, which gains nothing and so has no share."""
    quality = by_distance(40.0)
    record = finding(
        "distance", lambda cell: {"none": 50.0 if cell.pair == "tr-en" else 30.0}.get(cell.method, quality(cell))
    )

    details = record.members[0].test.details
    assert details["share_of_gain"]["languages"] == 5
    assert details["share_of_gain"]["effect"] == pytest.approx(1.0)
    german, turkish = details["falls"]["de-en"], details["falls"]["tr-en"]
    assert german["lost_share"] == pytest.approx(german["fall"] / 20, abs=0.02)
    assert german["kept"]["larger"] == pytest.approx(1.0, abs=0.02)
    low, high = german["lost_share_interval"]
    assert low < german["lost_share"] < high
    assert turkish["kept"] is None and turkish["not_shared"] == "full fine-tuning is not shown to gain"
    assert details["given_untouched"]["languages"] == 6
    assert "As a share of what full fine-tuning gains" in Path("results/findings.md").read_text(encoding="utf-8")


def test_where_every_seed_kept_the_model_the_reason_says_so() -> None:
    kept = {"tr-en/many/adapter/large/": {"best_step": 0}}
    distance = finding("distance", by_distance(40.0), **kept)
    parity = finding("parity", by_method(adapter=40.0), **{"adapter/": {"best_step": 0}})

    assert "step 0), all of them for tr" in distance.members[0].test.reason
    assert "all cells on the parameter-efficient side kept the model" in parity.members[0].test.reason
    assert "learning rate may not suit this pair" in parity.members[0].test.reason


def test_an_untouched_model_that_knows_no_more_than_random_weights_is_named() -> None:
    configuration = configuration_of("parity")
    build(configuration, by_method(none=20.0, scratch=25.0))

    record = found(configuration)

    (row,) = record.untouched  # the base model was pre-trained on Spanish, and not on German
    assert (row.pair, row.reference, row.exceeds) == ("es-en", "scratch", False)
    assert "it may have been read wrongly" in row.warning
    assert row.warning in Path("results/findings.md").read_text(encoding="utf-8")


def outcome(p_for: float, p_against: float = 1.0, **more: Any) -> Outcome:
    return Outcome(p_for=p_for, p_against=p_against, **more)


def test_a_claim_of_all_members_is_shown_without_a_correction_and_refuted_with_one() -> None:
    assert verdict_on_all([outcome(0.03)] * 20) == "supported"
    assert verdict_on_all([*[outcome(0.03)] * 19, outcome(0.06)]) == "undecided"
    assert verdict_on_all([*[outcome(0.03)] * 19, outcome(0.03, barred="step 0")]) == "undecided"
    assert verdict_on_all([outcome(0.5, 0.03)] * 20) == "undecided"
    assert verdict_on_all([outcome(0.01), outcome(1.0, verdict="refuted")]) == "refuted"
    assert verdict_on_all([]) == "undecided"


def test_an_order_by_one_of_two_distances_is_refuted_by_both_without_a_correction() -> None:
    assert verdict_on_one([outcome(1.0, 0.03), outcome(1.0, 0.04)]) == "refuted"
    assert verdict_on_one([outcome(1.0, 0.03), outcome(1.0, 0.06)]) == "undecided"
    assert verdict_on_one([outcome(0.001, verdict="supported"), outcome(1.0, 0.01)]) == "supported"


def test_the_least_similar_half_is_that_of_what_any_of_the_compared_runs_has_read() -> None:
    configuration = configuration_of("parity")
    cells = build(configuration, by_method())
    runs = read_runs(cells)
    tuned = [cell for cell in cells if cell.pair == "es-en" and cell.method in ("full", "adapter")]
    systems = [system_of(runs, [cell for cell in tuned if cell.method == method]) for method in ("adapter", "full")]
    quarter = SENTENCES // 4
    read = {("es-en", f"many/{seed}"): np.zeros(SENTENCES) for seed in (1, 2, 3)}
    read["es-en", "many/1"][:quarter] = 0.5
    read["es-en", "many/3"][quarter : 2 * quarter] = 0.5
    context = ClaimContext(read, {}, frozenset(), {"chrf": 1.0}, 10)

    sample = sample_of(LEAST_SIMILAR, "es-en", systems, context)

    assert sample.rows.tolist() == list(range(2 * quarter, SENTENCES))
    del read["es-en", "many/3"]
    assert sample_of(LEAST_SIMILAR, "es-en", systems, context) is None


def test_similarities_are_to_the_rows_of_a_subset_alone(tmp_path: Path) -> None:
    rows = ["Guarde los cambios ahora\tSave the changes now", "El archivo no existe\tThe file does not exist"]
    lines = ["id\tsource\ttarget", *(f"{place}\t{row}" for place, row in enumerate(rows))]
    for name in ("train", "test"):
        Path(f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for place in (0, 1):
        Path(f"{place}.txt").write_text(f"{place}\n", encoding="utf-8")

    measure_similarity(
        {"pair": "es-en"},
        train=Path("train.tsv"),
        test=Path("test.tsv"),
        subsets=[Path("0.txt"), Path("1.txt")],
        record=Path("similarity.json"),
    )

    subsets = read_record(Path("similarity.json"))["subsets"]
    first, second = (subsets[sha256_of(Path(f"{place}.txt"))] for place in (0, 1))
    assert first[0] == second[1] == 1.0
    assert max(first[1], second[0]) < 0.5


def test_findings_record_their_resamples_and_the_cells_of_a_claim_hold_those_of_its_gain() -> None:
    configuration = configuration_of("distance")
    build(configuration, by_distance(40.0))

    assert found(configuration).resamples == 10_000
    methods = {cell.method for cell in claim_cells(params_of("test_claims", configuration))}
    assert {"full", "none", "adapter"} <= methods

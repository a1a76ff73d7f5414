"""Metrics besides the usual ones: the example from outside, and TER, from the configuration to tables and a figure."""

from pathlib import Path
from typing import Any

import pytest

from mtpeft.analysis.findings.assess import write_findings
from mtpeft.analysis.score_tables import metrics_of_params, write_tables
from mtpeft.analysis.summary import write_summary
from mtpeft.config.contrasts import claim_cells
from mtpeft.config.load import merge, validate
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record, write_lines, write_record
from mtpeft.data.tsv import SentencePair, write_pairs
from mtpeft.figures.draw import draw_figure
from mtpeft.metrics.base import METRICS
from mtpeft.metrics.score import score
from mtpeft.steps.cells_of_studies import placed_drawn_cells
from support.comet import rows_of
from support.config import DEFAULT
from support.findings import configuration_of, write_cell
from support.steps import params_of
from support.sweep import ROOT

EXAMPLE = str(ROOT / "workflow/examples/length_ratio.py")
REFERENCES = ["one two three four", "one two", "one two three", "one"] * 5
LONGER = {"adapter": 1, "lora": 2}
"""Words that the hypotheses of a method have more than the references."""
FINDING = {"claim": "on_par", "study": "shares", "method": "adapter", "budget": "large"}


def configured(metric: str) -> Configuration:
    """A study that is drawn in a metric, with a claim in it."""
    return configuration_of(
        "parity",
        modules=[EXAMPLE],
        metrics=["chrf", "bleu", metric],
        findings={"parity": FINDING | {"metric": metric}},
        studies={"shares": {"metric": metric}},
    )


def write_scores(configuration: Configuration) -> list[Any]:
    """Records of the cells of the study, whose hypotheses are scored by the step itself."""
    cells = placed_drawn_cells(configuration, "shares")
    write_pairs(Path("test.tsv"), [SentencePair(str(number), "eins", text) for number, text in enumerate(REFERENCES)])
    for cell in cells:
        write_cell(cell, 50.0)
        more = " more" * LONGER.get(cell.method, 0)
        write_lines(cell.folder / "hypotheses/test.txt", [f"{text}{more}" for text in REFERENCES])
        decoded, record = cell.folder / "decode.json", cell.folder / "score.json"
        hypotheses = {"test": {"at_limit": 0}}
        write_record(decoded, read_record(decoded) | {"test_sets": hypotheses})
        score(
            params_of("score", configuration, cell),
            cell,
            decoded=decoded,
            references={"test": Path("test.tsv")},
            record=record,
        )
    return cells


@pytest.mark.parametrize("metric", ["length_ratio", "ter"])
def test_another_metric_is_scored_collected_summarised_and_drawn(
    metric: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = configured(metric)
    cells = write_scores(configuration)
    summarised, drawn = (params_of(step, configuration, "shares") for step in ("summarise", "draw_figure"))
    METRICS.forget_outside()  # each step is a process of its own
    metrics = metrics_of_params(summarised, cells)

    write_tables(cells, scores=Path("scores.csv"), costs=Path("costs.csv"), metrics=metrics)
    write_summary(cells, output=Path("summary.csv"), page=Path("summary.md"), metrics=metrics)
    METRICS.forget_outside()
    draw_figure(drawn, summary=Path("summary.csv"), stem=Path("figure"))

    words = sum(len(text.split()) for text in REFERENCES)
    for row in rows_of("scores.csv"):
        more = LONGER.get(row["method"], 0) * len(REFERENCES)
        expected = {"length_ratio": 1 + more / words, "ter": 100 * more / words}[metric]
        assert float(row[metric]) == pytest.approx(expected)
        assert row[f"{metric}_signature"].endswith("|text:NFC")
    summary = {(row["method"], row["budget"], row["pair"]): row for row in rows_of("summary.csv")}
    lora = summary["lora", "large", "es-en"]
    assert float(lora[f"{metric}_minus_full"]) == pytest.approx(
        float(lora[metric]) - float(summary["full", "all", "es-en"][metric])
    )
    assert METRICS[metric].title in Path("figure.svg").read_text(encoding="utf-8")


def test_a_claim_in_a_metric_of_which_less_is_better_turns_the_sign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = configured("ter")
    write_scores(configuration)
    params = params_of("test_claims", configuration)
    cells = claim_cells(params)

    write_findings(
        params, similarities=[], record=Path("a.json"), page=Path("a.md"), metrics=metrics_of_params(params, cells)
    )

    record = read_record(Path("a.json"))
    parity = record["findings"]["parity"]
    assert parity["members"][0]["test"]["effect"] == pytest.approx(-100 * 20 / 50)
    assert (parity["verdict"], record["margins"]["ter"]) == ("refuted", 1.0)
    assert "Lower TER is better, so the sign of the effect is turned" in Path("a.md").read_text(encoding="utf-8")


def test_params_name_only_unusual_metrics_and_their_files() -> None:
    usual, ours = validate(DEFAULT), validate(merge(DEFAULT, {"metrics": ["bleu", "chrf"]}))
    (cell, *_) = placed_drawn_cells(usual, "budgets")
    assert params_of("score", usual, cell) == params_of("score", ours, cell)
    assert "metrics" not in params_of("score", usual, cell)

    more = validate(merge(DEFAULT, {"modules": [EXAMPLE], "metrics": ["chrf", "ter", "length_ratio"]}))

    metrics = params_of("score", more, cell)["metrics"]
    assert metrics == {"chrf": {}, "length_ratio": {"module": EXAMPLE}, "ter": {}}


def test_a_metric_that_nobody_brought_in_is_refused() -> None:
    with pytest.raises(UserError, match=r"'metrics\.2' is 'length_ratio'; write 'chrf', 'bleu', 'ter' or 'comet'"):
        validate(merge(DEFAULT, {"metrics": ["chrf", "bleu", "length_ratio"]}))

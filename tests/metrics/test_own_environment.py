"""A metric from outside that runs in an environment of its own: the example, from the configuration to tables."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtpeft.config.load import load, merge, validate
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record
from mtpeft.core.section import Section
from mtpeft.metrics.own_environment import OwnEnvironment
from mtpeft.steps.cells_of_studies import placed_cells, results_folder
from mtpeft.steps.decontaminate_pair import reference
from mtpeft.steps.freshness import scored_now
from support.comet import SAMPLES, rows_of, write_hypotheses
from support.config import DEFAULT
from support.findings import write_cell
from support.record import schema_mistakes
from support.sweep import ROOT, STUDY, snakemake
from support.text_records import write_text_records

EXAMPLE = ROOT / "workflow/examples/edit_similarity.py"
ASKED = {"modules": [str(EXAMPLE)], "edit_similarity": {"case": False}}
STUDIES = {
    **dict.fromkeys(("languages", "models", "data_sizes")),
    "budgets": {"methods": ["full", "none"], "seeds": [1]},
}
RULES = ("install_metric", "take_in_metric", "score_with_metric", "collect_all_scores", "summarise_all")


def lay_over(overlay: dict[str, Any]) -> Path:
    file = Path("overlay.yaml")
    file.write_text(yaml.safe_dump(overlay), encoding="utf-8")
    return file


def test_the_workflow_installs_a_metric_scores_cells_with_it_and_puts_it_into_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = Path(shutil.copy(EXAMPLE, tmp_path / "own_similarity.py"))
    shutil.copy(EXAMPLE.with_name("edit_similarity_program.py"), tmp_path)
    overlay = merge(ASKED, {"modules": [module.name], "studies": STUDIES, "findings": None})
    configuration = load([STUDY, lay_over(overlay)])
    cells = placed_cells(configuration)
    write_text_records(configuration, "es-en")
    for cell in cells:
        write_cell(cell, 40.0)
        write_hypotheses(cell, text=Path(reference(configuration, cell.pair, "test")))
    tables = [f"{results_folder(configuration)}/{name}.csv" for name in ("scores", "summary")]
    profile = ["--workflow-profile", str(ROOT / "workflow/profiles/local")]

    done = snakemake(tmp_path, "overlay.yaml", *profile, "--allowed-rules", *RULES, "--", *tables)

    assert done.returncode == 0, done.stderr[-3000:]
    record = cells[0].on_own.metric_record("edit_similarity")
    assert schema_mistakes(record, "metric") == []
    assert read_record(record)["versions"]["rapidfuzz"] == "3.13.0"
    # Eight of the 44 characters of the long text are those of its reference, in order.
    by_text = {"Open the door": 1.0, "": 0.0, "Close the whole house and all of its windows": 8 / 44}
    expected = [by_text[sample["mt"]] for sample in SAMPLES]
    assert read_record(record)["test_sets"]["test"]["segments"] == pytest.approx(expected)
    mean = sum(expected) / len(expected)
    for row in rows_of(tables[0]):
        assert float(row["edit_similarity"]) == pytest.approx(mean)
        assert row["edit_similarity_model"] == "rapidfuzz 3.13.0"
    assert {row["edit_similarity"] for row in rows_of(tables[1])} == {f"{mean:.10g}"}

    assert scored_now(configuration, cells) == {"edit_similarity": list(cells)}
    changed = load([STUDY, lay_over(merge(overlay, {"edit_similarity": {"case": True}}))])
    assert scored_now(changed, placed_cells(changed)) == {"edit_similarity": []}

    lay_over(overlay)
    module.write_text(module.read_text(encoding="utf-8").replace("3.13.0", "3.12.2"), encoding="utf-8")

    done = snakemake(tmp_path, "overlay.yaml", *profile, "--allowed-rules", *RULES, "--", *tables)

    assert done.returncode == 0, done.stderr[-3000:]
    assert {row["edit_similarity_model"] for row in rows_of(tables[0])} == {"rapidfuzz 3.12.2"}
    records = list(Path("results/cells").rglob("edit_similarity-*.json"))
    assert [read_record(file)["versions"]["rapidfuzz"] for file in records].count("3.12.2") == len(cells)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"edit_similarity": {"cases": True}},
            "'edit_similarity.cases' is not a key of the configuration",
        ),
        ({"modules": []}, "'edit_similarity' is not a key of the configuration"),
        ({"metrics": ["chrf", "edit_similarity"]}, "'metrics' names 'edit_similarity', which has a step of its own"),
        (
            {"edit_similarity": None, "studies": {"budgets": {"metric": "edit_similarity"}}},
            "'studies.budgets.metric' is 'edit_similarity', but",
        ),
    ],
)
def test_mistakes_in_its_section_name_their_key(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as raised:
        validate(merge(DEFAULT, merge(ASKED, change)))
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize(
    ("requirements", "hashes", "said"),
    [
        (["scorer>=1"], {}, "'scorer>=1' is no exact pin, such as 'scorer==1.0'"),
        (["other==1"], {}, "the requirements have no pin of 'scorer'"),
        (["scorer==1", "other==1"], {"scorer==1": ("sha256:0",)}, "'other==1' has no hash, and others have some"),
    ],
)
def test_pins_that_do_not_say_what_is_installed_are_refused(
    requirements: list[str], hashes: dict[str, tuple[str, ...]], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        OwnEnvironment(
            requirements=tuple(requirements),
            package="scorer",
            program=Path("program.py"),
            section=Section,
            section_help="Scores.",
            hashes=hashes,
        )

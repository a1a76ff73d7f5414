"""The whole workflow through the real Snakemake, on real text: fresh, again, changed, and with cells that fail."""

import csv
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mtpeft.cells import Cell
from mtpeft.config.load import load
from mtpeft.steps.train import placed
from support.sweep import ROOT, STUDY, copy, environment, located, planned, results, run, snakemake

pytestmark = pytest.mark.sweep

LORA_CELL = "results/cells/small/es-en/n200/lora/b5/1"
ADAPTER_CELL = "results/cells/small/es-en/n200/adapter/b5/1"


def test_fresh_run_makes_every_figure_and_score(finished: Path) -> None:
    rows = list(csv.DictReader((finished / "results/small_study/scores.csv").open(encoding="utf-8")))
    assert len(rows) == 10
    assert {row["status"] for row in rows} == {"ok"}
    assert all(0 <= float(row["chrf"]) <= 100 and row["test_sentences"] == "40" for row in rows)
    for figure in ("budgets", "languages", "models", "data_sizes", "efficiency"):
        for suffix in ("pdf", "svg", "png"):
            assert (finished / f"results/small_study/figures/{figure}.{suffix}").stat().st_size > 1000


def test_fresh_run_makes_findings_and_summaries(finished: Path) -> None:
    record = json.loads((finished / "results/small_study/findings.json").read_text(encoding="utf-8"))
    assert {row["reference"] for row in record["gate"]} == {"none", "scratch"}
    assert all(row["effect"] is not None for row in record["gate"])
    assert "Not tested" in (finished / "results/small_study/findings.md").read_text(encoding="utf-8")
    rows = list(csv.DictReader((finished / "results/small_study/tables/budgets/summary.csv").open(encoding="utf-8")))
    assert {row["method"] for row in rows} == {"full", "adapter", "lora", "none", "scratch", "retrieval"}
    assert all(float(row["chrf_low"]) <= float(row["chrf"]) <= float(row["chrf_high"]) for row in rows)


def test_fresh_run_describes_the_test_sentences_as_each_model_reads_them(finished: Path) -> None:
    rows = list(csv.DictReader((finished / "results/small_study/text.csv").open(encoding="utf-8")))
    assert {(row["model"], row["pair"], row["sentences"]) for row in rows} >= {("small", "es-en", "40")}
    assert all(1 < float(row["source_tokens_per_word"]) < 6 and float(row["source_words"]) >= 3 for row in rows)


def begun(finished: Path) -> list[tuple[str, str]]:
    """Rule and first output of all jobs of a fresh run, in the order in which they were begun."""
    (log,) = (finished / ".snakemake/log").glob("*.log")
    return re.findall(r"(?m)^(?:local)?rule (\w+):\n(?:    input: .*\n)?    output: ([^\s,]+)", log.read_text("utf-8"))


def test_every_cell_is_finished_before_others_are_begun(finished: Path) -> None:
    open_cells: set[str] = set()
    widest = 0
    for rule, output in begun(finished):
        cell = "/".join(output.split("/")[2:8])
        if rule == "train":
            open_cells.add(cell)
        elif rule == "score":
            open_cells.discard(cell)
        widest = max(widest, len(open_cells))
    assert not open_cells
    assert 1 <= widest <= 3  # two run at once, and another one may be waiting for its next step


def test_the_first_study_is_drawn_while_others_have_cells_to_train(finished: Path) -> None:
    figure = "results/small_study/figures/budgets.svg"
    rules = [rule for rule, output in begun(finished) if rule == "train" or output == figure]
    # Its last cells are finished on one core while the other has begun the next study.
    assert rules.index("draw_figure") < len(rules) - 2


def test_budgets_are_met_in_the_records(finished: Path) -> None:
    for method in ("adapter", "lora"):
        record = json.loads((located(finished, f"results/cells/small/es-en/n200/{method}/b5/1/train.json")).read_text())
        assert 0.047 < record["budget_achieved"] <= 0.05
        assert record["trained_parameters"] + record["left_over_parameters"] == int(0.05 * record["total_parameters"])


def test_a_cell_is_trained_with_the_rate_that_the_search_has_found(finished: Path) -> None:
    (record,) = (finished / "results/rates").rglob("*.json")
    assert record == located(finished, "results/rates/small/n200/adapter/b5.json")
    found = json.loads(record.read_text())
    assert {0.003, 0.006, 0.012} <= {trial["learning_rate"] for trial in found["trials"]}
    trained = json.loads(located(finished, f"{ADAPTER_CELL}/train.json").read_text())
    assert trained["learning_rate"] == found["learning_rate"]
    assert planned(finished, "collect_rates") == {"collect_rates": 1}


def test_training_changes_what_it_trains(finished: Path) -> None:
    hypotheses = {
        method: (located(finished, f"results/cells/small/es-en/{path}/hypotheses/test.txt")).read_bytes()
        for method, path in {"none": "any/none/any/any", "full": "n200/full/all/1"}.items()
    }
    assert hypotheses["none"] != hypotheses["full"]


def test_second_run_plans_nothing(finished: Path) -> None:
    assert planned(finished) == {}


def test_test_text_is_no_input_of_training(finished: Path) -> None:
    for record in (f"{LORA_CELL}/train.json", "results/rates/small/n200/adapter/b5.json"):
        inputs = json.loads(located(finished, record).read_text())["inputs"]
        assert not any("test" in value for value in inputs.values())
    study = finished / STUDY.name
    where = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(finished), "--configfile", str(study)]
    what = [
        "--forcerun",
        "train",
        "search_rate",
        "pretrain",
        "train_vocabulary",
        "--dry-run",
        "--printshellcmds",
        "--cores",
        "1",
    ]
    arguments = subprocess.run(
        [sys.executable, "-m", "snakemake", *where, *what],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    commands = [line for line in arguments.splitlines() if re.search(r"mtpeft (train|tune|pretrain|vocabulary) ", line)]
    assert len(commands) >= 10
    assert not any("test.tsv" in command or "test.safetensors" in command for command in commands)


CHANGES = {
    "one learning rate": (
        {"methods": {"lora": {"learning_rate": 0.001}}},
        {"train": 1, "decode": 1, "score": 1, "collect_scores": 1, "collect_all_scores": 1},
    ),
    "other candidates": (
        {"methods": {"adapter": {"learning_rate": {"search": [0.002, 0.004, 0.008]}}}},
        {"search_rate": 1, "train": 1, "decode": 1, "score": 1, "collect_scores": 1, "collect_all_scores": 1},
    ),
    "more seeds for a method": (
        {"studies": {"budgets": {"also": [{"methods": ["adapter"], "seeds": [2, 3]}]}}},
        {
            "choose_subset": 2,
            "search_rate": 0,
            "train": 2,
            "decode": 2,
            "score": 2,
            "collect_scores": 1,
            "collect_all_scores": 1,
        },
    ),
    "a budget added": (
        {"studies": {"budgets": {"budgets": ["b5", "b20"]}}},
        {"search_rate": 1, "train": 2, "decode": 2, "score": 2, "collect_scores": 1, "collect_all_scores": 1},
    ),
    "a pair added": (
        {
            "pairs": {"it-en": {"corpus": "interface"}},
            "studies": {"languages": {"pairs": ["es-en", "de-en", "it-en"]}},
        },
        {"clean_pair": 1, "decontaminate_pair": 1, "choose_subset": 1, "encode_pair": 1, "encode_test_set": 1}
        | {"train": 1, "decode": 1, "score": 1, "collect_scores": 1, "collect_all_scores": 1},
    ),
    "a study added": (
        {
            "studies": {
                "more": {
                    "figure": "budgets",
                    "models": ["small"],
                    "pairs": ["de-en"],
                    "sizes": ["n200"],
                    "methods": ["full"],
                    "seeds": [1],
                }
            }
        },
        {"collect_scores": 1, "draw_figure": 1},
    ),
    "a language's code added, more cells on a GPU, more GPUs, and a smaller micro-batch": (
        {
            "corpora": {"interface": {"wheels": {"django": {"languages": {"it": "it"}}}}},
            "models": {"small": {"cells_per_gpu": 4, "gpus": 2, "micro_batch_tokens": 512}},
        },
        {},
    ),
    "another beam": ({"decoding": {"beam_size": 4}}, {"search_rate": 1, "train": 8, "decode": 8}),
    "another margin": ({"margin": 2.0}, {"test_claims": 1}),
    "a claim taken out": ({"findings": {"budget": None}}, {"test_claims": 1}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_reruns_what_depends_on_it(finished: Path, tmp_path: Path, change: str) -> None:
    overlay, expected = CHANGES[change]
    jobs = planned(copy(finished, tmp_path / "run"), overlay=overlay)
    assert {rule: jobs.get(rule, 0) for rule in expected} == expected
    shared = {"fetch_wheel", "split_corpus", "train_vocabulary", "pretrain"}
    assert not shared & set(jobs)
    if not expected or set(expected) == {"test_claims"}:
        assert jobs == expected


def test_comments_and_refactorings_rerun_nothing(finished: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    for name in ("workflow", "envs"):
        shutil.copytree(ROOT / name, root / name)
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, root / name)
    for file in (*root.rglob("*.smk"), *root.rglob("*.py"), root / "Snakefile"):
        file.write_text(file.read_text(encoding="utf-8") + "\n# A comment.\n", encoding="utf-8")
    assert planned(copy(finished, tmp_path / "run"), root=root) == {}


def test_a_deleted_score_is_one_job(finished: Path, tmp_path: Path) -> None:
    folder = copy(finished, tmp_path / "run")
    (located(folder, LORA_CELL) / "score.json").unlink()
    assert planned(folder, f"{located(finished, LORA_CELL).relative_to(finished)}/score.json") == {"score": 1}
    jobs = planned(folder)
    assert jobs["score"] == 1
    assert not {"train", "decode"} & set(jobs)
    code, _ = run(folder)
    assert code == 0
    assert results(folder) == results(finished)


def test_any_record_of_the_catalogues_is_a_target(finished: Path) -> None:
    configuration = load([STUDY])
    cell = placed(configuration, Cell("denoiser", "de-en", "n100", "adapter", "b20", "1"))
    jobs = planned(finished, f"{cell.folder}/score.json")
    assert jobs == {"choose_subset": 2, "evaluate_base": 1, "search_rate": 1, "train": 1, "decode": 1, "score": 1}


def test_a_diverged_cell_leaves_the_rest_standing(finished: Path, tmp_path: Path) -> None:
    folder = copy(finished, tmp_path / "run")
    code, said = run(folder, overlay={"methods": {"lora": {"learning_rate": 1e6}}})
    assert code == 0, said
    rows = list(csv.DictReader((folder / "results/small_study/scores.csv").open(encoding="utf-8")))
    assert {row["method"]: (row["status"], row["chrf"] == "") for row in rows}["lora"] == ("diverged", True)
    assert sum(row["status"] == "ok" for row in rows) == 9
    assert "5 of 6 cells" in (folder / "results/small_study/figures/budgets.svg").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_time_budget_stops_every_trainer_and_the_figures_say_so(finished: Path, tmp_path: Path) -> None:
    folder = copy(finished, tmp_path / "run")
    shutil.rmtree(located(folder, LORA_CELL))
    code, said = run(folder, MTPEFT_SECONDS="0.01")
    assert code != 0
    assert "5 of 6 cells" in (folder / "results/small_study/figures/budgets.svg").read_text(encoding="utf-8")
    assert "time budget" in said
    assert not located(folder, f"{LORA_CELL}/train.json").exists()
    code, said = run(folder)
    assert code == 0, said
    assert results(folder) == results(finished)
    assert "5 of 6 cells" not in (folder / "results/small_study/figures/budgets.svg").read_text(encoding="utf-8")


def test_translate_with_a_trained_cell(finished: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mtpeft", "translate", "--cell", LORA_CELL.removeprefix("results/cells/")],
        cwd=finished,
        env=environment(),
        input="Guardar los cambios\nEliminar\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 2


def test_parsing_loads_no_torch(tmp_path: Path) -> None:
    """A job of a cluster parses the Snakefile before its work; here in a Python that can't load the libraries."""
    for module in ("torch", "transformers", "peft", "matplotlib", "scipy"):
        (tmp_path / f"{module}.py").write_text("raise ImportError('loaded at parse time')\n")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--list-rules"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "loaded at parse time" not in done.stderr
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout.split()


def test_the_report_holds_figures_and_captions(finished: Path, tmp_path: Path) -> None:
    archive = tmp_path / "report.zip"
    done = snakemake(copy(finished, tmp_path / "run"), "--cores", "1", "--report", str(archive))
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(archive) as opened:
        text = "".join(opened.read(name).decode("utf-8", "replace") for name in opened.namelist() if "html" in name)
        assert sum(name.endswith(".svg") for name in opened.namelist()) == 5
    assert "For a given parameter budget" in text

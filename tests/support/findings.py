"""Small folders of results, in the real format, in which the truth of every claim is chosen."""

import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.analysis.findings.assess import write_findings
from mtpeft.analysis.findings.records import FindingRecord, FindingsRecord
from mtpeft.cells import ANY, Cell, OnPair
from mtpeft.config.contrasts import claim_cells
from mtpeft.config.load import merge, validate
from mtpeft.config.schema import Configuration
from mtpeft.core.files import read_record
from mtpeft.core.records import DecodeRecord, ScoreRecord, TrainRecord
from mtpeft.metrics.bleu import corpus_score as bleu
from mtpeft.metrics.chrf import corpus_score as chrf
from support.default import DEFAULT
from support.steps import params_of

SENTENCES = 100
UNITS = 500
"""n-grams of a sentence, many, so that scores are fine."""
SIMILAR = np.arange(SENTENCES) % 2 == 1
"""The sentences that resemble the training text."""
SHARES = {"tiny": 0.03, "middle": 0.08, "large": 0.2}
MODEL = {
    "objective": "translation",
    "pairs": ["es-en"],
    "vocabulary": 500,
    "layers": 2,
    "d_model": 64,
    "heads": 4,
    "feed_forward": 128,
    "updates": 10,
    "learning_rate": 0.001,
}
HEARD = MODEL | {"objective": "denoising"}
STUDY = {
    "models": ["base"],
    "pairs": ["es-en", "de-en"],
    "sizes": ["many"],
    "methods": ["full", "adapter", "lora", "none", "scratch"],
    "budgets": list(SHARES),
    "seeds": [1, 2, 3],
}
LANGUAGES = ["de-en", "es-en", "cs-en", "tr-en", "zh-en", "pt-en"]
OVERLAY: dict[str, Any] = {
    "pairs": {pair: {"corpus": "interface"} for pair in LANGUAGES},
    "sizes": {"few": {"pairs": 100, "updates": 10}, "many": {"pairs": 4000, "updates": 100}},
    "models": {
        "base": {"pretrain": MODEL},
        "wide": {"pretrain": MODEL | {"d_model": 96}},
        "heard": {"pretrain": HEARD},
    },
    "methods": {"examples": {"method": "in_context", "shots": 3}},
    "budgets": SHARES,
    "studies": {
        "shares": {"figure": "budgets", **STUDY},
        "tongues": {"figure": "languages", **STUDY, "pairs": LANGUAGES},
        "bases": {"figure": "models", **STUDY, "models": ["base", "wide"]},
        "amounts": {"figure": "data_sizes", **STUDY, "sizes": ["few", "many"]},
        "few_shot": {"figure": "budgets", **STUDY, "methods": [*STUDY["methods"], "examples"]},
        "read": {"figure": "exposure", **STUDY, "models": ["base", "heard"], "sizes": ["few", "many"]},
    },
    "findings": {
        "parity": {"claim": "on_par", "study": "shares", "method": "adapter", "budget": "large"},
        "budget": {"claim": "falls_with_budget", "study": "shares", "methods": ["adapter", "lora"]},
        "distance": {
            "claim": "falls_faster_with_distance",
            "study": "tongues",
            "method": "adapter",
            "budgets": ["tiny", "large"],
        },
        "larger": {
            "claim": "larger_beats_smaller",
            "study": "bases",
            "method": "adapter",
            "budget": "large",
            "larger": "wide",
            "smaller": ["base"],
        },
        "small_data": {
            "claim": "beats_on_small_data",
            "study": "amounts",
            "methods": ["adapter", "lora"],
            "budget": "large",
            "size": "few",
        },
        "seen": {
            "claim": "matters_less_where_seen",
            "study": "read",
            "method": "adapter",
            "sizes": ["few", "many"],
            "budgets": ["large", "tiny"],
        },
        "few_shot": {
            "claim": "beats_in_context",
            "study": "few_shot",
            "method": "adapter",
            "budget": "large",
            "in_context": "examples",
        },
        "rising": {"claim": "monotonous_where_unseen", "study": "read", "method": "adapter"},
    },
}
Quality = Callable[[Cell], float | np.ndarray]
"""chrF that a cell reaches, of the whole test set or sentence by sentence."""


def configuration_of(*findings: str, **changes: Any) -> Configuration:
    """The shipped catalogues with studies and findings of our own."""
    shipped = DEFAULT
    gone = {name: dict.fromkeys(shipped[name]) for name in ("studies", "findings")}
    content = merge(merge(merge(shipped, gone), OVERLAY), changes)
    content["findings"] = {label: content["findings"][label] for label in findings}
    used = [finding["study"] for finding in content["findings"].values()] or ["shares"]
    content["studies"] = {label: content["studies"][label] for label in used}
    return validate(content)


def train_record(cell: Cell, *, best_step: int | None, status: str) -> dict[str, Any]:
    share = {"full": 1.0, "scratch": 1.0, "none": 0.0, "examples": 0.0}.get(cell.method, SHARES.get(cell.budget))
    return TrainRecord(
        cell=cell.named,
        status=status,
        params={},
        execution={},
        versions={},
        inputs={} if cell.size == ANY else {"subset_sha256": subset_of(cell)},
        total_parameters=1_000_000,
        trained_parameters=int(1_000_000 * share),
        budget_requested=SHARES.get(cell.budget),
        budget_achieved=share,
        left_over_parameters=0,
        sizes={},
        training_pairs={"few": 100, "many": 4000}.get(cell.size, 0),
        learning_rate=0.001,
        updates=10,
        best_step=best_step,
        dev_history=[],
        starts=1,
        train_seconds=60.0 + int(cell.seed if cell.seed.isdigit() else 0),
        tokens_per_second=1000.0,
        peak_memory_mb=100.0,
        stored_bytes=100,
    ).model_dump()


def decode_record(cell: Cell, *, status: str) -> dict[str, Any]:
    return DecodeRecord(
        cell=cell.named,
        status=status,
        params={},
        trained_sha256="",
        versions={},
        execution={"device": "cpu"},
        test_sets={},
        decode_seconds=2.0,
        sentences_per_second=50.0 + int(cell.seed if cell.seed.isdigit() else 0),
    ).model_dump()


def write_cell(
    cell: Cell,
    quality: float | np.ndarray,
    *,
    noise: float = 1.0,
    best_step: int | None = 10,
    status: str = "ok",
    pair: str | None = None,
) -> None:
    """Records of a cell whose sentences scatter around its quality, by `noise` chrF beside what all systems share.

    The scores are on the test set of `pair`, if that is another one than its own.
    """
    folder = OnPair(cell, pair or cell.pair).folder
    difficulty = np.random.default_rng(7).normal(0, 5, SENTENCES)
    own = np.random.default_rng(zlib.crc32(cell.path.encode())).normal(0, noise, SENTENCES)
    for half in (SIMILAR, ~SIMILAR):
        own[half] -= own[half].mean()  # Noise must not move the truth that a test relies on.
    wanted = quality + difficulty + own
    match = np.clip(np.round(UNITS * wanted / 100), 1, UNITS).astype(int)
    whole = np.full(SENTENCES, UNITS)
    tables = {
        "chrf": np.stack([whole, whole, match] * 6, axis=-1),
        "bleu": np.stack([whole, whole, *[match] * 4, *[whole] * 4], axis=-1),
    }
    scores = {"chrf": float(chrf(tables["chrf"].sum(0))), "bleu": float(bleu(tables["bleu"].sum(0)))}
    measured = {
        metric: {"score": scores[metric], "signature": metric, "statistics": table.tolist()}
        for metric, table in tables.items()
    }
    score = ScoreRecord(
        cell=cell.named,
        status=status,
        params={},
        decoded_sha256="",
        versions={},
        test_sets={"test": {"sentences": SENTENCES, **measured}} if status == "ok" else {},
    )
    write(cell.folder / "train.json", train_record(cell, best_step=best_step, status=status))
    write(folder / "decode.json", decode_record(cell, status=status))
    write(folder / "score.json", score.model_dump())


def write(path: Path, record: Mapping[str, Any]) -> None:
    """As the steps do, but without waiting for the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record), encoding="utf-8")


def subset_of(cell: Cell) -> str:
    """A stand-in for the hash of the subset that a cell has read."""
    return f"{cell.size}/{cell.seed}"


def write_similarities(cells: list[Cell], sentences: int = SENTENCES) -> list[Path]:
    """Every second sentence resembles what cells have read, of one seed more than of the others."""
    similar = np.arange(sentences) % 2 == 1
    files = []
    for pair in sorted({cell.pair for cell in cells}):
        read = sorted({subset_of(cell) for cell in cells if cell.pair == pair and cell.size != ANY})
        found = {subset: np.where(similar, 0.5 - 0.01 * place, 0.1).tolist() for place, subset in enumerate(read)}
        files.append(Path(f"data/pairs/{pair}/similarity.json"))
        write(files[-1], {"pair": pair, "params": {}, "subsets": found})
    return files


def build(configuration: Configuration, quality: Quality, **special: Mapping[str, Any]) -> list[Cell]:
    """Write the cells of all claims; `special` holds options of `write_cell` by a part of the cell's path."""
    cells = claim_cells(params_of("test_claims", configuration))
    for cell in cells:
        options = {
            key: value for part, given in special.items() if part in f"{cell.path}/" for key, value in given.items()
        }
        if options.pop("missing", False):
            continue
        write_cell(cell, quality(cell), **options)
    return cells


def found(configuration: Configuration) -> FindingsRecord:
    """Findings of the folder, as written; cells without records are missing."""
    params = params_of("test_claims", configuration)
    cells = claim_cells(params)
    missing = [cell for cell in cells if not (cell.folder / "score.json").exists()]
    similarities = write_similarities(cells)
    record = Path("results/findings.json")
    write_findings(params, similarities=similarities, record=record, page=record.with_suffix(".md"), missing=missing)
    return FindingsRecord.model_validate(read_record(record))


def finding(label: str, quality: Quality, **special: Mapping[str, Any]) -> FindingRecord:
    """One finding in a folder where its cells have this quality."""
    configuration = configuration_of(label)
    build(configuration, quality, **special)
    return found(configuration).findings[label]

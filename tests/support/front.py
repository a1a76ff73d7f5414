"""Records of cells written by hand, in every state in which a sweep can leave them."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from mtpeft.cells import Cell
from mtpeft.config.load import load, merge, validate
from mtpeft.config.schema import Configuration
from mtpeft.core.files import sha256_of, write_record
from mtpeft.core.records import DecodeRecord, ScoreRecord, TrainRecord
from mtpeft.steps.train import placed
from support.default import DEFAULT, TINY
from support.steps import params_of

OVERLAY = {
    "rate_search": {"table": None},
    "studies": {
        "budgets": {
            "pairs": ["pt-en"],
            "sizes": ["n4800"],
            "methods": ["full", "adapter", "none"],
            "budgets": ["b1", "b20"],
            "seeds": [1, 2],
            "also": [],
        },
        **dict.fromkeys(set(DEFAULT["studies"]) - {"budgets"}),
    },
}


CONFIGURATION = validate(merge(DEFAULT, OVERLAY))


def own_cell(*labels: str) -> Cell:
    """A cell of this study, with its folder."""
    return placed(CONFIGURATION, Cell(*labels))


def configured(folder: Path, **changes: Any) -> Configuration:
    """A study of seven cells, or with changes of its lists; the overlay that makes it is written into the folder."""
    overlay = merge(merge(TINY, OVERLAY), {"studies": {"budgets": changes}})
    (folder / "mine.yaml").write_text(yaml.safe_dump(overlay, sort_keys=False))
    return load([folder / "mine.yaml"])


def train_record(cell: Cell, status: str = "ok") -> dict[str, Any]:
    """A record of the configuration in `mine.yaml`."""
    share = {"b1": 0.01, "b20": 0.2}.get(cell.budget)
    trained = {"full": 1_000_000, "none": 0}.get(cell.method, int(1_000_000 * (share or 0)) - 7)
    return TrainRecord(
        cell=cell.named,
        status=status,
        params=params_of("train", load([Path("mine.yaml")]), cell),
        execution={"device": "cpu"},
        versions={},
        inputs={},
        total_parameters=1_000_000,
        trained_parameters=trained,
        budget_requested=share,
        budget_achieved=trained / 1_000_000,
        left_over_parameters=7 if share else 0,
        sizes={},
        training_pairs=4800,
        learning_rate=None if cell.method == "none" else 0.003,
        updates=240,
        best_step=160,
        dev_history=[],
        starts=1,
        train_seconds=61.5,
        tokens_per_second=2000.0,
        peak_memory_mb=400.5,
        stored_bytes=4096,
    ).model_dump()


def decode_record(cell: Cell, status: str = "ok") -> dict[str, Any]:
    return DecodeRecord(
        cell=cell.named,
        status=status,
        params=params_of("decode", load([Path("mine.yaml")]), cell),
        trained_sha256=sha256_of(cell.folder / "train.json"),
        versions={},
        execution={"device": "cpu"},
        test_sets={},
        decode_seconds=2.5,
        sentences_per_second=200.0,
    ).model_dump()


def score_record(cell: Cell, chrf: float | None, status: str = "ok") -> dict[str, Any]:
    measured = {
        "sentences": 500,
        "chrf": {"score": chrf, "signature": "chrF2|version:2.6.0", "statistics": [[9] * 18] * 4},
        "bleu": {"score": 20.125, "signature": "BLEU|version:2.6.0", "statistics": [[9] * 10] * 4},
    }
    sets = {"test": measured} if status == "ok" else {}
    return ScoreRecord(
        cell=cell.named,
        status=status,
        params=params_of("score", load([Path("mine.yaml")]), cell),
        decoded_sha256=sha256_of(cell.folder / "decode.json"),
        versions={},
        test_sets=sets,
    ).model_dump()


def finish(cell: Cell, chrf: float | None = 40.0, status: str = "ok") -> None:
    write_record(cell.folder / "train.json", train_record(cell, status))
    write_record(cell.folder / "decode.json", decode_record(cell, status))
    write_record(cell.folder / "score.json", score_record(cell, chrf, status))


def fail(cell: Cell, reason: str = "out of memory") -> None:
    write_record(
        cell.folder / "failed.json", {"step": "train", "target": cell.path, "reason": reason, "mistake": False}
    )


def begin(cell: Cell) -> Path:
    lock = cell.folder / "state" / "lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    return lock


@contextmanager
def held(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield

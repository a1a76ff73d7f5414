"""The table of all searches for learning rates: one row per trial, with its dev curve."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mtpeft.analysis.csv_files import csv_text
from mtpeft.cells import RATE_LABELS
from mtpeft.config.rate_search import CHOSEN, search_digest
from mtpeft.core.files import read_record, write_text

COLUMNS = (
    *RATE_LABELS,
    "pair",
    "seed",
    "training_pairs",
    "updates",
    "learning_rate",
    "chosen",
    "at_edge",
    "status",
    "best_step",
    "dev_curve",
    "mean_score",
    "spread",
    "search",
)


def write_rates(records: Iterable[Path], table: Path) -> None:
    """Write the trials of all searches in the order of their labels and rates; dev curves are `step:chrF …`.

    Trials of one rate on several pairs or with several seeds share their mean score, by which the rate is chosen, and
    its spread, a standard deviation.
    """
    rows = [row for record in records for row in _rows(read_record(record))]
    rows.sort(key=lambda row: (*(row[name] for name in RATE_LABELS), row["learning_rate"]))
    # Rates have all their digits, since later searches look them up.
    write_text(table, csv_text(COLUMNS, ({**row, "learning_rate": str(row["learning_rate"])} for row in rows)))


def _rows(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    params = record["params"]
    any_trial = params["trial"] if "trial" in params else next(iter(params["trials"].values()))
    scores = {score["learning_rate"]: score for score in record.get("scores", [])}
    for trial in record["trials"]:
        score = scores.get(trial["learning_rate"], {})
        yield {
            **record["labels"],
            "pair": trial.get("pair") or params["pair"],
            "seed": any_trial["seed"] if trial.get("seed") is None else trial["seed"],
            "training_pairs": params["training_pairs"],
            "updates": any_trial["optimisation"]["updates"],
            "learning_rate": trial["learning_rate"],
            "chosen": CHOSEN if trial["learning_rate"] == record["learning_rate"] else "",
            "at_edge": CHOSEN if record["at_edge"] else "",
            "status": trial["status"],
            "best_step": trial["best_step"],
            "dev_curve": " ".join(f"{entry['step']:.0f}:{entry['score']:.2f}" for entry in trial["dev_history"]),
            "mean_score": _two_digits(score.get("mean")),
            "spread": _two_digits(score.get("spread")),
            "search": search_digest(params),
        }


def _two_digits(score: float | None) -> str:
    return "" if score is None else f"{score:.2f}"

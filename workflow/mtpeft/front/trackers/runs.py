"""A finished cell as trackers know it, a run with params, metrics and curves, from its records alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtpeft.core.files import read_if_whole
from mtpeft.front.watch.cells import is_scored, read_cells

COSTS = ("train_seconds", "tokens_per_second", "peak_memory_mb", "stored_bytes", "trained_parameters")
"""Keys of the record of a training that are metrics."""
SETTINGS = ("learning_rate", "budget_requested", "budget_achieved", "training_pairs", "updates", "best_step", "status")
"""Keys of the record of a training that are params."""


@dataclass(frozen=True)
class TrackedRun:
    """A finished cell.

    Attributes:
        name: its labels.
        folder: of its records.
        sha256: of its last record, by which a cell that was made anew is told from what is tracked already.
        params: its labels and settings.
        metrics: scores and costs, one number each.
        curves: steps with values, by name.
    """

    name: str
    folder: Path
    sha256: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    curves: Mapping[str, list[tuple[int, float]]] = field(default_factory=dict)


def finished_runs(results: Path) -> Iterator[TrackedRun]:
    """The finished cells of a study file; a group of pairs has one for each pair, as has a decoding of another pair."""
    cells = read_cells(results)
    for name, folders in cells.folders.items() if cells else ():
        for folder in folders if is_scored(folders) else ():
            if found := _run(name if len(folders) == 1 else f"{name} on {folder.name}", folder):
                yield found


def _run(name: str, folder: Path) -> TrackedRun | None:
    """A run by the records in a folder, and by that of the training, which lies in it or above it."""
    score, decode = read_if_whole(folder / "score.json"), read_if_whole(folder / "decode.json")
    trained = next(filter(None, (read_if_whole(own / "train.json") for own in (folder, *folder.parents))), None)
    if score is None or decode is None or trained is None:
        return None
    train = trained[0]
    labels = train["cell"] | {"pair": score[0]["cell"]["pair"]}
    settings = {key: train[key] for key in SETTINGS if train.get(key) is not None}
    metrics = dict(_scores(score[0])) | {key: float(train[key]) for key in COSTS if train.get(key) is not None}
    metrics["sentences_per_second"] = float(decode[0]["sentences_per_second"])
    measured = {"dev": "score", "loss": "loss"}
    courses = {
        name: [(int(entry["step"]), float(entry[key])) for entry in train["dev_history"] if key in entry]
        for name, key in measured.items()
    }
    return TrackedRun(
        name=name,
        folder=folder,
        sha256=score[1],
        params={key: str(value) for key, value in {**labels, **settings}.items()},
        metrics=metrics,
        curves={name: course for name, course in courses.items() if course},
    )


def _scores(record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Scores by test set and metric, such as `test/chrf`."""
    for test_set, measured in record["test_sets"].items():
        for metric, own in measured.items():
            if isinstance(own, dict) and isinstance(own.get("score"), float):
                yield f"{test_set}/{metric}", own["score"]

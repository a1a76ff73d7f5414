"""What the records say of a trained cell that is handed over: its text, its training, its scores, and the licences."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.analysis.p_values import interval
from mtpeft.analysis.resampling import score_runs, sentence_weights
from mtpeft.cells import ANY, Cell, label_of
from mtpeft.core.files import read_if_whole, read_record, sha256_of
from mtpeft.front.licences import licence_named_by
from mtpeft.metrics.base import ALWAYS, METRICS

NOT_SCORED: Mapping[str, Any] = {"test_sets": {}, "references": {}}
MODELS, PAIRS, WHEELS = Path("results/models"), Path("data/pairs"), Path("data/wheels")


@dataclass(frozen=True)
class Measured:
    """A score of a test set with its interval over sentences, and that of the untouched base where it was measured."""

    metric: str
    test_set: str
    score: float
    interval: tuple[float, float]
    untouched: float | None
    signature: str


@dataclass(frozen=True)
class CellFacts:
    """What others want to know of a trained cell.

    Attributes:
        cell: its labels.
        pair: that it is handed over for.
        languages: BCP 47 tags of source and target.
        train: its `train.json`.
        measured: its scores, metric by metric.
        text: from where its text comes, with what is known of each source's licence; empty where the text is gone.
        base: name of the base model as one of the hub, and its commit; None where the base comes from elsewhere.
        licences: of the published model that the base was made from, as far as the records name them.
    """

    cell: Cell
    pair: str
    languages: tuple[str, str]
    train: Mapping[str, Any]
    measured: tuple[Measured, ...]
    text: Mapping[str, str | None]
    base: tuple[str, str] | None
    licences: tuple[str, ...]


def facts_of(folder: Path, pair: str | None) -> CellFacts:
    """Collect the facts of the cell in a folder; of a group, on one of its pairs."""
    train = read_record(folder / "train.json")
    cell = Cell(**train["cell"])
    languages = train["params"].get("members", {}).get(pair) or train["params"]["languages"]
    read = read_if_whole((folder / "others" / pair if cell.is_group and pair else folder) / "score.json")
    scored = read[0] if read else NOT_SCORED
    origins = list(origins_of(Path(train["inputs"]["base"])))
    published = next((record["params"]["hub"] for record in origins if "hub" in record["params"]), None)
    repository, _, commit = (published or "").rpartition("@")
    named = [licence_named_by(origin) for record in origins if (origin := record["origin"]).get("licence")]
    return CellFacts(
        cell=cell,
        pair=pair or cell.pair,
        languages=(languages["source"], languages["target"]),
        train=train,
        measured=tuple(_measured(scored, _untouched(cell, pair or cell.pair, train, scored))),
        text=_text(scored),
        base=(repository, commit) if published and len(origins) == 1 else None,
        licences=tuple(dict.fromkeys(named)),
    )


def _measured(scored: Mapping[str, Any], untouched: Mapping[str, Any]) -> Iterator[Measured]:
    for name, own in sorted(scored["test_sets"].items()):
        for metric in ALWAYS:
            statistics = np.array(own[metric]["statistics"])[None]
            weights = sentence_weights(statistics.shape[1])
            resampled = score_runs(statistics, [ANY], weights, METRICS[metric].corpus_score).resampled[:, 0]
            base = untouched.get(name, {}).get(metric, {}).get("score")
            yield Measured(metric, name, own[metric]["score"], interval(resampled), base, own[metric]["signature"])


def _untouched(cell: Cell, pair: str, train: Mapping[str, Any], scored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Test sets of the untouched base model of a cell on the same references; empty where it was not measured."""
    untouched = Cell(cell.model, pair, ANY, "none", ANY, ANY)
    for record in sorted(untouched.folder.parent.glob(f"{untouched.seed}*/train.json")):
        found = read_record(record.with_name("score.json")) if record.with_name("score.json").exists() else {}
        is_same_base = read_record(record)["inputs"]["base"] == train["inputs"]["base"]
        if is_same_base and found.get("references") == scored["references"]:
            return found["test_sets"]
    return {}


def origins_of(record: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the record of a base model, and those of the models that it was made from, as far as they are there."""
    base = read_record(record)
    yield base
    if wanted := base["origin"].get("base_sha256"):
        for file in sorted(MODELS.glob("*/base.json")):
            if sha256_of(file) == wanted:
                yield from origins_of(file)
                return


def _text(scored: Mapping[str, Any]) -> dict[str, str | None]:
    """Sources of the text that a cell was tested on, which are those that it was trained on, with their licences."""
    tests = set(scored["references"].values())
    for parts in sorted(PAIRS.glob("*/parts.json")):
        if read_record(parts)["sha256"].get("test") in tests:
            return sources_of(parts.parent)
    return {}


def sources_of(folder: Path) -> dict[str, str | None]:
    """Sources of the text of a pair, by the record in its folder, with what is known of their licences."""
    archives = read_record(folder / "clean.json")["inputs"]
    known = {own["archive_sha256"]: own.get("licence") for own in map(read_record, WHEELS.glob("*/*.json"))}
    return {_source(name): known.get(archives[name]) for name in sorted(archives)}


def _source(file: str) -> str:
    """Name a source of text: a download without the digest in its file's name, a user's own file by its whole name."""
    stem = Path(file).stem
    return label_of(stem) if label_of(stem) != stem else file

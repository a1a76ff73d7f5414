"""The scripts beside the page: texts of test sets, and cells with their translations, loaded when asked for.

Browsers refuse to fetch files for a page that was opened as a file, but they load scripts.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.config.pairs import pair_languages
from mtpeft.config.schema import Configuration
from mtpeft.core.files import read_if_whole, read_lines, write_text
from mtpeft.data.tsv import read_pairs
from mtpeft.front.page.gather import ScoredCell
from mtpeft.front.page.measured import MeasuredCell
from mtpeft.metrics.base import DEFAULT_METRIC, METRICS
from mtpeft.steps.decontaminate_pair import reference

CALL = "mtpeftPage.receive"
LENGTH_CLASSES = 4
SIMILARITY_ENDS = (0.0, 0.2, 0.3, 0.4, 0.5, 1.0)
"""Ends of classes of similarity; near-duplicates, from 0.6 on, are taken out of the training text."""
SHOWN_RECORD = ("learning_rate", "updates", "best_step", "starts", "trained_parameters", "places", "training_pairs")


def script_text(kind: str, key: str, content: Mapping[str, Any]) -> str:
    """A script that hands its content to the page."""
    name, written = (json.dumps(own) for own in (kind, key))
    return f"{CALL}({name},{written},{json.dumps(content, ensure_ascii=False, separators=(',', ':'))});\n"


def text_key(cell: ScoredCell) -> str:
    """Name of the text that a cell was scored on."""
    return f"{cell.on.pair}/{cell.test_set}"


def write_text_script(configuration: Configuration, cell: ScoredCell, folder: Path) -> Sequence[str]:
    """Write source and reference of a test set; returns the sources, none where the text is gone."""
    file = Path(reference(configuration, cell.on.pair, cell.test_set))
    rows = list(read_pairs(file)) if file.is_file() else []
    source, target = pair_languages(configuration, cell.on.pair)
    sources = [row.source for row in rows]
    content = {
        "languages": [source, target],
        "sources": sources,
        "references": [row.target for row in rows],
    }
    _write(folder / "text" / f"{text_key(cell)}.js", script_text("text", text_key(cell), content))
    return sources


def write_cell_script(
    measured: MeasuredCell,
    untouched: MeasuredCell | None,
    *,
    sources: Sequence[str],
    similarity: Sequence[float] | None,
    folder: Path,
) -> None:
    """Write a cell: params, dev scores, translations with their scores, and scores of classes of sentences.

    Args:
        measured: the cell.
        untouched: its base model before any fine-tuning, for the same classes.
        sources: of the test set.
        similarity: of each test sentence to the text that the cell was trained on, if the study has measured it.
        folder: of all scripts.
    """
    cell, statistics = measured.cell, measured.statistics.get(DEFAULT_METRIC)
    scores = [] if statistics is None else METRICS[DEFAULT_METRIC].corpus_score(statistics)
    hypotheses = cell.on.folder / "hypotheses" / f"{cell.test_set}.txt"
    lines = read_lines(hypotheses) if hypotheses.is_file() else []
    classes = {}
    if statistics is not None and len(sources) == len(statistics):
        classes["length"] = _by_class(_length_classes(sources), measured, untouched)
    if statistics is not None and similarity is not None and len(similarity) == len(statistics):
        classes["similarity"] = _by_class(_similarity_classes(similarity), measured, untouched)
    content = {
        "text": text_key(cell),
        "hypotheses": lines,
        "chrf": [round(float(score), 1) for score in scores],
        "classes": classes,
        "dev": [_evaluation(point) for point in measured.train.get("dev_history", ())],
        "params": dict(_flat(measured.train.get("params", {}))),
        "record": {name: measured.train[name] for name in SHOWN_RECORD if measured.train.get(name) is not None},
    }
    _write(folder / "cells" / f"{cell.key}/{cell.test_set}.js", script_text("cell", _cell_key(cell), content))


def _evaluation(point: Mapping[str, float]) -> list[float | None]:
    """Return the update, the dev score and the loss since the evaluation before, which older records lack."""
    loss = point.get("loss")
    return [point["step"], round(point["score"], 2), None if loss is None else round(loss, 4)]


def _cell_key(cell: ScoredCell) -> str:
    return f"{cell.key}/{cell.test_set}"


def read_similarities(folder: Path) -> dict[str, Sequence[float]]:
    """Similarities of test sentences to training text, by the SHA-256 of the list of sentences that were read."""
    records = (read_if_whole(file) for file in sorted((folder / "similarity").glob("*.json")))
    return {subset: own for read in records if read for subset, own in read[0]["subsets"].items()}


def _write(file: Path, text: str) -> None:
    """Write a script, unless it is there as it should be: a page is often made again after one more cell."""
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        write_text(file, text)


def _flat(params: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in params.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _length_classes(sources: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Quarters of the sentences by the length of their source in characters, which all scripts have."""
    lengths = np.array([len(source) for source in sources])
    ends = np.unique(np.quantile(lengths, np.linspace(0, 1, LENGTH_CLASSES + 1)).round().astype(int))
    for place, (low, high) in enumerate(pairwise(ends)):
        first = low if place == 0 else low + 1
        yield f"{first} to {high}", (lengths >= first) & (lengths <= high)


def _similarity_classes(similarity: Sequence[float]) -> Iterator[tuple[str, np.ndarray]]:
    values = np.array(similarity)
    for low, high in pairwise(SIMILARITY_ENDS):
        is_last = high == SIMILARITY_ENDS[-1]
        yield f"{low:g} to {high:g}", (values >= low) & ((values < high) | is_last)


def _by_class(
    classes: Iterator[tuple[str, np.ndarray]], measured: MeasuredCell, untouched: MeasuredCell | None
) -> list[list[Any]]:
    """Name, number of sentences, score of the cell and of the untouched model of each class that has sentences."""
    own = measured.statistics[DEFAULT_METRIC]
    base = untouched.statistics.get(DEFAULT_METRIC) if untouched else None
    base = base if base is not None and len(base) == len(own) else None
    return [
        [name, int(rows.sum()), _score(own[rows]), None if base is None else _score(base[rows])]
        for name, rows in classes
        if rows.any()
    ]


def _score(statistics: np.ndarray) -> float:
    return round(float(METRICS[DEFAULT_METRIC].corpus_score(statistics.sum(axis=0))), 2)

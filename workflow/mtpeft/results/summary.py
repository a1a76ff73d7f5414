"""Summaries of studies: one row per system, that is per model, pair, size, method and budget, over its seeds.

`summary.csv` has a header and these columns, empty where something was not measured:

- `model`, `pair`, `size`, `method`, `budget`, `test_set`: labels; `any` where one means nothing.
- `training_pairs`: sentence pairs the system was trained on.
- `seeds`: runs with a score; `diverged`, `missing`: runs without; `step_zero`: runs that kept the untouched model.
- `trained_share`, `trained_parameters`: what was trained, as a share of the base model and as a count.
- `chrf`, `bleu`: mean over seeds; `_low` and `_high` end the 95 % interval over sentences and seeds.
- `comet` with `comet_low` and `comet_high`, after `bleu`: the same for COMET, only where the configuration asks for it.
- `minus_full`, `minus_none`: chrF minus that of full fine-tuning of the same model, pair and size, and of the untouched
  model, over the seeds that both have; with `_low` and `_high`.
- `stored_bytes`, `peak_memory_mb`, `train_seconds`, `decode_sentences_per_second`: what it cost.

Shares and costs are means over the runs with a score.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.cells import ANY, DIMENSIONS, Cell
from mtpeft.config.studies import system_labels
from mtpeft.markdown import table
from mtpeft.records import write_text
from mtpeft.results.collect import MISSING, TEST_SET, cost_row, csv_text
from mtpeft.results.comet import METRIC, with_comet
from mtpeft.results.systems import Run, Sample, System, read_runs
from mtpeft.statistics.contrasts import Term, contrast, matched_seeds
from mtpeft.statistics.corpus_scores import COUNTED, SCORES
from mtpeft.statistics.p_values import interval
from mtpeft.statistics.resampling import Scored

Key = tuple[str, ...]
ESTIMATES = (*COUNTED, "minus_full", "minus_none")
WITH_COMET = (*COUNTED, METRIC, "minus_full", "minus_none")
DIGITS = {METRIC: 4}
"""Digits after the point in the table to read, where one is not enough."""
COSTS = ("trained_parameters", "stored_bytes", "peak_memory_mb", "train_seconds", "decode_sentences_per_second")
LABELS = (*DIMENSIONS[:5], "test_set", "training_pairs", "seeds", "step_zero", "diverged", "missing", "trained_share")


def columns_of(estimates: Sequence[str]) -> tuple[str, ...]:
    """Columns of a summary with these estimates."""
    return (*LABELS, *(f"{name}{end}" for name in estimates for end in ("", "_low", "_high")), *COSTS)


SUMMARY_COLUMNS = columns_of(ESTIMATES)


def write_summary(
    cells: Iterable[Cell],
    *,
    output: Path,
    page: Path,
    missing: Collection[Cell] = (),
    comet: Collection[Cell] | None = None,
) -> None:
    """Write `summary.csv` and the same as a table to read, `summary.md`.

    Args:
        cells: with records.
        output: where the table goes.
        page: where the table to read goes.
        missing: cells without records.
        comet: cells that COMET has scored; None: it was not asked to, and has no columns.

    Raises:
        FileNotFoundError: a cell that is not said to be missing has no records.
    """
    runs = read_runs(sorted({*cells, *missing}), missing)
    estimates = ESTIMATES
    if comet is not None:
        runs, estimates = with_comet(runs, comet), WITH_COMET
    rows = list(summary_rows(runs))
    write_text(output, csv_text(columns_of(estimates), rows))
    write_text(page, _page(rows, estimates))


def summary_rows(runs: Mapping[Cell, Run]) -> Iterator[dict[str, Any]]:
    """One row per system and test set, in the order of the labels."""
    systems: dict[Key, System] = {}
    for cell, run in runs.items():
        key = system_labels(cell)
        systems[key] = System((*(systems[key].runs if key in systems else ()), run))
    scored = {key: _score(system) for key, system in systems.items()}
    for key, system in systems.items():
        labels = dict(zip(DIMENSIONS, key, strict=False))
        for test_set in scored[key] or {TEST_SET: None}:
            own = {name: sets.get(test_set) for name, sets in scored.items()}
            yield labels | {"test_set": test_set} | _counted(system) | (_estimates(key, own) if own[key] else {})


def _score(system: System) -> dict[str, dict[str, Any]]:
    """Sample and scores of the metrics, by test set; nothing where no run has a score."""
    found = {}
    for test_set in system.measured[0].counts if system.measured else ():
        sentences = system.counts(test_set, "chrf").shape[1]
        sample = Sample(test_set, sentences, np.arange(sentences), stream=f"{system.runs[0].cell.pair} {test_set}")
        found[test_set] = {"sample": sample}
        for metric in SCORES:
            scored = System(tuple(run for run in system.measured if metric in run.counts[test_set]))
            if scored.runs:
                found[test_set][metric] = sample.score(scored, metric)
    return found


def _counted(system: System) -> dict[str, Any]:
    lacking = [run.status for run in system.lacking]
    trained = [run.train for run in system.runs if run.train]
    return {
        "training_pairs": max((record["training_pairs"] for record in trained), default=None),
        "seeds": len(system.measured),
        "step_zero": len(system.step_zero),
        "diverged": len(lacking) - lacking.count(MISSING),
        "missing": lacking.count(MISSING),
        "trained_share": system.share,
        **_costs(system),
    }


def _costs(system: System) -> dict[str, float]:
    """Mean costs of the runs with a score; empty where none has one, or where nothing was trained or decoded."""
    found: dict[str, list[float]] = {name: [] for name in COSTS}
    for run in system.measured:
        for name, value in cost_row(run.cell).items():
            if name in found and value is not None:
                found[name].append(value)
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def _estimates(key: Key, scored: Mapping[Key, Mapping[str, Any] | None]) -> dict[str, Any]:
    """Scores of a system and differences to its references, with their intervals."""
    model, pair, size, *_ = key
    sample, own = scored[key]["sample"], scored[key]
    found = {metric: _estimate([(1.0, own[metric])], sample) for metric in SCORES if metric in own}
    references = {"minus_full": (model, pair, size, "full", "all"), "minus_none": (model, pair, ANY, "none", ANY)}
    for name, reference in references.items():
        other = scored.get(reference)
        if other and reference != key and _comparable(own["chrf"], other["chrf"]):
            found[name] = _estimate([(1.0, own["chrf"]), (-1.0, other["chrf"])], sample)
    return {column: value for name, values in found.items() for column, value in _columns(name, values)}


def _comparable(one: Scored, other: Scored) -> bool:
    return bool(matched_seeds([one, other]))


def _estimate(terms: list[Term], sample: Sample) -> tuple[float, float, float]:
    found = contrast(terms, sentences=len(sample.rows), stream=sample.stream)
    return (found.effect, *interval(found.samples))


def _columns(name: str, values: tuple[float, float, float]) -> Iterator[tuple[str, float]]:
    return zip((name, f"{name}_low", f"{name}_high"), values, strict=True)


def _page(rows: list[dict[str, Any]], estimates: Sequence[str]) -> str:
    """The table to read: intervals beside their values, shares in percent."""
    header = [*DIMENSIONS[:5], "test set", "seeds", "share", *estimates, "step 0", "diverged", "missing", "seconds"]
    lines = []
    for row in rows:
        share = row["trained_share"]
        seconds = row.get("train_seconds")
        lines.append(
            [
                *(row[name] for name in (*DIMENSIONS[:5], "test_set")),
                str(row["seeds"]),
                "" if share is None else f"{share:.2%}",
                *(_shown(row, name) for name in estimates),
                *(str(row[name]) for name in ("step_zero", "diverged", "missing")),
                "" if seconds is None else f"{seconds:.0f}",
            ]
        )
    return table(header, lines) + "\n"


def _shown(row: Mapping[str, Any], name: str) -> str:
    if row.get(name) is None:
        return ""
    mean, low, high = (f"{row[f'{name}{end}']:.{DIGITS.get(name, 1)}f}" for end in ("", "_low", "_high"))
    return f"{mean} [{low}, {high}]"

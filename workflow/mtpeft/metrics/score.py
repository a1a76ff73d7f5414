"""The step `score`: score the hypotheses of a cell with every metric that needs no step of its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.core.checksums import require_whole
from mtpeft.core.files import read_lines, sha256_of, write_record
from mtpeft.core.provenance import versions
from mtpeft.core.records import ScoreRecord
from mtpeft.data.normalisation import FORM, normalised_line
from mtpeft.data.tsv import read_pairs
from mtpeft.metrics.base import METRICS, Measured, Metric, metrics_in
from mtpeft.metrics.hypothesis_shares import shares_of


def score(
    params: Mapping[str, Any], cell: Cell, *, decoded: Path, references: Mapping[str, Path], record: Path
) -> None:
    """Write the scores of every test set and the shares of odd hypotheses; a cell that diverged gets neither.

    Args:
        params: `source` and `target`, the languages of both sides, and `metrics` if others than the usual ones are
            computed.
        cell: whose hypotheses they are.
        decoded: the cell's `decode.json`, with `hypotheses/` beside it.
        references: text of each test set.
        record: where the record goes.
    """
    metrics = [METRICS[name] for name in metrics_in(params)]
    made = require_whole(decoded)
    status, described = made["status"], made.get("test_sets", {})
    scores = {
        name: _score_set(
            decoded.parent / "hypotheses" / f"{name}.txt",
            text,
            (params["source"], params["target"]),
            metrics=metrics,
            at_limit=described.get(name, {}).get("at_limit"),
        )
        for name, text in references.items()
        if status == "ok"
    }
    content = ScoreRecord(
        cell=cell.named,
        status=status,
        params=dict(params),
        decoded_sha256=sha256_of(decoded),
        references={name: sha256_of(text) for name, text in references.items()},
        versions=versions(("sacrebleu", "py3langid")),
        test_sets=scores,
    )
    write_record(record, content.model_dump())


def _score_set(
    hypotheses: Path, text: Path, languages: tuple[str, str], *, metrics: Sequence[Metric], at_limit: int | None
) -> dict[str, Any]:
    pairs = read_pairs(text)
    sources, references = [pair.source for pair in pairs], [pair.target for pair in pairs]
    lines = read_lines(hypotheses)
    shares = shares_of(lines, languages, sources=sources, references=references, at_limit=at_limit)
    scores = score_corpus(lines, references, languages[1], metrics=metrics)
    return {"sentences": len(lines), "shares": shares, **scores}


def score_corpus(
    hypotheses: Sequence[str], references: Sequence[str], language: str, *, metrics: Sequence[Metric]
) -> dict[str, dict[str, Any]]:
    """Corpus score, signature and one row of statistics per sentence, for each metric.

    Hypotheses and references are scored as a `normalised_line`, which the signature says.

    Args:
        hypotheses: a line for each sentence.
        references: of the same sentences.
        language: BCP 47 tag of the target language.
        metrics: those to compute.
    """
    hypotheses, references = ([normalised_line(text) for text in texts] for texts in (hypotheses, references))
    return {
        metric.name: _described(metric, metric.measure(hypotheses, references, language))
        for metric in metrics
        if metric.measure
    }


def _described(metric: Metric, measured: Measured) -> dict[str, Any]:
    signature = measured.signature or f"{metric.name}|version:{metric.version}"
    score = _score_of_sums(metric, measured.statistics) if measured.score is None else measured.score
    statistics = [[_number(value) for value in row] for row in measured.statistics]
    return {"score": score, "signature": f"{signature}|text:{FORM}", "statistics": statistics}


def _score_of_sums(metric: Metric, statistics: Sequence[Sequence[float]]) -> float:
    import numpy as np

    return float(metric.corpus_score(np.array(statistics).sum(0)))


def _number(value: float) -> float:
    """A count as an integer, which JSON writes shorter."""
    return int(value) if float(value).is_integer() else float(value)

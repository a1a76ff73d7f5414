"""A summary as a page of HTML, which opens in Snakemake's report and in any browser."""

from html import escape
from pathlib import Path

from mtpeft.analysis.csv_files import Row, rows_of
from mtpeft.analysis.summary import metric_of
from mtpeft.core.files import write_text
from mtpeft.metrics.base import DEFAULT_METRIC, METRICS

LABELS = ("model", "pair", "size", "method", "budget", "scored_pair", "test_set")
STYLE = (
    "body{font:14px/1.45 sans-serif;margin:1.5em;color:#1a1a1a;background:#fff}"
    "table{border-collapse:collapse}th,td{padding:.25em .7em;border-bottom:1px solid #ddd;white-space:nowrap}"
    "th{position:sticky;top:0;background:#f4f4f4;text-align:left}td.number{text-align:right}"
)
"""Of a page that stands alone: the report loads no style for what it shows."""


def write_report_table(summary: Path, page: Path, *, title: str) -> None:
    """Write the systems of `summary.csv`, the best first, with intervals beside scores and differences.

    Args:
        summary: as `write_summary` has written it.
        page: where the page goes.
        title: name of the study.
    """
    rows = sorted(rows_of(summary, ("seeds", "trained_share", DEFAULT_METRIC)), key=_worst_last)
    header = list(rows[0].fields) if rows else []
    labels = [name for name in LABELS if name in header]
    estimates = [name.removesuffix("_low") for name in header if name.endswith("_low")]
    head = [*labels, "seeds", "trained share", *(name.replace("_", " ") for name in estimates)]
    cells = [
        [
            *(f"<td>{escape(row.text(name))}</td>" for name in labels),
            _number_cell(row.text("seeds")),
            _number_cell("" if (share := row.share("trained_share")) is None else f"{share:.2%}"),
            *(_number_cell(_with_interval(row, name)) for name in estimates),
        ]
        for row in rows
    ]
    lines = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style></head>',
        f"<body><h1>{escape(title)}</h1><table><thead><tr>",
        *(f'<th scope="col">{escape(name)}</th>' for name in head),
        "</tr></thead><tbody>",
        *(f"<tr>{''.join(row)}</tr>" for row in cells),
        "</tbody></table></body></html>",
    ]
    write_text(page, "\n".join(lines) + "\n")


def _worst_last(row: Row) -> float:
    score = row.optional(DEFAULT_METRIC)
    return float("inf") if score is None else -score


def _number_cell(text: str) -> str:
    return f'<td class="number">{escape(text)}</td>'


def _with_interval(row: Row, name: str) -> str:
    found = row.interval(name)
    if found is None:
        return ""
    digits = METRICS[metric_of(name)].digits_of_scores
    mean, low, high = (f"{value:.{digits}f}" for value in (found.mean, found.low, found.high))
    return f"{mean} ({low} to {high})".replace("-", "\N{MINUS SIGN}")

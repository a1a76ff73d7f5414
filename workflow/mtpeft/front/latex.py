"""Tables of a finished study in LaTeX, with the rules of booktabs, and a BibTeX file of its methods."""

from collections.abc import Iterator, Mapping, Sequence
from csv import DictReader
from itertools import groupby
from pathlib import Path

from mtpeft.analysis.read_tables import difference_column
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.core.files import write_text
from mtpeft.front.bibtex import bibliography, escaped, keys_of
from mtpeft.metrics.base import METRICS
from mtpeft.steps.cells_of_studies import results_folder, tables_folder

TOGETHER = ("model", "pair", "scored_pair", "size", "test_set")
"""Labels whose systems stand together, between two rules."""
Row = Mapping[str, str]


def write_latex(configuration: Configuration) -> Iterator[Path]:
    """Write `latex/<study>.tex` of each study that has a summary, and `latex/methods.bib`; yields their paths.

    Raises:
        UserError: no study has a summary yet.
    """
    folder, methods = Path(results_folder(configuration)) / "latex", []
    for study, entry in configuration.studies.items():
        summary = Path(tables_folder(configuration, study)) / "summary.csv"
        if not summary.exists():
            continue
        with summary.open(encoding="utf-8", newline="") as lines:
            rows = [row for row in DictReader(lines) if row.get(entry.metric)]
        methods += [row["method"] for row in rows if row["method"] not in methods]
        write_text(folder / f"{study}.tex", latex_table(configuration, rows, entry.metric))
        yield folder / f"{study}.tex"
    if not methods:
        raise UserError("No study has a summary yet; run `make figures` first.")
    write_text(folder / "methods.bib", bibliography(configuration, methods))
    yield folder / "methods.bib"


def latex_table(configuration: Configuration, rows: Sequence[Row], metric: str) -> str:
    """Write a table of systems: trained share, score and difference to full fine-tuning, with 95 % intervals.

    The best tuned system of each model, pair and size is bold.

    Args:
        configuration: of the study.
        rows: of its summary, with a score each.
        metric: name of the metric that is shown.
    """
    title = METRICS[metric].title
    labels = [
        name for name in TOGETHER if len({row.get(name) for row in rows}) > 1 or name in ("model", "pair", "size")
    ]
    head = [*(name.replace("_", " ") for name in labels), "method", "budget", "share"]
    lines = [
        "% \\usepackage{booktabs}; the keys are those of methods.bib",
        f"\\begin{{tabular}}{{{'l' * (len(labels) + 2)}rrr}}",
        "\\toprule",
        f"{' & '.join(head)} & {title} (95\\,\\%) & minus full (95\\,\\%) \\\\",
    ]
    for _, group in groupby(
        sorted(rows, key=lambda row: _place(row)), key=lambda row: [row.get(name, "") for name in TOGETHER]
    ):
        systems = list(group)
        trained = [float(row[metric]) for row in systems if float(row["trained_share"] or 0)]
        best = max(trained, key=lambda score: METRICS[metric].sign * score) if len(trained) > 1 else None
        lines.append("\\midrule")
        lines += [_line(configuration, row, metric, labels=labels, best=best) for row in systems]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


def _place(row: Row) -> tuple[object, ...]:
    return (*(row.get(name, "") for name in TOGETHER), -float(row["trained_share"] or 0), row["method"])


def _line(configuration: Configuration, row: Row, metric: str, *, labels: Sequence[str], best: float | None) -> str:
    digits, difference = METRICS[metric].digits_of_scores, difference_column(metric, "full")
    score = f"{float(row[metric]):.{digits}f}"
    cited = keys_of(configuration, row["method"])[:1]
    method = escaped(row["method"]) + "".join(f"~\\cite{{{key}}}" for key in cited)
    cells = [
        *(escaped(row[name]) for name in labels),
        method,
        escaped(row["budget"]),
        f"{100 * float(row['trained_share']):.2f}\\,\\%" if row["trained_share"] else "",
        (f"\\textbf{{{score}}}" if float(row[metric]) == best else score) + _interval(row, metric, digits),
        _number(row[difference], digits) + _interval(row, difference, digits) if row.get(difference) else "",
    ]
    return " & ".join(cells) + " \\\\"


def _number(text: str, digits: int) -> str:
    """Write a number with a minus sign, where a hyphen would stand."""
    return f"{float(text):.{digits}f}".replace("-", "$-$")


def _interval(row: Row, column: str, digits: int) -> str:
    low, high = (_number(row[f"{column}_{end}"], digits) for end in ("low", "high"))
    return f" ({low} to {high})"

"""The command `advise`: read what is finished, answer, and write the next cells down."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mtpeft.core.errors import UserError
from mtpeft.core.wording import unknown
from mtpeft.front.advise.finished import has_column, read_experience, shipped_tables, tables_in
from mtpeft.front.advise.regression import require_sklearn
from mtpeft.front.advise.request import Request, asked_in
from mtpeft.metrics.base import METRICS


def answer(
    request: Request, results: Sequence[Path], overlays: Sequence[Path] = (), *, to: Path | None = None
) -> Iterator[str]:
    """Yield the answer to a request, and write the overlay of the next cells.

    Args:
        request: what is asked.
        results: folders of results that count besides those that come with the project.
        overlays: of the configuration.
        to: a new file for the overlay; without it the overlay is a part of the answer.

    Raises:
        UserError: scikit-learn is not installed, there is no such metric, model or pair, a folder has no results, or
            the file is there.
    """
    require_sklearn()
    from mtpeft.front.advise.advice import advise
    from mtpeft.front.advise.text import advice_text, next_overlay

    for mistake in unknown("--metric", [request.metric], METRICS, "metrics"):
        raise UserError(mistake)
    if to is not None and (to.exists() or to.is_symlink()):
        raise UserError(f"{to} is there already; name another file after --to.")
    shipped = [table for table in shipped_tables() if has_column(table, request.metric)]
    tables = [*shipped, *(table for folder in results for table in tables_in(folder))]
    advice = advise(asked_in(request, overlays), read_experience(tables, request.metric))
    yield advice_text(advice)
    overlay = next_overlay(advice)
    if not overlay:
        return
    files = " ".join(map(str, (*overlays, to or "next.yaml")))
    config = f'"{files}"' if overlays else files
    if to is None:
        yield f"\nWrite this into next.yaml, as `--to next.yaml` does, and run `make figures CONFIG={config}`:"
        yield f"\n{overlay}"
    else:
        to.write_text(overlay, encoding="utf-8")
        yield f"\n{to} runs them: make figures CONFIG={config}"

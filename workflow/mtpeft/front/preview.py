"""Draw figures and test claims on the cells that are finished now; missing cells stay gaps and are named."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mtpeft.analysis.findings.assess import write_findings
from mtpeft.analysis.other_pairs import write_others
from mtpeft.analysis.report_table import write_report_table
from mtpeft.analysis.representations import write_representations
from mtpeft.analysis.score_tables import CellMetrics, write_tables
from mtpeft.analysis.serving import write_serving
from mtpeft.analysis.summary import write_summary
from mtpeft.cells import Cell, OnPair, Served
from mtpeft.config.contrasts import claim_cells
from mtpeft.config.metrics import metrics_of
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import EFFICIENCY
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_lines, write_lines
from mtpeft.core.text_tables import tally
from mtpeft.figures.draw import draw_figure
from mtpeft.front.status import is_finished, state_of
from mtpeft.steps.cells_of_studies import (
    figure_tables,
    figures_folder,
    placed_drawn_cells,
    placed_represented,
    placed_served,
    placed_study_others,
    placed_untouched,
    preview_folder,
    results_folder,
    tables_folder,
)
from mtpeft.steps.draw_figure import STEP as DRAW_FIGURE
from mtpeft.steps.freshness import is_represented, is_served, scored_now
from mtpeft.steps.measure_similarity import similarity_records
from mtpeft.steps.test_claims import STEP as TEST_CLAIMS

FINDINGS = "findings"
TABLES = ("scores.csv", "costs.csv", "summary.*", "others.*", "representations.csv", "serving.csv")
BEGUN_ANEW = "A cell was begun anew while its records were read; run `make preview` again."
UNFINISHED = ".unfinished"
"""A list of patterns: files that were made without all of their cells, in place of those that Snakemake makes."""


def preview(configuration: Configuration) -> Iterator[str]:
    """Draw all figures and test all claims on what is finished now, in a folder of their own; yields lines."""
    folder, labels = preview_folder(configuration), [*configuration.studies, EFFICIENCY]
    yield from draw_finished(configuration, {label: folder / "tables" / label for label in labels}, folder=folder)
    yield assess_finished(configuration, folder=folder)


def draw_finished(configuration: Configuration, labels: Mapping[str, Path], *, folder: Path) -> Iterator[str]:
    """Write the figures of studies, or `efficiency`, and the tables that they are drawn from; yields a line on each.

    Args:
        configuration: of now.
        labels: folders for the tables by study.
        folder: where the figures go.
    """
    for label, tables in labels.items():
        cells, others = placed_drawn_cells(configuration, label), placed_study_others(configuration, label)
        finished = [cell for cell in cells if is_finished(configuration, cell)]
        summary, missing = tables / "summary.csv", set(cells) - set(finished)
        others_table, ranks_table = tables / "others.csv", tables / "representations.csv"
        shown = placed_represented(configuration, label)
        lacking = {*(cell.on_own for cell in missing), *(on for on in others if not is_finished(configuration, *on))}
        try:
            metrics = CellMetrics(metrics_of(configuration), scored_now(configuration, finished))
            there = {"missing": missing, "metrics": metrics}
            write_tables(finished, scores=tables / "scores.csv", costs=tables / "costs.csv", **there)
            write_summary(finished, output=summary, page=summary.with_suffix(".md"), **there)
            write_report_table(summary, summary.with_suffix(".html"), title=label)
            if others:
                untouched = placed_untouched(configuration, label)
                page = others_table.with_suffix(".md")
                computed = CellMetrics(metrics_of(configuration))
                write_others(
                    others, output=others_table, page=page, before=untouched, missing=lacking, metrics=computed
                )
            if shown:
                unmeasured = {cell for cell in shown if not _is_represented(configuration, cell)}
                write_representations(shown, output=ranks_table, missing=unmeasured)
            if served := placed_served(configuration, label):
                absent = {own for own in served if not _is_served(configuration, own)}
                of = configuration.serving.moe.experts
                computed = CellMetrics(metrics_of(configuration))
                write_serving(served, experts=of, output=tables / "serving.csv", missing=absent, metrics=computed)
        except UserError as error:
            # Cells that were scored before and after a change of the test set can't be compared.
            yield f"{folder / label}.pdf: not drawn. {error}"
            continue
        except FileNotFoundError:
            yield f"{folder / label}.pdf: not drawn. {BEGUN_ANEW}"
            continue
        stem = folder / label
        draw_figure(
            DRAW_FIGURE.params_of(configuration, {"study": label}),
            summary=summary,
            tables=list(_tables_of_figure(configuration, label, tables)),
            stem=stem,
        )
        scored = _scored(configuration, [cell.on_own for cell in cells]), _scored(configuration, others)
        yield f"{stem}.pdf: {tally(*scored)}"


def _tables_of_figure(configuration: Configuration, label: str, folder: Path) -> Iterator[Path]:
    """Tables that a figure needs besides the summary: those of the preview, else those that the sweep has made."""
    for made in map(Path, figure_tables(configuration, label)):
        yield from [table for table in (folder / made.name, made) if table.exists()][:1]


def _is_represented(configuration: Configuration, cell: Cell) -> bool:
    return is_finished(configuration, cell) and is_represented(configuration, cell)


def _is_served(configuration: Configuration, served: Served) -> bool:
    return is_finished(configuration, served.cell) and is_served(configuration, served)


def _scored(configuration: Configuration, measured: Sequence[OnPair]) -> tuple[int, int]:
    """Count the cells on pairs that have a score, and all of them."""
    return sum(state_of(configuration, *on) == "done" for on in measured), len(measured)


def assess_finished(configuration: Configuration, *, folder: Path) -> str:
    """Write the findings of the cells that are finished now; returns a line on them."""
    params = TEST_CLAIMS.params_of(configuration, {})
    cells = claim_cells(params)
    missing = [cell for cell in cells if not is_finished(configuration, cell)]
    record, page = folder / f"{FINDINGS}.json", folder / f"{FINDINGS}.md"
    similarities = [Path(file) for file in similarity_records(configuration)]
    finished = [cell for cell in cells if cell not in missing]
    metrics = CellMetrics(metrics_of(configuration), scored_now(configuration, finished))
    try:
        write_findings(params, similarities=similarities, record=record, page=page, missing=missing, metrics=metrics)
    except UserError as error:
        return f"{page}: not written. {error}"
    except FileNotFoundError:
        return f"{page}: not written. {BEGUN_ANEW}"
    return f"{page}: {len(cells) - len(missing)} of {len(cells)} cells"


def make_unfinished(configuration: Configuration) -> None:
    """Make what Snakemake could not: tables, figures and findings whose cells are not all finished.

    Those of an earlier state are removed first, tables with their figures, so that all show the same state.
    """
    results, figures = results_folder(configuration), figures_folder(configuration)
    labels = [label for label in (*configuration.studies, EFFICIENCY) if not _is_whole(configuration, label)]
    tables = {label: tables_folder(configuration, label) for label in labels}
    tested = claim_cells(TEST_CLAIMS.params_of(configuration, {}))
    are_tested = all(is_finished(configuration, cell) for cell in tested)
    patterns = [f"{figures / label}.*" for label in labels]
    patterns += [f"{folder}/{name}" for folder in tables.values() for name in TABLES]
    patterns += [] if are_tested else [f"{results / FINDINGS}.*"]
    write_lines(results / UNFINISHED, patterns)
    _remove(patterns)
    for _ in draw_finished(configuration, tables, folder=figures):
        pass
    if not are_tested:
        assess_finished(configuration, folder=results)


def _drawn(configuration: Configuration, label: str) -> list[OnPair]:
    """The cells that a figure is drawn from, each with the pair that it is scored on."""
    cells = placed_drawn_cells(configuration, label)
    return [*(cell.on_own for cell in cells), *placed_study_others(configuration, label)]


def _is_whole(configuration: Configuration, label: str) -> bool:
    """Whether everything is finished that the tables of a figure are made from."""
    if not all(is_finished(configuration, *on) for on in _drawn(configuration, label)):
        return False
    if not all(is_represented(configuration, cell) for cell in placed_represented(configuration, label)):
        return False
    if not all(is_served(configuration, own) for own in placed_served(configuration, label)):
        return False
    cells = placed_drawn_cells(configuration, label)
    return all(len(scored) == len(cells) for scored in scored_now(configuration, cells).values())


def remove_unfinished(configuration: Configuration) -> None:
    """Remove what was made without all of its cells, so that Snakemake makes it anew."""
    unfinished = results_folder(configuration) / UNFINISHED
    if unfinished.exists():
        _remove(read_lines(unfinished))
        unfinished.unlink()


def _remove(patterns: Iterable[str]) -> None:
    for pattern in patterns:
        for file in Path().glob(pattern):
            file.unlink()

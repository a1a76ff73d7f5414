"""The plan of a sweep: cells of each study, Snakemake's own count of jobs, and what is left to pay."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mtpeft.cells import Cell, OnPair
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError, require_room
from mtpeft.core.text_tables import aligned
from mtpeft.front.prices.costs import Costs
from mtpeft.front.prices.jobs import jobs_left
from mtpeft.front.prices.limit import limit_lines, limited
from mtpeft.front.prices.measured import measured_here
from mtpeft.front.prices.table import Prices, notes, prices_table
from mtpeft.front.snakemake import recorded_events, snakemake_command
from mtpeft.front.status import finished_of
from mtpeft.steps.cells_of_studies import placed_cells, placed_others, placed_study_cells, placed_study_others


def cells_table(configuration: Configuration) -> str:
    """Cells of each study, those that no study above it has, and those that are finished; then the same on other pairs.

    Cells that no study has, but from which others start, have a row of their own.

    The columns on other pairs are left out where no study scores any.
    """
    rows: list[tuple[object, ...]] = [("study", "cells", "of its own", "finished", "on other pairs", "finished")]
    seen: set[Cell] = set()
    for label, study in configuration.studies.items():
        cells = set(placed_study_cells(configuration, study))
        rows.append(
            _row(configuration, label, cells, own=len(cells - seen), others=placed_study_others(configuration, label))
        )
        seen |= cells
    if needed := set(placed_cells(configuration)) - seen:
        rows.append(_row(configuration, "to start from", needed, own=len(needed), others=[]))
        seen |= needed
    others = placed_others(configuration)
    rows.append(_row(configuration, "all, each once", seen, own=len(seen), others=others))
    return aligned(rows if others else [row[:4] for row in rows])


def _row(
    configuration: Configuration, label: str, cells: set[Cell], *, own: int, others: Sequence[OnPair]
) -> tuple[object, ...]:
    finished, wanted = finished_of(configuration, [cell.on_own for cell in cells])
    finished_others, wanted_others = finished_of(configuration, others)
    return label, wanted, own, finished, wanted_others, finished_others


def jobs_table(configuration: Configuration, overlays: Sequence[Path]) -> str:
    """Jobs by rule: for each study alone, and for all of them together, which share what they can."""
    targets = [*(f"study_{label}" for label in configuration.studies), "all"]
    counts = {target: planned_jobs(target, overlays) for target in targets}
    rules = list(dict.fromkeys(rule for jobs in reversed(counts.values()) for rule in jobs))
    rows = [("jobs", *configuration.studies, "all")]
    rows += [(rule, *(counts[target].get(rule, ".") for target in targets)) for rule in rules]
    return aligned([*rows, ("total", *(sum(counts[target].values()) for target in targets))])


def planned_jobs(target: str, overlays: Sequence[Path]) -> dict[str, int]:
    """Jobs that Snakemake would run for a target, by rule; targets themselves are left out.

    Raises:
        UserError: Snakemake can't plan; its last line says why.
    """
    require_room([".snakemake"])
    with recorded_events() as events:
        command = [*snakemake_command(overlays, ["--dry-run", "--nolock", *events.options]), target]
        variables = os.environ | events.variables
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines()
            raise UserError(f"Snakemake can't plan '{target}': {said[-1]}")
        return {rule: count for rule, count in events.job_counts().items() if rule != target}


def prices_text(configuration: Configuration, *, cores: int, max_hours: float | None = None) -> str:
    """Prices of what is left of each study, and what a limit of hours leaves out."""
    jobs, costs = jobs_left(configuration), Costs(measured_here(configuration))
    prices = Prices(configuration, jobs, costs, cores)
    lines = [prices_table(prices), *notes(prices)]
    if max_hours is not None:
        found = limited(jobs, costs, hours=max_hours, cores=cores)
        lines += ["", *limit_lines(found, hours=max_hours, cores=cores)]
    return "\n".join(lines)

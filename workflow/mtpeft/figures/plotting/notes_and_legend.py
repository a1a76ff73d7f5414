"""Write warnings and the legend above the panels of a figure, and notes below them."""

import math
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from mtpeft.analysis.read_tables import System
from mtpeft.analysis.score_tables import DIVERGED
from mtpeft.cells import ALL, ANY, NATIVE, members_of
from mtpeft.figures.plotting.panels import GAP, OPEN, Coverage, Drawing, legend_handles
from mtpeft.figures.plotting.selection import MISSING, gap_of, is_reference
from mtpeft.figures.plotting.style import FONT_SIZE, GREY, SMALL_FONT_SIZE, WARNING

INCHES_PER_LINE = 0.14
INCHES_PER_CHARACTER = 0.0505
INCHES_PER_LEGEND_ENTRY = 0.85
TOLERANCE = 0.05
"""Relative difference of achieved shares from which methods at one budget can no longer be compared."""


def add_notes_and_legend(drawing: Drawing, *, warnings: Sequence[str]) -> None:
    """Make the figure higher for warnings, legend and notes, so that no panel shrinks for them."""
    figure = drawing.figure
    width, height = (float(length) for length in figure.get_size_inches())
    columns = int(width / INCHES_PER_CHARACTER)
    heading = [line for warning in warnings for line in textwrap.wrap(warning, int(0.85 * columns))]
    footer = textwrap.wrap(" ".join(drawing.notes), columns)
    per_row = int(width / INCHES_PER_LEGEND_ENTRY)
    legend = 0.17 * math.ceil(len(drawing.legend) / per_row)
    top, bottom = (INCHES_PER_LINE * len(lines) + 0.05 * bool(lines) for lines in (heading, footer))
    total = height + top + legend + bottom
    figure.set_size_inches(width, total)
    figure.get_layout_engine().set(rect=(0, bottom / total, 1, height / total))
    figure.text(0.01, 1 - 0.03 / total, "\n".join(heading), va="top", color=WARNING, weight="bold", fontsize=FONT_SIZE)
    figure.text(0.01, 0.03 / total, "\n".join(footer), va="bottom", color=GREY, fontsize=SMALL_FONT_SIZE)
    if drawing.legend:
        _add_legend(drawing, anchor=1 - top / total, columns=min(len(drawing.legend), per_row))


def _add_legend(drawing: Drawing, *, anchor: float, columns: int) -> None:
    legend = drawing.figure.legend(
        handles=legend_handles(drawing.legend),
        loc="upper left",
        bbox_to_anchor=(0, anchor),
        ncols=columns,
        handletextpad=0.2,
        borderpad=0.2,
        borderaxespad=0.2,
    )
    legend.set_in_layout(False)


def coverage_of(systems: Iterable[System], expected: int, of: str = "cells") -> Coverage:
    """Count how many of the expected cells, or decodings, have all their scores."""
    # A system has one row per test set, and for each pair of its group, each with the same runs.
    own = {_runs_of(system): system for system in systems}.values()
    finished, diverged = sum(system.seeds for system in own), sum(system.diverged for system in own)
    total = max(expected, finished + diverged + sum(system.missing for system in own))
    if finished == total:
        seeds = sorted({system.seeds for system in own if not is_reference(system)} or {1})
        many = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
        return Coverage(f"{total} {of}, {many} {'seed' if seeds == [1] else 'seeds'}", is_complete=True)
    missing = total - finished - diverged
    lacks = [f"{count} {word}" for count, word in ((missing, MISSING), (diverged, DIVERGED)) if count]
    return Coverage(f"{finished} of {total} {of} ({', '.join(lacks)})", is_complete=False)


def _runs_of(system: System) -> tuple[object, ...]:
    """Return what tells the runs of a system from those of others, whichever pair of its group a row is about."""
    setting = replace(system.setting, pair=system.tuned_on, test_set="")
    on_other = system.scored_pair if system.scored_pair not in members_of(system.tuned_on) else ""
    return setting, system.method, system.budget, on_other


def notes_on_marks(systems: Iterable[System], kinds: set[str], intervals: str) -> list[str]:
    """Explain the marks that a figure shows.

    Args:
        systems: that are drawn.
        kinds: kinds of marks that the figure has, as `drawn_kinds` returns them.
        intervals: sentence on its intervals; empty where it has none.
    """
    words = {DIVERGED: "\N{MULTIPLICATION SIGN} a seed diverged", MISSING: "| a seed is missing"}
    notes = [intervals] if kinds and intervals else []
    if OPEN in kinds:
        notes.append("Open: a seed was best on dev before any update.")
    if GAP in kinds:
        found = sorted({gap_of(system) for system in systems} - {None})
        notes.append(f"At the edge: {', '.join(words[gap] for gap in found)}.")
    return notes


def notes_on_shares(systems: Iterable[System]) -> list[str]:
    """Warn of budgets at which the achieved shares differ too much to compare methods."""
    uneven = uneven_budgets(systems)
    if not uneven:
        return []
    parts = ", ".join(f"{budget} ({100 * difference:.0f} %)" for budget, difference in uneven.items())
    return [f"Achieved shares differ by 5 % or more, so methods do not compare exactly, at budget {parts}."]


def uneven_budgets(systems: Iterable[System]) -> dict[str, float]:
    """Return the budgets at which achieved shares differ too much to compare methods, with the largest difference."""
    shares: dict[tuple[str, str], set[float]] = defaultdict(set)
    for system in systems:
        if system.share and system.budget not in (ALL, ANY, NATIVE):
            shares[system.budget, system.setting.model].add(system.share)
    uneven: dict[str, float] = {}
    for (budget, _), values in sorted(shares.items()):
        difference = max(values) / min(values) - 1
        if difference >= TOLERANCE:
            uneven[budget] = max(difference, uneven.get(budget, 0.0))
    return uneven

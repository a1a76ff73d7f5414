"""What stands around the panels: warnings and legend above them, notes below, each on a strip of its own."""

import math
import textwrap
from collections.abc import Sequence

from matplotlib.lines import Line2D

from mtpeft.figures.plotting.panels import Drawing
from mtpeft.figures.plotting.style import FONT_SIZE, GREY, SMALL_FONT_SIZE, WARNING

INCHES_PER_LINE = 0.14
INCHES_PER_CHARACTER = 0.0505
INCHES_PER_LEGEND_ENTRY = 0.85


def add_frame(drawing: Drawing, *, warnings: Sequence[str]) -> None:
    """Put warnings, legend and notes on strips of their own, so that no panel shrinks for them."""
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
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, markersize=look.size, linestyle="", label=look.name)
        for look in drawing.legend
    ]
    legend = drawing.figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0, anchor),
        ncols=columns,
        handletextpad=0.2,
        borderpad=0.2,
        borderaxespad=0.2,
    )
    legend.set_in_layout(False)

"""Labels beside lines and points, placed so that they do not cover each other."""

import math
from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from mtpeft.figures.style import GREY, SMALL_FONT_SIZE, text_colour

END, BESIDE = "label-end", "label-beside"
SIDEWAYS = 12
"""Distance in points by which a label above or below may be farther than one at the side, which names less clearly."""


def label_end(axes: Axes, text: str, *, x: float, y: float, colour: str) -> None:
    """Name a line in the right margin, with a thin leader from its last point."""
    annotation = axes.annotate(
        text,
        xy=(x, y),
        xycoords="data",
        xytext=(1.05, y),
        textcoords=axes.get_yaxis_transform(),
        color=text_colour(colour),
        fontsize=SMALL_FONT_SIZE,
        va="center",
        annotation_clip=False,
        arrowprops={"arrowstyle": "-", "lw": 0.4, "color": GREY, "shrinkA": 1, "shrinkB": 2, "relpos": (0, 0.5)},
    )
    annotation.set_gid(END)


def label_beside(axes: Axes, text: str, *, x: float, y: float, colour: str) -> None:
    """Name a single point: below or above its interval, or at its side where there is no room."""
    annotation = axes.annotate(
        text,
        xy=(x, y),
        xytext=(0, 0),
        textcoords="offset points",
        color=text_colour(colour),
        fontsize=SMALL_FONT_SIZE,
        ha="center",
        va="center",
    )
    annotation.set_gid(BESIDE)


def settle_labels(figure: Figure) -> None:
    """Lay the figure out, move the labels apart, and keep that for every file that is written."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        _spread(axes, _annotations(axes, END))
        _place(axes, _annotations(axes, BESIDE))


def _annotations(axes: Axes, gid: str) -> list[Annotation]:
    return [text for text in axes.texts if isinstance(text, Annotation) and text.get_gid() == gid]


def spread_positions(wanted: Sequence[float], step: float, *, low: float, high: float) -> list[float]:
    """Positions in the order of `wanted`, at least `step` apart where the range has room, close to those wanted."""
    order = sorted(range(len(wanted)), key=lambda index: (wanted[index], index))
    if not order:
        return []
    step = min(step, (high - low) / max(1, len(order) - 1))
    placed = [min(max(wanted[index], low), high) for index in order]
    for _ in range(200):
        for lower in range(len(placed) - 1):
            overlap = step - (placed[lower + 1] - placed[lower])
            if overlap > 0:
                placed[lower] -= overlap / 2
                placed[lower + 1] += overlap / 2
        last = len(placed) - 1
        placed = [min(max(y, low + step * rank), high - step * (last - rank)) for rank, y in enumerate(placed)]
    positions = [0.0] * len(order)
    for index, y in zip(order, placed, strict=True):
        positions[index] = y
    return positions


def _spread(axes: Axes, texts: list[Annotation]) -> None:
    if not texts:
        return
    height = max(text.get_window_extent().height for text in texts)
    to_pixels, box = axes.transData, axes.bbox
    wanted = [float(to_pixels.transform(text.xy)[1]) for text in texts]
    for text, pixel in zip(texts, spread_positions(wanted, height, low=box.y0, high=box.y1), strict=True):
        text.set_position((1.05, float(to_pixels.inverted().transform((0, pixel))[1])))


def _place(axes: Axes, texts: list[Annotation]) -> None:
    """Move each label to the nearest place that covers nothing drawn and no label, or else least of them."""
    taken = [Bbox.from_bounds(x - 2.5, y - 2.5, 5, 5) for x, y in _drawn_pixels(axes)]
    inside = axes.bbox
    for text in texts:
        places = []
        width = text.get_window_extent().width * 72 / axes.figure.dpi
        for away, offset in _offsets(width):
            text.set_position(offset)
            box = text.get_window_extent()
            covered = sum(box.overlaps(other) for other in taken)
            outside = box.x0 < inside.x0 or box.x1 > inside.x1 or box.y0 < inside.y0 or box.y1 > inside.y1
            places.append(((covered + 5 * outside) > 0, covered + 5 * outside, away, offset, box))
        *_, offset, box = min(places, key=lambda place: place[:3])
        text.set_position(offset)
        taken.append(box)


def _offsets(width: float) -> list[tuple[float, tuple[float, float]]]:
    """Distances and offsets in points at which a label of this width is tried."""
    upright = [(away, (dx, sign * away)) for away in range(8, 40, 2) for sign in (-1, 1) for dx in (0, 5, -5)]
    beside = width / 2 + 5
    sides = [
        (5 + SIDEWAYS + abs(dy), (sign * beside, float(dy))) for dy in (0, 5, -5, 10, -10, 16, -16) for sign in (1, -1)
    ]
    return [(away + abs(offset[0]) / 10, offset) for away, offset in [*upright, *sides]]


def _drawn_pixels(axes: Axes) -> list[tuple[float, float]]:
    """Places along the lines and at the markers, close enough together that no label slips between them."""
    places: list[tuple[float, float]] = []
    for line in axes.lines:
        corners = [(float(x), float(y)) for x, y in line.get_transform().transform(line.get_xydata())]
        places += [corner for corner in corners if all(map(math.isfinite, corner))]
        for start, end in pairwise(corners if line.get_linestyle() != "None" else []):
            length = math.dist(start, end)
            if math.isfinite(length):
                steps = max(1, int(length / 4))
                places += [_between(start, end, step / steps) for step in range(1, steps)]
    return places


def _between(start: tuple[float, float], end: tuple[float, float], part: float) -> tuple[float, float]:
    return (start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part)

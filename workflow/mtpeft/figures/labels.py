"""Labels beside lines and points, placed so that they do not cover each other."""

import math
from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from mtpeft.figures.style import GREY, SMALL_FONT_SIZE, text_colour

END, BESIDE, SIDE = "label-end", "label-beside", "label-side"
# Offsets in points that are tried in this order: a label below its point hides least of a rising line, one at its side
# none of its interval.
OFFSETS = {
    BESIDE: [(dx, dy) for distance in (9, 17, 25) for dx in (0, 14, -14, 24) for dy in (-distance, distance)],
    SIDE: [(dx, dy) for away in (8, 13) for dy in (0, 5, -5, 9, -9, 14, -14) for dx in (away, -away)],
}


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
    """Name a single point below or above it, or close by."""
    _label_near(axes, text, BESIDE, x=x, y=y, colour=colour)


def label_side(axes: Axes, text: str, *, x: float, y: float, colour: str) -> None:
    """Name a single point at its side, beside its interval."""
    _label_near(axes, text, SIDE, x=x, y=y, colour=colour)


def _label_near(axes: Axes, text: str, where: str, *, x: float, y: float, colour: str) -> None:
    annotation = axes.annotate(
        text,
        xy=(x, y),
        xytext=OFFSETS[where][0],
        textcoords="offset points",
        color=text_colour(colour),
        fontsize=SMALL_FONT_SIZE,
        ha="center",
        va="center",
    )
    annotation.set_gid(where)


def settle_labels(figure: Figure) -> None:
    """Lay the figure out, move the labels apart, and keep that for every file that is written."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        _spread(axes, _annotations(axes, END))
        _place(axes, [*_annotations(axes, BESIDE), *_annotations(axes, SIDE)])


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
    """Give each label the first offset that covers no marker and no label, or else the one that covers fewest."""
    taken = [Bbox.from_bounds(x - 2, y - 2, 4, 4) for x, y in _drawn_pixels(axes)]
    inside = axes.bbox
    for text in texts:
        boxes = []
        for offset in OFFSETS[text.get_gid()]:
            text.set_position(offset)
            box = text.get_window_extent()
            covered = sum(box.overlaps(other) for other in taken)
            outside = box.x0 < inside.x0 or box.x1 > inside.x1 or box.y0 < inside.y0 or box.y1 > inside.y1
            boxes.append((covered + 3 * outside, offset, box))
        _, offset, box = min(boxes, key=lambda candidate: candidate[0])
        text.set_position(offset)
        taken.append(box)


def _drawn_pixels(axes: Axes) -> list[tuple[float, float]]:
    """Places along the lines and at the markers, close enough together that no label slips between them."""
    places: list[tuple[float, float]] = []
    for line in axes.lines:
        corners = [(float(x), float(y)) for x, y in line.get_transform().transform(line.get_xydata())]
        corners = [corner for corner in corners if all(map(math.isfinite, corner))]
        places += corners
        for (x0, y0), (x1, y1) in pairwise(corners):
            steps = max(1, int(math.hypot(x1 - x0, y1 - y0) / 4))
            places += [(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps) for i in range(1, steps)]
    return places

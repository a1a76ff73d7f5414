"""Label lines and points, and place the labels so that they do not cover each other.

This stays by hand. The library adjustText pushes the labels of one panel off its points, but knows neither labels in
the margin at the ends of lines, which keep their order, nor labels straight below a point. It would replace `_place`
alone, and how its labels come to lie depends on its version.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from mtpeft.figures.plotting.style import GREY, SMALL_FONT_SIZE, text_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

END, BESIDE, BELOW = "label-end", "label-beside", "label-below"
LEADER = {"arrowstyle": "-", "lw": 0.4, "color": GREY}
NEAR = 16
"""Distance in points up to which a label needs no line to its point."""


def label_end(axes: "Axes", text: str, *, x: float, y: float, colour: str) -> None:
    """Write the name of a line in the right margin, with a thin line from its last point."""
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
        arrowprops=LEADER | {"shrinkA": 1, "shrinkB": 2, "relpos": (0, 0.5)},
    )
    annotation.set_gid(END)


def label_beside(axes: "Axes", text: str, *, x: float, y: float, colour: str) -> None:
    """Write the name of a single point where there is room near it; a label far off gets a line to the point."""
    annotation = _label_near(axes, text, x=x, y=y, colour=colour)
    annotation.set_gid(BESIDE)


def label_below(axes: "Axes", text: str, *, x: float, y: float, colour: str) -> None:
    """Write the name of one of many points straight below its interval, or above where something else is below."""
    annotation = _label_near(axes, text, x=x, y=y, colour=colour)
    annotation.set_gid(BELOW)


def _label_near(axes: "Axes", text: str, *, x: float, y: float, colour: str) -> "Annotation":
    return axes.annotate(
        text,
        xy=(x, y),
        xytext=(0, 0),
        textcoords="offset points",
        color=text_colour(colour),
        fontsize=SMALL_FONT_SIZE,
        ha="center",
        va="center",
        arrowprops=LEADER | {"shrinkA": 1, "shrinkB": 3},
    )


def place_labels(figure: "Figure") -> None:
    """Lay out the figure, move its labels apart, and keep both for every file that is written."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        _spread(axes, _annotations(axes, END))
        _place(axes, [*_annotations(axes, BESIDE), *_annotations(axes, BELOW)])


def _annotations(axes: "Axes", gid: str) -> "list[Annotation]":
    """Return the labels of a panel that are placed in this way."""
    from matplotlib.text import Annotation

    return [text for text in axes.texts if isinstance(text, Annotation) and text.get_gid() == gid]


def spread_positions(wanted: Sequence[float], step: float, *, low: float, high: float) -> list[float]:
    """Return positions in the order of `wanted` and near those, at least `step` apart where the range has room."""
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


def _spread(axes: "Axes", texts: "list[Annotation]") -> None:
    """Move labels in the right margin apart, in the order of the ends of their lines."""
    if not texts:
        return
    height = max(_box(text).height for text in texts)
    to_pixels, box = axes.transData, axes.bbox
    wanted = [float(to_pixels.transform(text.xy)[1]) for text in texts]
    for text, pixel in zip(texts, spread_positions(wanted, height, low=box.y0, high=box.y1), strict=True):
        text.set_position((1.05, float(to_pixels.inverted().transform((0, pixel))[1])))


def _place(axes: "Axes", texts: "list[Annotation]") -> None:
    """Move each label to the nearest place where it covers nothing, or else to the place where it covers least."""
    from matplotlib.transforms import Bbox

    taken = [Bbox.from_bounds(x - 2.5, y - 2.5, 5, 5) for x, y in _drawn_pixels(axes)]
    inside = axes.bbox
    for text in texts:
        places = []
        width = _box(text).width * 72 / axes.figure.dpi
        for away, offset in OFFSETS_OF[text.get_gid()](width):
            text.set_position(offset)
            box = _box(text)
            covered = sum(box.overlaps(other) for other in taken)
            outside = box.x0 < inside.x0 or box.x1 > inside.x1 or box.y0 < inside.y0 or box.y1 > inside.y1
            places.append((outside, covered, away, offset, box))
        *_, away, offset, box = min(places, key=lambda place: place[:3])
        text.set_position(offset)
        is_aside = text.get_gid() == BELOW and offset[0] != 0
        text.arrow_patch.set_visible(is_aside or (text.get_gid() == BESIDE and away > NEAR))
        taken.append(box)


def _box(text: "Annotation") -> "Bbox":
    """Return where the letters of a label are, without its line, in pixels."""
    from matplotlib.text import Text

    return Text.get_window_extent(text)


def _offsets_beside(width: float) -> list[tuple[float, tuple[float, float]]]:
    """Return distances and offsets, in points, at which a label of this width is tried beside its point."""
    sides = [(sign * (width / 2 + 5), float(dy)) for dy in range(-16, 17, 2) for sign in (1, -1)]
    upright = [
        (float(dx), float(sign * dy))
        for dy in range(8, 40, 2)
        for sign in (-1, 1)
        for dx in (0, 6, -6, 12, -12, 18, -18)
    ]
    # A label at the side is as near as its edge.
    return [(5 + abs(dy), (dx, dy)) for dx, dy in sides] + [(math.hypot(dx, dy), (dx, dy)) for dx, dy in upright]


def _offsets_below(_: float) -> list[tuple[float, tuple[float, float]]]:
    """Return distances and offsets, in points, at which a label is tried below and above its point, and aside of it."""
    return [
        (away + 20.0 * (sign > 0) + 30.0 * abs(side), (14.0 * side, float(sign * away)))
        for side in (0, -1, 1)
        for away in range(8 if side == 0 else 0, 48)
        for sign in (-1, 1)
    ]


OFFSETS_OF = {BESIDE: _offsets_beside, BELOW: _offsets_below}


def _drawn_pixels(axes: "Axes") -> list[tuple[float, float]]:
    """Return places along the lines and at the markers in pixels, so close that no label fits between two of them."""
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

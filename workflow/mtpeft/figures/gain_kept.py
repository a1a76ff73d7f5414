"""The figure `gain_kept`: how much of full fine-tuning's gain does a budget keep, by what the base model knows?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mtpeft.analysis.csv_files import Interval, rows_of
from mtpeft.analysis.read_tables import System, distances_of_languages
from mtpeft.config.figures import TEXT_TABLE
from mtpeft.config.schema import Configuration
from mtpeft.core.files import sha256_of
from mtpeft.core.languages import DISTANCES, english_name
from mtpeft.figures.base import Figure, FigureData
from mtpeft.figures.plotting.label_placement import label_below, label_end
from mtpeft.figures.plotting.panels import Drawing, Point, draw_gaps, draw_point, grid, nothing_yet, share_range
from mtpeft.figures.plotting.reference_lines import FULL_DASHES
from mtpeft.figures.plotting.selection import MISSING, full_method, gap_of, kept_untouched, tuned_methods
from mtpeft.figures.plotting.style import INK, TWO_COLUMNS, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("syntactic", "genealogical")
UNKNOWN_TOKENS = "unknown source tokens, %"


@dataclass(frozen=True)
class Kept:
    """The share of full fine-tuning's gain that a system keeps, in per cent."""

    system: System
    share: Interval | None


def params(configuration: Configuration, study: str) -> dict[str, object]:
    """Return the digest of the table of distances, and the languages that distances are measured from."""
    return {"distances": sha256_of(DISTANCES), "from": configuration.studies[study].distance_from}


def draw(data: FigureData, styles: dict[str, Style]) -> Drawing:
    """Draw the kept share of each system against each kind of distance, a panel each, and against unknown tokens."""
    full = {system.setting: system for system in data.systems if system.method == full_method(data.systems)}
    methods = tuned_methods(data.systems)
    kept = [kept_share(own, full.get(own.setting)) for own in data.systems if own.method in methods]
    if not any(own.share for own in kept):
        return nothing_yet()
    scales = _scales(data)
    figure, panels = grid(len(scales), columns=2, width=TWO_COLUMNS, row_height=2.1)
    for position, (axes, (name, places)) in enumerate(zip(panels, scales.items(), strict=True)):
        _draw_panel(axes, kept, places, languages=data.languages, styles=styles)
        axes.set_xlabel(name)
        axes.set_ylabel("gain kept, %" if position % 2 == 0 else "")
    share_range(panels)
    for axes in panels:
        label_end(axes, "full", x=axes.get_xlim()[1], y=100, colour=INK)
    return Drawing(figure, _left_out(kept, full), [styles[method] for method in methods] if len(methods) > 1 else [])


def kept_share(system: System, full: System | None) -> Kept:
    """Return the share of full fine-tuning's gain that a system keeps, where that is shown to gain.

    The interval is that of the difference to full fine-tuning, as a share of its gain.
    """
    gain = full.minus_none if full else None
    if not gain or gain.low <= 0 or not system.minus_full:
        return Kept(system, None)
    low, mean, high = (
        100 * (1 + end / gain.mean) for end in (system.minus_full.low, system.minus_full.mean, system.minus_full.high)
    )
    return Kept(system, replace(system.minus_full, low=low, mean=mean, high=high))


def _scales(data: FigureData) -> dict[str, dict[str, float]]:
    """Return the place of each pair on each x axis, by the label of the axis."""
    found: dict[str, dict[str, float]] = {}
    for origin in data.params["from"]:
        distances = distances_of_languages(DISTANCES, origin)
        for kind in KINDS:
            found[f"{kind} distance from {english_name(origin)}"] = {
                pair: getattr(distances[language], kind)
                for pair, language in data.languages.items()
                if language in distances
            }
    rows = rows_of(data.files[TEXT_TABLE], ("pair", "test_set", "source_unknown"))
    unknown = {row.text("pair"): 100 * row.number("source_unknown") for row in rows if row.text("test_set") == "test"}
    return {**found, UNKNOWN_TOKENS: unknown}


def _draw_panel(
    axes: "Axes",
    kept: Sequence[Kept],
    places: Mapping[str, float],
    *,
    languages: Mapping[str, str],
    styles: Mapping[str, Style],
) -> None:
    """Draw the systems of each method and budget, joined, and the languages below those of the smallest budget."""
    axes.axhline(100, color=INK, linestyle=FULL_DASHES, linewidth=0.9, zorder=2)
    marks: list[tuple[Point, Style]] = []
    rows = sorted({(own.system.method, own.system.share or 0.0, own.system.budget) for own in kept})
    for method, _, budget in rows:
        row = [own for own in kept if (own.system.method, own.system.budget) == (method, budget)]
        style = styles[method]
        placed = sorted((places[own.system.setting.pair], own) for own in row if own.system.setting.pair in places)
        points = [
            Point(x, own.share, gap_of(own.system) or (None if own.share else MISSING), kept_untouched(own.system))
            for x, own in placed
        ]
        for point in points:
            draw_point(axes, point, style)
        marks += [(point, style) for point in points]
        drawn = [(point, own) for point, (_, own) in zip(points, placed, strict=True) if point.value]
        if drawn:
            last, own = drawn[-1]
            label_end(axes, f"{100 * (own.system.share or 0):.2g} %", x=last.x, y=last.value.mean, colour=style.colour)
        if (method, budget) == (rows[0][0], rows[0][2]):
            for point, own in drawn:
                pair = own.system.setting.pair
                label_below(axes, languages.get(pair, pair), x=point.x, y=point.value.mean, colour=INK)
    axes.margins(x=0.08, y=0.1)
    draw_gaps(axes, marks)


def _left_out(kept: Sequence[Kept], full: Mapping[object, System]) -> list[str]:
    """Name the pairs on which full fine-tuning is not shown to gain, so that there is no gain to keep."""
    without = {
        own.system.setting.pair
        for own in kept
        if (gain := full[own.system.setting].minus_none if own.system.setting in full else None) and gain.low <= 0
    }
    return [f"Full fine-tuning is not shown to gain: {', '.join(sorted(without))}."] if without else []


GAIN_KEPT = Figure(
    name="gain_kept",
    question="How much of full fine-tuning's gain does a budget keep, by what the base model knows?",
    caption="Gain over the untouched model in {metric}, as a share of full fine-tuning's, against the distance of the "
    "language from those that the study names, and against the share of source tokens that the vocabulary does not "
    "know; the labels at the right are the trained shares. The dashed line is full fine-tuning. Intervals are those of "
    "the difference to full fine-tuning, as a share of its gain. Distances come from URIEL and lang2vec.",
    draw=draw,
    shows="differences",
    needs=(TEXT_TABLE,),
    params=params,
)

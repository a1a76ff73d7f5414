"""The figure `gain_kept`: how much of full fine-tuning's gain does a budget keep, by what the base model knows?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mtpeft.analysis.csv_files import Interval, rows_of
from mtpeft.analysis.read_tables import Setting, System, distances_of_pairs
from mtpeft.config.figures import TEXT_TABLE
from mtpeft.config.schema import Configuration
from mtpeft.core.files import sha256_of
from mtpeft.core.languages import DISTANCES, english_name
from mtpeft.figures.base import Figure, FigureData
from mtpeft.figures.plotting.label_placement import label_below, label_end
from mtpeft.figures.plotting.panels import Drawing, Point, draw_gaps, draw_point, grid, nothing_yet, share_range
from mtpeft.figures.plotting.reference_lines import FULL_DASHES
from mtpeft.figures.plotting.selection import full_method, gap_of, kept_untouched, panel_name, tuned_methods
from mtpeft.figures.plotting.style import INK, TWO_COLUMNS, Style, tint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("syntactic", "genealogical")
UNKNOWN_TOKENS = "unknown source tokens, %"
PALEST = 0.9
"""Share of white that the colour of a budget far below the largest one of its method comes near to."""
KeptRow = tuple[Setting, str, str]
"""A setting without its pair, a method and a budget."""
Place = tuple[str, str, str]
"""A model, a pair and a test set."""


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
    return Drawing(
        figure,
        [*_left_out(kept, full), *_unplaced(kept, scales), *_uncounted(data)],
        [styles[method] for method in methods] if len(methods) > 1 else [],
    )


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


def _scales(data: FigureData) -> dict[str, dict[Place, float]]:
    """Return where the systems stand on each x axis, by the label of the axis."""
    found: dict[str, dict[Place, float]] = {}
    drawn = {_place_of(own) for own in data.systems}
    for origin in data.params["from"]:
        for kind in KINDS:
            distances = distances_of_pairs(DISTANCES, data.languages, kind, origin)
            found[f"{kind} distance from {english_name(origin)}"] = {
                place: distances[place[1]] for place in drawn if place[1] in distances
            }
    if TEXT_TABLE not in data.files:
        return found
    unknown = {
        (row.text("model"), row.text("pair"), row.text("test_set")): 100 * row.number("source_unknown")
        for row in rows_of(data.files[TEXT_TABLE], ("model", "pair", "test_set", "source_unknown"))
    }
    return {**found, UNKNOWN_TOKENS: unknown}


def _place_of(system: System) -> Place:
    """Return what decides where a system stands: its model, its pair and the test set."""
    return system.setting.model, system.setting.pair, system.setting.test_set


def _draw_panel(
    axes: "Axes",
    kept: Sequence[Kept],
    places: Mapping[Place, float],
    *,
    languages: Mapping[str, str],
    styles: Mapping[str, Style],
) -> None:
    """Draw the systems of each setting, method and budget, and the languages below those of the smallest budget."""
    axes.axhline(100, color=INK, linestyle=FULL_DASHES, linewidth=0.9, zorder=2)
    marks: list[tuple[Point, Style]] = []
    shares: dict[KeptRow, float] = {}
    for own in kept:
        row = _row_of(own.system)
        shares[row] = max(own.system.share or 0.0, shares.get(row, 0.0))
    rows = sorted(shares, key=lambda row: (row[0], row[1], shares[row], row[2]))
    for row in rows:
        setting, method, _ = row
        own_rows = [other for other in rows if other[:2] == row[:2]]
        style, placed = tint(styles[method], PALEST * (1 - (own_rows.index(row) + 1) / len(own_rows))), []
        for own in (own for own in kept if _row_of(own.system) == row and _place_of(own.system) in places):
            gap = gap_of(own.system)
            if own.share or gap:
                placed.append(
                    (Point(places[_place_of(own.system)], own.share, gap, kept_untouched(own.system)), own.system)
                )
        marks += [(point, style) for point, _ in placed]
        drawn = [(point, system) for point, system in placed if point.value]
        for point, system in drawn:
            draw_point(axes, point, style)
            if row == rows[0]:
                pair = system.setting.pair
                label_below(axes, languages.get(pair, pair), x=point.x, y=point.value.mean, colour=INK)
        if drawn:
            last, system = max(drawn, key=lambda item: item[0].x)
            own_name = panel_name(setting, [other for other, *_ in rows])
            label = ", ".join(filter(None, (own_name, f"{100 * (system.share or 0):.2g} %")))
            label_end(axes, label, x=last.x, y=last.value.mean, colour=styles[method].colour)
    axes.margins(x=0.08, y=0.1)
    draw_gaps(axes, marks)


def _row_of(system: System) -> KeptRow:
    """Return what the systems of a row share: all but the pair."""
    return replace(system.setting, pair=""), system.method, system.budget


def _left_out(kept: Sequence[Kept], full: Mapping[object, System]) -> list[str]:
    """Name the pairs on which full fine-tuning is not shown to gain, so that there is no gain to keep."""
    without = {
        own.system.setting.pair
        for own in kept
        if (gain := full[own.system.setting].minus_none if own.system.setting in full else None) and gain.low <= 0
    }
    return [f"Full fine-tuning is not shown to gain: {', '.join(sorted(without))}."] if without else []


def _unplaced(kept: Sequence[Kept], scales: Mapping[str, Mapping[Place, float]]) -> list[str]:
    """Name the pairs that stand on no axis of distances, since no distance of their language is known."""
    placed = {pair for name, places in scales.items() if name != UNKNOWN_TOKENS for _, pair, _ in places}
    absent = sorted({own.system.setting.pair for own in kept} - placed)
    return [f"Without a distance: {', '.join(absent)}."] if absent else []


def _uncounted(data: FigureData) -> list[str]:
    """Say that the table of unknown tokens is not there, as in a preview of a run that has not come so far."""
    return [] if TEXT_TABLE in data.files else ["Unknown source tokens are not counted yet."]


GAIN_KEPT = Figure(
    name="gain_kept",
    question="How much of full fine-tuning's gain does a budget keep, by what the base model knows?",
    caption="Gain over the untouched model in {metric}, as a share of full fine-tuning's, against the distance of the "
    "language from those that the study names, and against the share of source tokens that the vocabulary does not "
    "know; the labels at the right are the trained shares, of which smaller ones are paler. The dashed line is full "
    "fine-tuning. Intervals are those of "
    "the difference to full fine-tuning, as a share of its gain. Distances come from URIEL and lang2vec.",
    draw=draw,
    shows="differences",
    needs=(TEXT_TABLE,),
    params=params,
)

"""RQ2: how does the distance of a language change what a budget can do?"""

from dataclasses import replace

from matplotlib.axes import Axes

from mtpeft.figures.groups import Group, Setting, full_method, gap_to_full, group_seeds, is_reference, panel_name
from mtpeft.figures.labels import label_end
from mtpeft.figures.panels import Drawing, Point, draw_gaps, draw_point, grid, nothing_yet, share_range
from mtpeft.figures.style import GREY, INK, SMALL_FONT_SIZE, TWO_COLUMNS, Look
from mtpeft.figures.tables import MISSING, Distance, Tables

ENGLISH = "en"
AXES = {"syntactic": "syntactic distance from English", "genealogical": "genealogical distance from English"}


def language_of(pair: str) -> str | None:
    """Two-letter code of the side of a pair that is not English; None if neither or both are."""
    source, _, target = pair.partition("-") if pair.startswith(f"{ENGLISH}-") else pair.rpartition("-")
    sides = [side for side in (source, target) if side != ENGLISH]
    return sides[0].replace("_", "-").split("-")[0].lower() if len(sides) == 1 else None


def draw_languages(tables: Tables, looks: dict[str, Look]) -> Drawing:
    """Gap to full fine-tuning against distance: one row per budget, one column per kind of distance."""
    groups = group_seeds(tables.scores)
    full = full_method(groups)
    tuned = [group for group in groups if not is_reference(group) and group.method != full]
    references = {group.setting: group for group in groups if group.method == full}
    shown = [group for group in tuned if gap_to_full(group, references.get(group.setting))]
    if not shown:
        return nothing_yet()
    scales = _scales({group.setting.pair for group in tuned}, tables)
    rows = sorted(
        {(replace(group.setting, pair=""), group.budget) for group in shown},
        key=lambda row: (row[0], _share(shown, row[1])),
    )
    figure, panels = grid(
        len(rows) * len(scales), columns=len(scales), width=TWO_COLUMNS, row_height=1.9 if len(rows) > 1 else 2.3
    )
    for position, axes in enumerate(panels):
        setting, budget = rows[position // len(scales)]
        name, places = list(scales.items())[position % len(scales)]
        own = [group for group in tuned if (replace(group.setting, pair=""), group.budget) == (setting, budget)]
        _draw_panel(axes, own, references, places, looks)
        others = [row[0] for row in rows]
        if position % len(scales) == 0:
            axes.set_title(", ".join(filter(None, (panel_name(setting, others), f"budget {budget}"))))
        axes.set_ylabel("chrF \N{MINUS SIGN} full" if position % len(scales) == 0 else "")
        axes.set_xlabel(name if position >= len(panels) - len(scales) else "")
        if not tables.distances:
            axes.set_xticks(list(places.values()), [language_of(pair) or pair for pair in places])
        elif position < len(scales):
            _name_languages(axes, places)
    share_range(panels)
    legend = [looks[method] for method in sorted({group.method for group in tuned})]
    return Drawing(figure, _unplaced(tuned, scales), legend)


def _share(groups: list[Group], budget: str) -> float:
    return min((group.share for group in groups if group.budget == budget and group.share), default=0.0)


def _scales(pairs: set[str], tables: Tables) -> dict[str, dict[str, float]]:
    """Place of each pair on each x axis; without any distance, one axis with the languages in order of name."""
    found: dict[str, Distance] = {}
    for pair in pairs:
        language = language_of(pair)
        if language in tables.distances:
            found[pair] = tables.distances[language]
    if not found:
        return {"language": {pair: float(place) for place, pair in enumerate(sorted(pairs))}}
    return {
        label: {pair: getattr(distance, kind) for pair, distance in sorted(found.items())}
        for kind, label in AXES.items()
    }


def _unplaced(groups: list[Group], scales: dict[str, dict[str, float]]) -> list[str]:
    placed = set().union(*scales.values())
    absent = sorted({group.setting.pair for group in groups} - placed)
    return [f"Without a distance and not drawn: {', '.join(absent)}."] if absent else []


def _draw_panel(
    axes: Axes,
    groups: list[Group],
    references: dict[Setting, Group],
    places: dict[str, float],
    looks: dict[str, Look],
) -> None:
    methods = sorted({group.method for group in groups})
    reach = (max(places.values()) - min(places.values())) or 1.0
    marks: list[tuple[Point, Look]] = []
    for rank, method in enumerate(methods):
        # Side by side, since several languages lie at the same distance.
        dodge = 0.014 * reach * (rank - (len(methods) - 1) / 2)
        for group in groups:
            if group.method != method or group.setting.pair not in places:
                continue
            full = references.get(group.setting)
            spread = gap_to_full(group, full)
            lacking = tuple(sorted(group.gaps + (full.gaps if full else (MISSING,))))
            point = Point(places[group.setting.pair] + dodge, spread, lacking, group.untouched)
            if spread is not None:
                draw_point(axes, point.x, spread, looks[method], hollow=point.hollow)
            marks.append((point, looks[method]))
    axes.axhline(0, color=INK, linestyle=(0, (5, 2)), linewidth=0.9, zorder=2)
    axes.margins(x=0.06, y=0.12)
    label_end(axes, "full", x=axes.get_xlim()[1], y=0, colour=INK)
    draw_gaps(axes, marks)


def _name_languages(axes: Axes, places: dict[str, float]) -> None:
    """Codes of the languages above the panel; those closer than two letters are stacked."""
    reach = (max(places.values()) - min(places.values())) or 1.0
    clusters: dict[float, set[str]] = {}
    for pair, place in sorted(places.items(), key=lambda item: (item[1], item[0])):
        near = next((x for x in clusters if place - x < 0.045 * reach), place)
        clusters.setdefault(near, set()).add(language_of(pair) or pair)
    for place, names in clusters.items():
        axes.text(
            place,
            1.025,
            "\n".join(sorted(names)),
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="baseline",
            linespacing=0.95,
            fontsize=SMALL_FONT_SIZE,
            color=GREY,
        )
    axes.set_title(axes.get_title(loc="left"), pad=5 + SMALL_FONT_SIZE * 1.15 * max(map(len, clusters.values())))

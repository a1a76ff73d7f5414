"""The charts of the page as Vega-Lite specifications.

The page fills in the rows that its filters leave, and what depends on them and on the window: titles of axes, widths,
the number of columns, and colours that are seen on its background.
"""

from collections.abc import Mapping
from typing import Any

from mtpeft.figures.plotting.style import Style

SHAPES = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "v": "triangle-down",
    "<": "triangle-left",
    ">": "triangle-right",
    "D": "diamond",
    "d": "M0,-1L0.6,0L0,1L-0.6,0Z",
    "P": "cross",
    "X": "M-1,-0.6L-0.6,-1L0,-0.4L0.6,-1L1,-0.6L0.4,0L1,0.6L0.6,1L0,0.4L-0.6,1L-1,0.6L-0.4,0Z",
    "*": "M0,-1L0.23,-0.31L0.95,-0.31L0.36,0.12L0.59,0.81L0,0.38L-0.59,0.81L-0.36,0.12L-0.95,-0.31L-0.23,-0.31Z",
    "p": "M0,-1L0.95,-0.31L0.59,0.81L-0.59,0.81L-0.95,-0.31Z",
    "h": "M0,-1L0.87,-0.5L0.87,0.5L0,1L-0.87,0.5L-0.87,-0.5Z",
    "H": "M-1,0L-0.5,-0.87L0.5,-0.87L1,0L0.5,0.87L-0.5,0.87Z",
    "8": "M-0.38,-0.92L0.38,-0.92L0.92,-0.38L0.92,0.38L0.38,0.92L-0.38,0.92L-0.92,0.38L-0.92,-0.38Z",
    "_": "M-1,-0.2H1V0.2H-1Z",
}
"""Vega's shapes for the markers of the static figures; paths lie in a square from -1 to 1."""
X_KINDS = ("log", "linear", "names")
TIPS = ("method", "budget", "setting", "score", "full", "none", "seeds", "cost")
DATA = "rows"


def specifications(styles: Mapping[str, Style]) -> dict[str, Any]:
    """All specifications, as JSON has them: scores on each kind of x axis, the trade-off, dev scores and losses."""
    scores = {f"scores_{kind}": _scores(kind, styles) for kind in X_KINDS}
    return {**scores, "tradeoff": _tradeoff(styles), "curve": _curve("dev score"), "loss": _curve("loss per token")}


def _appearance(styles: Mapping[str, Style]) -> tuple[Any, Any]:
    """Colour and shape of each method, as the static figures have them."""
    import altair as alt

    names = [style.name for style in styles.values()]
    colours = [style.colour for style in styles.values()]
    shapes = [SHAPES.get(style.marker, "circle") for style in styles.values()]
    colour = alt.Color("method:N", title=None).scale(domain=names, range=colours).legend(None)
    shape = alt.Shape("method:N", title=None).scale(domain=names, range=shapes).legend(None)
    return colour, shape


def _tips() -> list[Any]:
    import altair as alt

    return [alt.Tooltip(f"{name}:N", title=name) for name in TIPS]


def _x(kind: str) -> list[Any]:
    """The x axis; on one of names, methods stand beside each other."""
    import altair as alt

    if kind == "names":
        return [alt.X("x:N").axis(labelAngle=0), alt.XOffset("method:N")]
    more = {} if kind == "log" else {"zero": False}
    return [alt.X("x:Q").scale(type=kind, nice=False, padding=18, **more).axis(tickCount=5, grid=False)]


def _scores(kind: str, styles: Mapping[str, Style]) -> dict[str, Any]:
    """Scores or differences of systems, with intervals, a panel for each setting; those without a score are crosses."""
    import altair as alt

    colour, shape = _appearance(styles)
    base = alt.Chart(alt.NamedData(DATA))
    y = alt.Y("y:Q").scale(zero=False)
    measured = base.transform_filter("isValid(datum.y) && !datum.flat && !datum.seed")
    order = alt.Order("x:Q") if kind != "names" else alt.Order("method:N")
    line = measured.mark_line(strokeWidth=1.2, opacity=0.7).encode(*_x(kind), y, colour, alt.Detail("line:N"), order)
    ends = alt.Y("low:Q").scale(zero=False), alt.Y2("high:Q")
    bars = measured.mark_rule(strokeWidth=1.4).encode(*_x(kind), *ends, colour)
    points = measured.mark_point(size=110, filled=True, opacity=1).encode(
        *_x(kind), y, colour, shape, tooltip=_tips(), key=alt.Key("key:N")
    )
    flat = (
        base.transform_filter("isValid(datum.y) && datum.flat")
        .mark_rule(strokeDash=[4, 3], strokeWidth=1.4)
        .encode(y, colour, tooltip=_tips())
    )
    gaps = (
        base.transform_filter("!isValid(datum.y)")
        .mark_text(text="\N{MULTIPLICATION X}", fontSize=12, dy=-7)
        .encode(*_x(kind), alt.Y(value="height"), colour, tooltip=_tips())
    )
    named = (
        base.transform_filter("isValid(datum.y) && datum.flat")
        .mark_text(align="left", dx=4, dy=-7, fontSize=11)
        .encode(y, alt.X(value=0), alt.Text("method:N"), colour)
    )
    seeds = (
        base.transform_filter("datum.seed")
        .mark_point(size=16, filled=True, opacity=0.75)
        .encode(*_x(kind), y, colour, tooltip=_tips())
    )
    layers = [flat, named, gaps, *([] if kind == "names" else [line]), bars, seeds, points]
    panel = alt.Facet("panel:N", title=None, header=alt.Header(labelFontWeight="bold", labelAnchor="start"))
    chart = alt.layer(*layers).properties(width=300, height=230)
    return chart.facet(facet=panel, columns=2).to_dict()


def _tradeoff(styles: Mapping[str, Style]) -> dict[str, Any]:
    """Scores against a cost; systems on the Pareto front are joined and named."""
    import altair as alt

    colour, shape = _appearance(styles)
    base = alt.Chart(alt.NamedData(DATA))
    x = alt.X("x:Q").scale(type="log", nice=False, padding=40).axis(tickCount=5, format="~s", grid=False)
    y = alt.Y("y:Q").scale(zero=False, padding=14)
    front = base.transform_filter("datum.front").mark_line(strokeWidth=1.5, strokeDash=[5, 3], interpolate="step-after")
    front = front.encode(x, y, alt.Order("x:Q"))
    bars = base.mark_rule(strokeWidth=1.2, opacity=0.6).encode(
        x, alt.Y("low:Q").scale(zero=False), alt.Y2("high:Q"), colour
    )
    points = base.mark_point(filled=True).encode(
        x,
        y,
        colour,
        shape,
        size=alt.condition("datum.front", alt.value(190), alt.value(80)),
        tooltip=_tips(),
        key=alt.Key("key:N"),
    )
    names = base.transform_filter("datum.front").mark_text(dy=-13, fontSize=11, fontWeight="bold")
    names = names.encode(x, y, alt.Text("name:N"))
    return alt.layer(front, bars, points, names).properties(width="container", height=360).to_dict()


def _curve(measured: str) -> dict[str, Any]:
    """What was measured against updates, with the update whose weights were kept."""
    import altair as alt

    base = alt.Chart(alt.NamedData(DATA))
    tips = [alt.Tooltip("x:Q", title="update"), alt.Tooltip("y:Q", title=measured)]
    x = alt.X("x:Q", title="update").scale(domainMin=0).axis(tickCount=6)
    line = base.mark_line(point=True).encode(x, alt.Y("y:Q", title=measured).scale(zero=False), tooltip=tips)
    kept = base.transform_filter("datum.kept").mark_point(size=170, shape="circle", strokeWidth=2)
    kept = kept.encode(alt.X("x:Q"), alt.Y("y:Q"), tooltip=tips)
    return alt.layer(line, kept).properties(width="container", height=180).to_dict()

"""Define the style of all figures: sizes, fonts, and the colour and marker of each method."""

import colorsys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from mtpeft.analysis.read_tables import ON_GROUP
from mtpeft.figures.plotting.fonts import FAMILY

ONE_COLUMN = 3.3
"""Width in inches of a figure in one column of a page with two columns."""
TWO_COLUMNS = 6.9
"""Width in inches of a figure across both columns."""
FONT_SIZE = 7.5
SMALL_FONT_SIZE = 7.0
INK = "#000000"
GREY = "#767676"
WARNING = "#B33F00"

RC_PARAMS = {
    "font.family": FAMILY,
    "font.size": FONT_SIZE,
    "axes.labelsize": FONT_SIZE,
    "axes.titlesize": FONT_SIZE,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 4.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": SMALL_FONT_SIZE,
    "ytick.labelsize": SMALL_FONT_SIZE,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "legend.fontsize": SMALL_FONT_SIZE,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.columnspacing": 1.2,
    "lines.linewidth": 1.1,
    "lines.markersize": 4.2,
    "figure.dpi": 100,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "mtpeft",
}

# Okabe and Ito's palette without its yellow, which is too pale for a thin line on white, its blue darker and its
# vermillion lighter, so that the two methods that meet most differ in print without colour; black is full fine-tuning.
VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY = "#E0681A", "#004F86", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
# Paul Tol's muted palette serves the methods beyond those.
WINE, BROWN = "#882255", "#661100"
MUTED = ("#332288", "#999933", "#AA4499", "#117733", "#CC6677", "#44AA99", "#6699CC")
SPARE_MARKERS = ("p", "h", "8", "H", "d", "X", "<")


@dataclass(frozen=True)
class Style:
    """The colour, marker and name of one method or budget; the size of its marker is in points."""

    colour: str
    marker: str
    name: str
    size: float = 4.2


KNOWN_STYLES = {
    "full": Style(INK, "s", "full"),
    "none": Style("#767676", "_", "none"),
    "scratch": Style("#5A5A5A", "_", "scratch"),
    "retrieval": Style("#969696", "_", "retrieval"),
    "adapter": Style(BLUE, "o", "adapter"),
    "lora": Style(VERMILLION, "^", "LoRA"),
    "prefix": Style(GREEN, "D", "prefix"),
    "bitfit": Style(PURPLE, "v", "BitFit"),
    "layernorm": Style(ORANGE, "P", "LayerNorm"),
    "ia3": Style(SKY, "X", "(IA)³"),
    "ssf": Style("#8C6D00", "d", "SSF"),
    "embeddings": Style("#7A6AB8", "<", "embeddings"),
    "adapter_embeddings": Style(WINE, "*", "adapter + embeddings", 6.5),
    "lora_embeddings": Style(BROWN, ">", "LoRA + embeddings"),
}


def method_styles(methods: Iterable[str]) -> dict[str, Style]:
    """Return the style of each method: a fixed one for known methods, the next free one by sorted name for the others.

    A method that was trained on a group of pairs keeps its colour and gets another marker.
    """
    asked_for = sorted(set(methods))
    groups = [name for name in asked_for if ON_GROUP in name]
    names = sorted({name.partition(ON_GROUP)[0] for name in asked_for})
    unknown = [name for name in names if name not in KNOWN_STYLES]
    styles = {name: KNOWN_STYLES[name] for name in names if name in KNOWN_STYLES}
    for position, name in enumerate(unknown):
        styles[name] = Style(_spare_colour(position), SPARE_MARKERS[position % len(SPARE_MARKERS)], name)
    labels = sorted({name.partition(ON_GROUP)[2] for name in groups})
    for name in groups:
        method, _, label = name.partition(ON_GROUP)
        marker = SPARE_MARKERS[labels.index(label) % len(SPARE_MARKERS)]
        styles[name] = replace(styles[method], marker=marker, name=f"{styles[method].name}{ON_GROUP}{label}")
    return styles


def named_by_examples(styles: Mapping[str, Style], examples: Mapping[str, str]) -> dict[str, Style]:
    """Return styles in which the names of methods say which examples they read, such as `few (5 nearest)`."""
    return {
        method: replace(style, name=f"{style.name} ({examples[method]})") if method in examples else style
        for method, style in styles.items()
    }


def _spare_colour(position: int) -> str:
    """Return the colour of the method at this position among those without a fixed style."""
    from matplotlib.colors import to_hex

    if position < len(MUTED):
        return MUTED[position]
    # Steps of the golden ratio keep any number of hues apart; the lightness alternates for print in grey.
    hue = (0.11 + 0.618034 * position) % 1.0
    return to_hex(colorsys.hls_to_rgb(hue, (0.30, 0.45, 0.60)[position % 3], 0.55))


def tint(style: Style, share: float) -> Style:
    """Return a style in a paler colour, with this share of white, for what is less of the same."""
    from matplotlib.colors import to_hex, to_rgb

    return replace(style, colour=to_hex([channel + share * (1 - channel) for channel in to_rgb(style.colour)]))


def text_colour(colour: str) -> str:
    """Return a darker shade of a colour, since thin letters need more contrast than markers."""
    from matplotlib.colors import to_hex, to_rgb

    return to_hex([0.72 * channel for channel in to_rgb(colour)])


@contextmanager
def figure_style() -> Iterator[None]:
    """Set matplotlib's defaults with those of this project on top, whatever the user's own matplotlibrc says."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC_PARAMS)
        yield

"""One look for all figures: sizes, fonts, the colour and marker of each method, and reproducible files."""

import colorsys
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from mtpeft.analysis.tables import ON_GROUP

ONE_COLUMN = 3.3
"""Width in inches of a figure in one column of a two-column page."""
TWO_COLUMNS = 6.9
"""Width in inches of a figure across both columns."""
FONT_SIZE = 7.5
SMALL_FONT_SIZE = 7.0
INK = "#000000"
GREY = "#767676"
WARNING = "#B33F00"

RC_PARAMS = {
    "font.family": "DejaVu Sans",
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
class Look:
    """How one method is drawn and named; the size of its marker is in points."""

    colour: str
    marker: str
    name: str
    size: float = 4.2


KNOWN = {
    "full": Look(INK, "s", "full"),
    "none": Look("#767676", "_", "none"),
    "scratch": Look("#5A5A5A", "_", "scratch"),
    "retrieval": Look("#969696", "_", "retrieval"),
    "adapter": Look(BLUE, "o", "adapter"),
    "lora": Look(VERMILLION, "^", "LoRA"),
    "prefix": Look(GREEN, "D", "prefix"),
    "bitfit": Look(PURPLE, "v", "BitFit"),
    "layernorm": Look(ORANGE, "P", "LayerNorm"),
    "ia3": Look(SKY, "X", "(IA)³"),
    "ssf": Look("#8C6D00", "d", "SSF"),
    "embeddings": Look("#7A6AB8", "<", "embeddings"),
    "adapter_embeddings": Look(WINE, "*", "adapter + embeddings", 6.5),
    "lora_embeddings": Look(BROWN, ">", "LoRA + embeddings"),
}


def looks_of(methods: Iterable[str]) -> dict[str, Look]:
    """The look of each method: fixed for the known ones, the next free one by sorted name for the others.

    On a group of pairs a method keeps its colour and has another marker.
    """
    asked_for = sorted(set(methods))
    groups = [name for name in asked_for if ON_GROUP in name]
    names = sorted({name.partition(ON_GROUP)[0] for name in asked_for})
    unknown = [name for name in names if name not in KNOWN]
    looks = {name: KNOWN[name] for name in names if name in KNOWN}
    for position, name in enumerate(unknown):
        looks[name] = Look(_spare_colour(position), SPARE_MARKERS[position % len(SPARE_MARKERS)], name)
    labels = sorted({name.partition(ON_GROUP)[2] for name in groups})
    for name in groups:
        method, _, label = name.partition(ON_GROUP)
        marker = SPARE_MARKERS[labels.index(label) % len(SPARE_MARKERS)]
        looks[name] = replace(looks[method], marker=marker, name=f"{looks[method].name}{ON_GROUP}{label}")
    return looks


def _spare_colour(position: int) -> str:
    if position < len(MUTED):
        return MUTED[position]
    # Steps of the golden ratio keep any number of hues apart; the lightness alternates for print in grey.
    hue = (0.11 + 0.618034 * position) % 1.0
    return to_hex(colorsys.hls_to_rgb(hue, (0.30, 0.45, 0.60)[position % 3], 0.55))


def text_colour(colour: str) -> str:
    """A darker shade of a colour, since thin letters need more contrast than markers."""
    return to_hex([0.72 * channel for channel in to_rgb(colour)])


@contextmanager
def figure_style() -> Iterator[None]:
    """Matplotlib's defaults with ours on top, whatever the user's own matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC_PARAMS)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches that needs no window system and no global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, stem: Path) -> None:
    """Write `stem` with .pdf, .svg and .png: whole or not at all, and the same bytes for the same figure."""
    dateless: Mapping[str, dict[str, None]] = {
        "pdf": {"CreationDate": None},
        "svg": {"Date": None},
        "png": {"Software": None},
    }
    stem.parent.mkdir(parents=True, exist_ok=True)
    for suffix, metadata in dateless.items():
        path = stem.with_name(f"{stem.name}.{suffix}")
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            figure.savefig(temporary, format=suffix, metadata=metadata)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

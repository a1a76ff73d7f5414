"""The figure `exposure`: how do data and budget matter for pairs that a base model has seen, half seen or not seen?"""

from collections.abc import Mapping
from dataclasses import replace

from mtpeft.analysis.read_tables import Setting
from mtpeft.cells import ANY
from mtpeft.config.pretraining import ORDER, exposure_of
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import drawn_cells
from mtpeft.figures.base import Figure, FigureData
from mtpeft.figures.plotting.label_placement import label_end
from mtpeft.figures.plotting.method_lines import draw_size_lines, pairs_by_size
from mtpeft.figures.plotting.panels import Drawing, draw_gaps, grid, nothing_yet, share_range
from mtpeft.figures.plotting.reference_lines import FULL_DASHES
from mtpeft.figures.plotting.selection import is_reference, panel_name, settings_of
from mtpeft.figures.plotting.style import INK, TWO_COLUMNS, Style

WORDS = {
    "parallel": "seen in parallel",
    "monolingual": "each language seen by itself",
    "unseen": "unseen",
    "unknown": "nobody knows what was seen",
}
NONE = "none"


def params(configuration: Configuration, study: str) -> dict[str, list[list[str]]]:
    """Return the models and pairs of a study, each with how much of the pair the model has seen in pre-training."""
    cells = [cell for cell in drawn_cells(configuration, study) if cell.model != ANY]
    scored = sorted({(cell.model, pair) for cell in cells for pair in cell.members})
    return {"exposures": [[model, pair, exposure_of(configuration, model, pair)] for model, pair in scored]}


def draw(data: FigureData, styles: dict[str, Style]) -> Drawing:
    """Draw the gain over the untouched model against the number of training pairs, a line per method and budget.

    There is one panel per model and pair; the pairs that a model knows best come first.
    """
    tuned = [system for system in data.systems if not is_reference(system)]
    pairs_of_size = pairs_by_size(tuned)
    if not any(system.minus_none and system.setting.size in pairs_of_size for system in tuned):
        return nothing_yet()
    exposures = {(model, pair): exposure for model, pair, exposure in data.params.get("exposures", ())}
    rows = sorted(
        {replace(setting, size="") for setting in settings_of(tuned)},
        key=lambda row: (ORDER.index(_exposure(exposures, row)), row),
    )
    columns = min(2, len(rows))
    figure, panels = grid(len(rows), columns=columns, width=TWO_COLUMNS, row_height=2.3)
    for position, (axes, row) in enumerate(zip(panels, rows, strict=True)):
        own = [system for system in tuned if replace(system.setting, size="") == row]
        axes.axhline(0, color=INK, linestyle=FULL_DASHES, linewidth=0.9, zorder=2)
        marks = draw_size_lines(axes, own, pairs_of_size, styles=styles, value=lambda system: system.minus_none)
        axes.margins(x=0.06, y=0.08)
        draw_gaps(axes, marks)
        axes.set_title(f"{panel_name(row, rows)}: {WORDS[_exposure(exposures, row)]}")
        axes.set_ylabel(f"{data.metric_name} \N{MINUS SIGN} none" if position % columns == 0 else "")
        axes.set_xlabel("training pairs" if position >= len(panels) - columns else "")
    share_range(panels)
    for axes in panels:
        label_end(axes, NONE, x=axes.get_xlim()[1], y=0, colour=INK)
    return Drawing(figure)


def _exposure(exposures: Mapping[tuple[str, str], str], row: Setting) -> str:
    return exposures.get((row.model, row.pair), "unknown")


EXPOSURE = Figure(
    name="exposure",
    question="How do data and budget matter for pairs that a base model has seen, half seen or not seen?",
    caption="{metric} minus that of the untouched model against the number of training pairs (logarithmic), one line "
    "per method and budget. There is one panel per base model and pair; its title says whether the model has "
    "seen the pair in parallel text, each of its languages by itself, or not at all in pre-training. The "
    "pairs that a model knows best come first, and all panels share one range. The dashed line is the "
    "untouched model.",
    draw=draw,
    shows="differences",
    params=params,
)

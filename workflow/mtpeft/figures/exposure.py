"""The figure `exposure`: how do data and budget matter for pairs that a base model has seen, half seen or not seen?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mtpeft.analysis.read_tables import Setting, System
from mtpeft.cells import ALL, ANY, NATIVE
from mtpeft.config.pretraining import ORDER, exposure_of
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import drawn_cells
from mtpeft.figures.base import Figure, FigureData
from mtpeft.figures.plotting.label_placement import label_end
from mtpeft.figures.plotting.method_lines import SizedSystems, draw_share_lines_of_sizes, draw_size_lines, pairs_by_size
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
AXES = {"pairs": "training pairs", "share": "trained share of base model (%)"}
"""What stands on x, by view."""


def params(configuration: Configuration, study: str) -> dict[str, list[list[str]]]:
    """Return the models and pairs of a study, each with how much of the pair the model has seen in pre-training."""
    cells = [cell for cell in drawn_cells(configuration, study) if cell.model != ANY]
    scored = sorted({(cell.model, pair) for cell in cells for pair in cell.members})
    return {"exposures": [[model, pair, exposure_of(configuration, model, pair)] for model, pair in scored]}


def draw(data: FigureData, styles: dict[str, Style]) -> Drawing:
    """Draw the gain over the untouched model against the number of training pairs, a line per method and budget.

    There is one panel per model and pair; the pairs that a model knows best come first. Where methods have several
    budgets, a panel beside it has the same gains against the trained share, a line per method and size.
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
    sized = _of_several_budgets(tuned)
    views = [(row, view) for row in rows for view in (("pairs", "share") if sized else ("pairs",))]
    columns = min(2, len(views))
    figure, panels = grid(len(views), columns=columns, width=TWO_COLUMNS, row_height=2.3)
    for position, (axes, (row, view)) in enumerate(zip(panels, views, strict=True)):
        draw_lines, shown = (draw_size_lines, tuned) if view == "pairs" else (draw_share_lines_of_sizes, sized)
        own = [system for system in shown if replace(system.setting, size="") == row]
        axes.axhline(0, color=INK, linestyle=FULL_DASHES, linewidth=0.9, zorder=2)
        marks = draw_lines(axes, SizedSystems(own, pairs_of_size, lambda system: system.minus_none, styles))
        axes.margins(x=0.06, y=0.08)
        draw_gaps(axes, marks)
        axes.set_title("" if view == "share" else f"{panel_name(row, rows)}: {WORDS[_exposure(exposures, row)]}")
        axes.set_ylabel(f"{data.metric_name} \N{MINUS SIGN} none" if position % columns == 0 else "")
        axes.set_xlabel(AXES[view] if position >= len(panels) - columns else "")
    share_range(panels)
    for axes in panels:
        label_end(axes, NONE, x=axes.get_xlim()[1], y=0, colour=INK)
    return Drawing(figure)


def _of_several_budgets(systems: Sequence[System]) -> list[System]:
    """Return the systems of methods that some model and pair has at several budgets."""
    budgets: dict[str, set[str]] = {}
    for system in systems:
        if system.budget not in (ALL, NATIVE):
            budgets.setdefault(system.method, set()).add(system.budget)
    return [system for system in systems if len(budgets.get(system.method, ())) > 1]


def _exposure(exposures: Mapping[tuple[str, str], str], row: Setting) -> str:
    return exposures.get((row.model, row.pair), "unknown")


EXPOSURE = Figure(
    name="exposure",
    question="How do data and budget matter for pairs that a base model has seen, half seen or not seen?",
    caption="{metric} minus that of the untouched model against the number of training pairs (logarithmic), one line "
    "per method and budget. There is one panel per base model and pair; its title says whether the model has "
    "seen the pair in parallel text, each of its languages by itself, or not at all in pre-training. Where methods "
    "have several budgets, the panel beside it has the same values against the trained share of the base model, one "
    "line per method and size. The pairs that a model knows best come first, and all panels share one range. The "
    "dashed line is the untouched model.",
    draw=draw,
    shows="differences",
    version=2,
    params=params,
)

"""How do data and budget matter for pairs that the base model has seen, half seen and never seen?"""

from dataclasses import replace

from mtpeft.analysis.tables import Setting, Tables
from mtpeft.config.pretraining import ORDER
from mtpeft.figures.plotting.labels import label_end
from mtpeft.figures.plotting.panels import Drawing, draw_gaps, grid, nothing_yet, share_range
from mtpeft.figures.plotting.reference_lines import FULL_DASHES
from mtpeft.figures.plotting.size_lines import draw_size_lines, training_pairs
from mtpeft.figures.plotting.style import INK, TWO_COLUMNS, Look
from mtpeft.figures.plotting.systems import is_reference, panel_name, settings_of

WORDS = {
    "parallel": "seen in parallel",
    "monolingual": "each language seen by itself",
    "unseen": "unseen",
    "unknown": "nobody knows what was seen",
}
NONE = "none"


def draw_exposure(tables: Tables, looks: dict[str, Look]) -> Drawing:
    """Gain over the untouched model against the number of training pairs: one panel per model and pair, best known
    ones first, one line per method and budget.
    """
    tuned = [system for system in tables.systems if not is_reference(system)]
    pairs_of_size = training_pairs(tuned)
    if not any(system.minus_none and system.setting.size in pairs_of_size for system in tuned):
        return nothing_yet()
    rows = sorted(
        {replace(setting, size="") for setting in settings_of(tuned)},
        key=lambda row: (ORDER.index(_exposure(tables, row)), row),
    )
    columns = min(2, len(rows))
    figure, panels = grid(len(rows), columns=columns, width=TWO_COLUMNS, row_height=2.3)
    for position, (axes, row) in enumerate(zip(panels, rows, strict=True)):
        own = [system for system in tuned if replace(system.setting, size="") == row]
        axes.axhline(0, color=INK, linestyle=FULL_DASHES, linewidth=0.9, zorder=2)
        marks = draw_size_lines(axes, own, pairs_of_size, looks=looks, value=lambda system: system.minus_none)
        axes.margins(x=0.06, y=0.08)
        draw_gaps(axes, marks)
        axes.set_title(f"{panel_name(row, rows)}: {WORDS[_exposure(tables, row)]}")
        axes.set_ylabel(f"{tables.metric_name} \N{MINUS SIGN} none" if position % columns == 0 else "")
        axes.set_xlabel("training pairs" if position >= len(panels) - columns else "")
    share_range(panels)
    for axes in panels:
        label_end(axes, NONE, x=axes.get_xlim()[1], y=0, colour=INK)
    return Drawing(figure)


def _exposure(tables: Tables, row: Setting) -> str:
    return tables.exposures.get((row.model, row.pair), "unknown")

"""The figure `models` (RQ3): how do the pre-training objective and the size of the base model matter?"""

from dataclasses import replace

from mtpeft.analysis.read_tables import Setting, System
from mtpeft.cells import ANY
from mtpeft.figures.base import Figure, FigureData
from mtpeft.figures.plotting.panels import Drawing, grid, nothing_yet
from mtpeft.figures.plotting.reference_lines import draw_upright_band
from mtpeft.figures.plotting.rows import RowGroup, draw_rows, rows_height
from mtpeft.figures.plotting.selection import full_method, is_reference, panel_name, settings_of
from mtpeft.figures.plotting.style import ONE_COLUMN, TWO_COLUMNS, Style


def draw(data: FigureData, styles: dict[str, Style]) -> Drawing:
    """Draw all methods and budgets below each base model, with full fine-tuning of the first down the panel."""
    systems = data.systems
    if not any(system.score for system in systems if not is_reference(system)):
        return nothing_yet()
    settings = sorted({replace(setting, model="") for setting in settings_of(systems)})
    groups = {setting: _groups(data, setting) for setting in settings}
    columns = min(2, len(settings))
    width = ONE_COLUMN if columns == 1 else TWO_COLUMNS
    figure, panels = grid(
        len(settings), columns=columns, width=width, row_height=max(map(rows_height, groups.values()))
    )
    full = full_method(systems)
    for axes, setting in zip(panels, settings, strict=True):
        draw_rows(axes, groups[setting], styles, name=f"{data.metric_name}, {panel_name(setting, settings)}")
        band = next((system for group in groups[setting] for system in group.systems if system.method == full), None)
        if band:
            draw_upright_band(axes, band, styles[full], name=f"{styles[full].name}, {band.setting.model}")
    return Drawing(figure)


def _groups(data: FigureData, setting: Setting) -> list[RowGroup]:
    """Return one group per base model: full fine-tuning, then the methods by name and share."""
    own = [
        system
        for system in data.systems
        if system.setting.pair == setting.pair
        and system.setting.size in (setting.size, ANY)
        and system.setting.test_set == setting.test_set
    ]
    full = full_method(data.systems)
    groups = []
    for model in _in_order(data):
        here = [system for system in own if system.setting.model == model]
        tuned = [system for system in here if not is_reference(system)]
        if tuned:
            tuned.sort(key=lambda system: (system.method != full, system.method, system.share or 0.0))
            groups.append(
                RowGroup(_model_name(model, tuned, full), tuned, [system for system in here if is_reference(system)])
            )
    return groups


def _in_order(data: FigureData) -> list[str]:
    """Return base models in the order of the study; those that it does not name come last."""
    found = sorted({system.setting.model for system in data.systems if not is_reference(system)})
    return [*(model for model in data.models if model in found), *(m for m in found if m not in data.models)]


def _model_name(model: str, systems: list[System], full: str | None) -> str:
    """Return the name of a model with its number of parameters, which is what full fine-tuning trains."""
    counts = [system.costs.get("trained_parameters") for system in systems if system.method == full]
    return f"{model}, {counts[0] / 1e6:.2g} M" if counts and counts[0] else model


MODELS = Figure(
    name="models",
    question="How much do the pre-training objective and the size of the base model matter?",
    caption="{metric} of full fine-tuning and of the other methods, each with the share that it trains, below each "
    "base model with its number of parameters. The band down the figure is full fine-tuning of the first "
    "model: a marker at its right is a larger model of which few parameters were trained, and which beats the "
    "smaller model trained in full. Dotted ticks are the untouched models.",
    draw=draw,
)

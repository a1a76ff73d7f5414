"""RQ3: how do the pre-training objective and the size of the base model matter?"""

from dataclasses import replace

from mtpeft.analysis.tables import Setting, System, Tables
from mtpeft.cells import ANY
from mtpeft.figures.plotting.dots import Block, dots_height, draw_dots, draw_upright_band
from mtpeft.figures.plotting.panels import Drawing, grid, nothing_yet
from mtpeft.figures.plotting.style import ONE_COLUMN, TWO_COLUMNS, Look
from mtpeft.figures.plotting.systems import full_method, is_reference, panel_name, settings_of


def draw_models(tables: Tables, looks: dict[str, Look]) -> Drawing:
    """ChrF of all methods and budgets below each base model, with full fine-tuning of the first down the panel."""
    systems = tables.systems
    if not any(system.score for system in systems if not is_reference(system)):
        return nothing_yet()
    settings = sorted({replace(setting, model="") for setting in settings_of(systems)})
    blocks = {setting: _blocks(tables, setting) for setting in settings}
    columns = min(2, len(settings))
    width = ONE_COLUMN if columns == 1 else TWO_COLUMNS
    figure, panels = grid(
        len(settings), columns=columns, width=width, row_height=max(map(dots_height, blocks.values()))
    )
    full = full_method(systems)
    for axes, setting in zip(panels, settings, strict=True):
        draw_dots(axes, blocks[setting], looks, name=f"{tables.metric_name}, {panel_name(setting, settings)}")
        band = next((system for block in blocks[setting] for system in block.systems if system.method == full), None)
        if band:
            draw_upright_band(axes, band, looks[full], name=f"{looks[full].name}, {band.setting.model}")
    return Drawing(figure)


def _blocks(tables: Tables, setting: Setting) -> list[Block]:
    """One block per base model: full fine-tuning, then the methods by name and share."""
    own = [
        system
        for system in tables.systems
        if system.setting.pair == setting.pair
        and system.setting.size in (setting.size, ANY)
        and system.setting.test_set == setting.test_set
    ]
    full = full_method(tables.systems)
    blocks = []
    for model in _in_order(tables):
        here = [system for system in own if system.setting.model == model]
        tuned = [system for system in here if not is_reference(system)]
        if tuned:
            tuned.sort(key=lambda system: (system.method != full, system.method, system.share or 0.0))
            blocks.append(Block(_named(model, tuned, full), tuned, [system for system in here if is_reference(system)]))
    return blocks


def _in_order(tables: Tables) -> list[str]:
    """Base models in the order of the study; those that it does not name come last."""
    found = sorted({system.setting.model for system in tables.systems if not is_reference(system)})
    return [*(model for model in tables.models if model in found), *(m for m in found if m not in tables.models)]


def _named(model: str, systems: list[System], full: str | None) -> str:
    """A model with its number of parameters, which is what full fine-tuning trains."""
    counts = [system.costs.get("trained_parameters") for system in systems if system.method == full]
    return f"{model}, {counts[0] / 1e6:.2g} M" if counts and counts[0] else model

"""The calibrations that a plan needs: of each model and method of which no finished cell shows what it costs."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from mtpeft.config.schema import Configuration
from mtpeft.front.prices.measured import Measured, measured_here
from mtpeft.front.prices.work import Kind, kind_of_cell
from mtpeft.front.sweep import sweep
from mtpeft.steps.calibrate import calibrated_cells, calibration_file


def calibrate(configuration: Configuration, overlays: Sequence[Path], *, cores: int) -> int:
    """Make the calibrations that the studies need; returns the exit code of the sweep that makes them, 0 for none."""
    targets = missing_calibrations(configuration, measured_here(configuration))
    return sweep(targets, overlays=overlays, options=["--cores", str(cores)]) if targets else 0


def missing_calibrations(configuration: Configuration, measured: Iterable[Measured]) -> list[str]:
    """List the records of the calibrations that the studies need, given what was measured, each kind of work once."""
    known = {own.kind for own in measured if own.by != "calibration"}
    wanted: dict[Kind, str] = {}
    for cell in calibrated_cells(configuration):
        kind = kind_of_cell(configuration, cell)
        if kind not in known:
            wanted.setdefault(kind, calibration_file(configuration, cell.model, cell.method))
    return list(wanted.values())

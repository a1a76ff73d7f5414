"""Draw the course of trainings from their records: of cells, or of a search for a learning rate."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.cells import ALL, NATIVE, RATE_LABELS, Cell
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record
from mtpeft.figures.draw import save_figure
from mtpeft.figures.plotting.curves import Curve, Trial, draw_courses, draw_search
from mtpeft.figures.plotting.style import figure_style, method_styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".pdf", ".svg", ".png")


def draw_curves(what: Sequence[str], to: Path) -> None:
    """Draw some cells, or one search, into a file.

    Args:
        what: cells by their labels or folders, or the record of a search, such as a file under results/rates.
        to: a file of one of the formats.

    Raises:
        UserError: one of them is not there or has trained nothing, searches and cells are mixed, or the file's name
            ends otherwise.
    """
    if to.suffix not in FORMATS:
        raise UserError(f"--to: '{to}' is no figure; write a name that ends in {', '.join(FORMATS)}.")
    searches = [name for name in what if name.endswith(".json")]
    if searches and len(what) > 1:
        raise UserError("A search is drawn alone; name one record of a search, or cells.")
    with figure_style():
        figure = _search(Path(searches[0])) if searches else _cells(what)
        save_figure(figure, to)


def _cells(names: Sequence[str]) -> "Figure":
    cells = [Cell.find(name) for name in names]
    styles = method_styles(cell.method for cell in cells)
    return draw_courses([(_curve_of(cell, _shortest(cell, cells)), styles[cell.method]) for cell in cells])


def _curve_of(cell: Cell, name: str) -> Curve:
    """Read the course of a cell's training.

    Raises:
        UserError: it has no record, or has trained nothing.
    """
    record = cell.folder / "train.json"
    if not record.is_file():
        raise UserError(f"The cell {cell.path} is not trained here: there is no {record}.")
    train = read_record(record)
    if not train["dev_history"]:
        raise UserError(f"The cell {cell.path} has trained nothing, so there is no curve to draw.")
    return _curve(name, train)


def _curve(name: str, training: Mapping[str, Any]) -> Curve:
    history = training["dev_history"]
    return Curve(
        name,
        updates=[int(entry["step"]) for entry in history],
        scores=[entry["score"] for entry in history],
        losses=[entry.get("loss") for entry in history],
        kept=training["best_step"],
        diverged=training["status"] != "ok",
    )


def _shortest(cell: Cell, cells: Sequence[Cell]) -> str:
    """Name a cell by its method, and by the labels in which the cells differ."""
    differing = {name for name in cell.named if len({other.named[name] for other in cells}) > 1} | {"method", "budget"}
    shown = [label for name, label in cell.named.items() if name in differing and label not in (ALL, NATIVE)]
    # Cells of several configurations may have the same labels, and are told apart by their digests.
    namesakes = [other for other in cells if other.labels == cell.labels]
    return " ".join([*shown, *([cell.digest] if len(namesakes) > 1 else [])])


def _search(file: Path) -> "Figure":
    """Draw the record of a search.

    Raises:
        UserError: it is not there, or is no record of a search.
    """
    record = read_record(file) if file.is_file() else {}
    if "trials" not in record:
        raise UserError(f"'{file}' is no record of a search; name a file under results/rates, or a cell.")
    means = {score["learning_rate"]: score["mean"] for score in record.get("scores", ())}
    trials = []
    for rate, own in groupby(sorted(record["trials"], key=itemgetter("learning_rate")), itemgetter("learning_rate")):
        curves = [_curve(f"{rate:g}", trial) for trial in own]
        mean = means[rate] if means else _only_score(curves[0])
        trials.append(Trial(rate, curves, mean, chosen=rate == record["learning_rate"]))
    return draw_search(" ".join(record["labels"][name] for name in RATE_LABELS), trials)


def _only_score(trial: Curve) -> float | None:
    """Return the score of a rate in records of earlier versions, which have one trial of each, and no means."""
    return None if trial.diverged else trial.best

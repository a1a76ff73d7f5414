"""What is asked, the configuration in which it is answered, and the cells between which there is a choice."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.config.load import DEFAULT_FILE, merge, validate
from mtpeft.config.schema import Configuration
from mtpeft.config.yaml_file import read_yaml
from mtpeft.core.errors import UserError
from mtpeft.core.files import PROJECT
from mtpeft.core.wording import unknown
from mtpeft.front.prices.work import shape_of, trained_in
from mtpeft.methods import METHODS
from mtpeft.methods.budget import OutOfReachError

OF_EXAMPLES = tuple(PROJECT / "workflow" / "studies" / name for name in ("full.yaml", "methods.yaml"))
"""Study files that have made the results that come with the project."""
CATALOGUES = ("models", "sizes", "methods", "budgets")
NEW = "advised"
"""Stands in a label that would otherwise mean another number of pairs."""
SEED = "1"


@dataclass(frozen=True)
class Request:
    """What a user wants to know.

    Attributes:
        model: label of the base model.
        pair: label of the language pair.
        pairs: sentence pairs for training.
        memory: most gigabytes that training may need; None for no limit.
        languages: languages or domains for which tuned weights will be stored.
        metric: metric of the scores.
    """

    model: str
    pair: str
    pairs: int
    memory: float | None = None
    languages: int = 1
    metric: str = "chrf"


@dataclass(frozen=True)
class Asked:
    """A request in the configuration that answers it.

    Attributes:
        request: as it was made.
        configuration: of the user, with catalogues of the shipped studies, and the size that is asked for.
        size: label of that size.
        written: the user's own configuration, as it is written.
        added: what the configuration has besides it.
    """

    request: Request
    configuration: Configuration
    size: str
    written: Mapping[str, Any]
    added: Mapping[str, Mapping[str, Any]]


def asked_in(request: Request, overlays: Sequence[Path] = ()) -> Asked:
    """Return the request in a configuration that knows all of its labels.

    Raises:
        UserError: there is no such model or pair, or the shape of the model is not known before it is fetched.
    """
    written: dict[str, Any] = {}
    for file in (DEFAULT_FILE, *overlays):
        written = merge(written, read_yaml(Path(file)))
    added: dict[str, dict[str, Any]] = {name: {} for name in CATALOGUES}
    for file in OF_EXAMPLES:
        for name in CATALOGUES:
            entries = read_yaml(file).get(name) or {}
            added[name] |= {label: own for label, own in entries.items() if label not in (written.get(name) or {})}
    configuration = validate(merge(written, _not_empty(added)))
    for key, label, section in (("--model", request.model, "models"), ("--pair", request.pair, "pairs")):
        for mistake in unknown(key, [label], getattr(configuration, section), section):
            raise UserError(mistake)
    if shape_of(configuration, request.model) is None:
        raise UserError(
            f"The model '{request.model}' is not here yet, so nothing is known of its size; fetch it with `snakemake "
            f"results/models/{request.model}/base.json`."
        )
    size = _label_of(configuration, request.pairs)
    if size not in configuration.sizes:
        added["sizes"][size] = {"pairs": request.pairs, "updates": updates_for(configuration, request.pairs)}
        configuration = validate(merge(written, _not_empty(added)))
    return Asked(request, configuration, size, written, added)


def _not_empty(added: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {name: dict(entries) for name, entries in added.items() if entries}


def _label_of(configuration: Configuration, pairs: int) -> str:
    """Return the label of a number of pairs: one that the configuration has, or a new one."""
    own = next((label for label, size in configuration.sizes.items() if size.pairs == pairs), None)
    return own or (f"n{pairs}" if f"n{pairs}" not in configuration.sizes else f"n{pairs}-{NEW}")


def updates_for(configuration: Configuration, pairs: int) -> int:
    """Return how many updates a number of pairs gets: by the line through the two nearest sizes, in logarithms."""
    known = sorted({own.pairs: own.updates for own in configuration.sizes.values()}.items())
    if len(known) < 2:
        return known[0][1]
    above = next((place for place, (own, _) in enumerate(known) if own >= pairs), len(known) - 1)
    (few, least), (many, most) = known[max(above, 1) - 1 : max(above, 1) + 1]
    slope = log(most / least) / log(many / few)
    return max(1, round(exp(log(least) + slope * log(pairs / few))))


def cells_of(asked: Asked, size: str) -> Iterator[Cell]:
    """Yield the cells of the model and the pair at a size: every method that tunes it at every budget that it meets."""
    configuration, request = asked.configuration, asked.request
    for label, options in configuration.methods.items():
        method = METHODS[options.method]
        if method.trains == "none" or method.from_scratch:
            continue
        for budget in method.budget_labels or configuration.budgets:
            cell = Cell(request.model, request.pair, size, label, budget, SEED)
            if share_of(configuration, cell):
                yield cell


def share_of(configuration: Configuration, cell: Cell) -> float | None:
    """Return the share of the base model that a cell trains; None where it can't, or where nothing is known of it."""
    try:
        trained = trained_in(configuration, cell)
    except OutOfReachError:
        return None
    shape = shape_of(configuration, cell.model)
    return trained.allocation.trained / shape.total if trained and shape and trained.allocation.trained else None

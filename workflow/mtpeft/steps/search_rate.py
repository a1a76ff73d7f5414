"""Search for the learning rate of a model, size, method and budget on the dev sets of the pairs of `rate_search`.

The record, `results/rates/<model>/<size>/<method>/<budget>-<digest>.json`, holds all trials. A rate that a table of
earlier searches holds for the same search is not searched for again.
"""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.cells import ANY, RATE_LABELS, RESERVED, VERSION, Cell, digest_of, label_of, name_of
from mtpeft.config import methods, pairs, rate_search, sizes, start_from, studies
from mtpeft.core import section
from mtpeft.core.errors import UserError
from mtpeft.steps.base_models import base_file, model_name, tokens_folder
from mtpeft.steps.cell_params import evaluation_params, translation_params
from mtpeft.steps.choose_subset import subset_file
from mtpeft.steps.clean_pair import CACHED
from mtpeft.steps.decontaminate_pair import pair_digest, pair_folder
from mtpeft.steps.devices import Devices
from mtpeft.steps.evaluate_base import start_file
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration
    from mtpeft.methods.base import Method
    from mtpeft.training.finetune import CellInputs as TrainingFiles

TRAIN_VERSION = 1
"""Version of the training of a cell, which each trial of a search is as well."""


def params(configuration: "Configuration", *labels: str) -> Params:
    """Params of a search, given its model, size, method and budget."""
    cell = any_cell(*labels)
    trials = {
        rate_search.trial_label(trial): training_params(configuration, trial)
        for trial in rate_search.trial_cells(configuration, cell)
    }
    start = _start_of(configuration, *labels)
    return rate_search.search_params(configuration, cell, trials) | ({"parent": start} if start else {})


def _start_of(configuration: "Configuration", *labels: str) -> str | None:
    """The record of the cell with whose weights all trials begin, if they begin with another's."""
    from mtpeft.steps.train import placed  # which itself needs the searches

    first = next(iter(rate_search.trial_cells(configuration, any_cell(*labels))))
    parent = start_from.parent_of(configuration, first)
    return f"{placed(configuration, parent).folder}/train.json" if parent else None


def any_cell(model: str, size: str, method: str, budget: str) -> Cell:
    """A cell of those that share a learning rate."""
    return Cell(model, ANY, size, method, budget, ANY)


def inputs(configuration: "Configuration", *labels: str) -> Inputs:
    """One base model and one cell to start from, if there is one, and of all else a file for each pair and seed."""
    found: dict[str, list[str]] = {}
    for cell in rate_search.trial_cells(configuration, any_cell(*labels)):
        files = training_files(configuration, cell)
        found = {name: [*found.get(name, []), *own] if name != "base" else own for name, own in files.items()}
    start = _start_of(configuration, *labels)
    return found | ({"parent": [start]} if start else {})


def training_params(configuration: "Configuration", cell: Cell) -> Params:
    """Params of the training of a cell but for its learning rate."""
    options = methods.method_options(configuration, cell.method)
    method = _registered(configuration, cell.method)
    made = {VERSION: TRAIN_VERSION, "method": options} | translation_params(configuration, cell)
    if method.trains == "none":
        return made | _draws(configuration, cell)
    made |= evaluation_params(configuration)
    size = configuration.sizes[cell.size]
    optimisation = section.plain(configuration.training) | {"updates": size.updates}
    if size.draws != sizes.BY_SEED:
        made["draws"] = size.draws
    if optimisation["weight_decay"]:
        optimisation["decayed"] = "matrices"  # part of the params, since weight decay once covered all parameters
    if cell.is_group:
        made["pairs_each"] = size.pairs
        made["method"] = methods.with_languages(options, made["members"].values())
    else:
        del optimisation["temperature"]
    budget = configuration.budgets[cell.budget] if method.trains == "budgeted" else None
    return made | {"budget": budget, "optimisation": optimisation, "seed": int(cell.seed)}


def _draws(configuration: "Configuration", cell: Cell) -> Params:
    """Which sentence pairs a cell reads that trains nothing and has a seed."""
    draws = sizes.BY_SEED if ANY in (cell.size, cell.seed) else configuration.sizes[cell.size].draws
    return {} if draws == sizes.BY_SEED else {"draws": draws}


def training_files(configuration: "Configuration", cell: Cell) -> dict[str, list[str]]:
    """Input files of the training of a cell but for its learning rate, by the name of the option that takes them.

    There is one base model, and a file for each pair of a group, in its order.
    """
    method = _registered(configuration, cell.method)
    _require_canonical(cell, method)
    methods.require_trainable(configuration, cell)
    found: dict[str, list[str]] = {}
    if cell.model != ANY:
        found["base"] = [base_file(configuration, cell.model)]
    for pair in cell.members:
        for name, file in _files_of_pair(configuration, cell, pair).items():
            found.setdefault(name, []).append(file)
    return found


def _files_of_pair(configuration: "Configuration", cell: Cell, pair: str) -> dict[str, str]:
    method = _registered(configuration, cell.method)
    files = {}
    if cell.size != ANY:
        files["subset"] = subset_file(configuration, cell, pair)
    if method.trains != "none":
        arrays = tokens_folder(configuration, cell.model, pair)
        files["train"], files["dev"] = f"{arrays}/train.safetensors", f"{arrays}/dev.safetensors"
        files["dev-text"] = f"{pair_folder(configuration, pair)}/dev.tsv"
    if method.starts_as_base:
        files["start"] = start_file(configuration, cell.model, pair)
    return files


def _require_canonical(cell: Cell, method: "Method") -> None:
    """Refuse labels that mean nothing for a method: the same run would be made twice, under two names.

    Raises:
        UserError: the cell has another name.
    """
    pairs.require_sorted(cell)
    if cell.is_group and method.trains == "none":
        raise UserError(f"The cell {cell.path} trains nothing; name one of each pair, such as '{cell.members[0]}'.")
    budget = method.budget_labels[0] if method.budget_labels else cell.budget
    wanted = dict.fromkeys(method.ignores, ANY) | {"budget": budget}
    for name, label in wanted.items():
        if getattr(cell, name) != label:
            raise UserError(
                f"The cell {cell.path} has the {name} '{getattr(cell, name)}'; for its method write '{label}'."
            )
    meaningless = [name for name, label in cell.named.items() if label == ANY and wanted.get(name) != ANY]
    if meaningless or (method.budget_labels is None and cell.budget in RESERVED):
        raise UserError(f"The cell {cell.path} needs a label of the catalogue as its {(meaningless or ['budget'])[0]}.")


def rate_params(configuration: "Configuration", cell: Cell) -> Any:
    """The learning rate in the params of a cell: a number, or the digest of the search that finds it."""
    rate = configuration.methods[cell.method].learning_rate
    if isinstance(rate, dict):
        return rate.get(cell.size, rate.get("default"))
    if methods.search_of(configuration, cell.method) is None:
        return rate
    found, search = _known_rate(configuration, *_labels(cell))
    return {"search": search} if found is None else found


def needs_search(configuration: "Configuration", cell: Cell) -> bool:
    """Whether the learning rate of a cell has yet to be searched for."""
    if methods.search_of(configuration, cell.method) is None:
        return False
    return _known_rate(configuration, *_labels(cell))[0] is None


def _labels(cell: Cell) -> tuple[str, ...]:
    return tuple(getattr(cell, name) for name in RATE_LABELS)


@lru_cache(maxsize=4096)
def _known_rate(configuration: "Configuration", *labels: str) -> tuple[float | None, str]:
    """The learning rate that a table of earlier searches holds, if it does, and the digest of the search."""
    search = {VERSION: STEP.version, **params(configuration, *labels)}
    return rate_search.known_rate(configuration, any_cell(*labels), search), rate_search.search_digest(search)


def rates_file(configuration: "Configuration", cell: Cell) -> str:
    """The record of the search for the learning rate of a cell."""
    return _rates_file(configuration, *_labels(cell))


@lru_cache(maxsize=CACHED)
def _rates_file(configuration: "Configuration", *labels: str) -> str:
    model, size, method, budget = labels
    trials = rate_search.trial_cells(configuration, any_cell(*labels))
    texts = [pair_digest(configuration, pair) for pair in dict.fromkeys(trial.pair for trial in trials)]
    digest = digest_of(params(configuration, *labels), texts, model_name(configuration, model))
    return f"results/rates/{model}/{size}/{method}/{name_of(budget, digest)}.json"


def searches(configuration: "Configuration") -> list[str]:
    """Records of all searches for learning rates."""
    return [rates_file(configuration, any_cell(*labels)) for labels in studies.rate_classes(configuration)]


def files_of_each(
    base: Path, train: list[Path], dev: list[Path], *, dev_text: list[Path], subset: list[Path], start: list[Path]
) -> "list[TrainingFiles]":
    """Files of each pair of a group, or of each trial of a rate."""
    from mtpeft.training.finetune import CellInputs as TrainingFiles

    files = (train, dev, dev_text, subset, start or [None] * len(train))
    return [TrainingFiles(base, *own) for own in zip(*files, strict=True)]


def run(
    params: Params,
    *,
    base: Path,
    train: list[Path],
    dev: list[Path],
    dev_text: list[Path],
    subset: list[Path],
    start: list[Path],
    record: Path,
    devices: Devices,
    parent: Path | None = None,
) -> None:
    """Search for a learning rate by the dev score, on the pairs and seeds of `rate_search`."""

    def search_here() -> None:
        from mtpeft.training.attempt_log import search_state_of, starting

        with starting(search_state_of(record)):
            from mtpeft.training.rate_search import search_rate

        *labels, budget = record.with_suffix("").parts[-len(RATE_LABELS) :]
        named = dict(zip(RATE_LABELS, [*labels, label_of(budget)], strict=True))
        each = files_of_each(base, train, dev, dev_text=dev_text, subset=subset, start=start)
        started = [replace(own, parent=parent) for own in each]
        search_rate(params, labels=named, inputs=started, record=record, execution=devices.execution)

    devices.on_all(search_here)


def _registered(configuration: "Configuration", label: str) -> "Method":
    """The method of a label; the registry is loaded when it is asked, since `mtpeft --help` reads this module too."""
    from mtpeft.methods import method_for

    return method_for(configuration.methods[label])


STEP = Step(
    "search_rate",
    1,
    RATE_LABELS,
    params,
    run,
    inputs,
    record="results/rates/{model}/{size}/{method}/{budget}.json",
    starts_slowly=True,
)

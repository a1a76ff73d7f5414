"""Train a cell: `results/cells/<six labels>-<digest>/tuned/` and `train.json`.

The half-trained state lies beside them in `state/`, which no rule declares, since Snakemake deletes what a failed job
declared. The trainer resumes from it and removes it when it is done. The test set is no input.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.cells import ANY, DIMENSIONS, FIXED, Cell, digest_of
from mtpeft.config import metrics, sizes, start_from
from mtpeft.steps import search_rate
from mtpeft.steps.base_models import model_name
from mtpeft.steps.clean_pair import CACHED
from mtpeft.steps.decontaminate_pair import pair_digest
from mtpeft.steps.devices import Devices
from mtpeft.steps.search_rate import (
    files_of_each,
    needs_search,
    rate_params,
    rates_file,
    training_files,
    training_params,
)
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

UNTRAINED = ("none", "retrieval", "in_context")


def params(configuration: "Configuration", cell: Cell) -> Params:
    """Params of the training of a cell; a learning rate that has yet to be found is the digest of its search."""
    made = training_params(configuration, cell)
    if "optimisation" in made:
        made["optimisation"]["learning_rate"] = rate_params(configuration, cell)
    return made


def inputs(configuration: "Configuration", cell: Cell) -> Inputs:
    """The base model, token arrays and subsets of the cell's pairs, the search for its learning rate, its parent."""
    files = training_files(configuration, cell)
    if parent := start_from.parent_of(configuration, cell):
        files["parent"] = [f"{placed(configuration, parent).folder}/train.json"]
    return files | ({"rate": [rates_file(configuration, cell)]} if needs_search(configuration, cell) else {})


def placed(configuration: "Configuration", cell: Cell) -> Cell:
    """A cell with the digests that are in the names of its folders."""
    digest = digest_of({"seed": cell.seed}, _system_digest(configuration, *cell.labels[:-1], cell.seed == ANY))
    scored_with = metrics.metric_digests(configuration)
    return replace(cell, digest=digest, elsewhere=_elsewhere(configuration), scored_with=scored_with)


def all_placed(configuration: "Configuration", cells: Iterable[Cell]) -> list[Cell]:
    """Cells with the digests that are in the names of their folders."""
    return [placed(configuration, cell) for cell in cells]


@lru_cache(maxsize=CACHED)
def _system_digest(configuration: "Configuration", *labels: Any) -> str:
    """Digest of all that the cells of a system share, which have every label but the seed in common."""
    *named, seedless = labels
    cell = Cell(*named, seed=ANY if seedless else "0")
    own = params(configuration, cell)
    read: list[Any] = [pair_digest(configuration, pair) for pair in cell.members]
    read += [model_name(configuration, cell.model)] if cell.model != ANY else []
    if cell.size != ANY:
        read += [configuration.sizes[cell.size].pairs]
        read += [FIXED] if sizes.draw_of(configuration, cell) == FIXED and not seedless else []
    read += [rates_file(configuration, cell)] if needs_search(configuration, cell) else []
    if parent := start_from.parent_of(configuration, cell):
        read += [_system_digest(configuration, *parent.labels[:-1], parent.seed == ANY)]
    return digest_of({key: value for key, value in own.items() if key != "seed"}, read)


@lru_cache(maxsize=4)
def _elsewhere(configuration: "Configuration") -> Mapping[str, str]:
    """Digests of the pairs on which some study scores cells of other pairs."""
    pairs = sorted({pair for study in configuration.studies.values() for pair in study.also_score})
    return {pair: pair_digest(configuration, pair) for pair in pairs}


def run(
    params: Params,
    *,
    cell: Cell,
    train: list[Path],
    dev: list[Path],
    dev_text: list[Path],
    subset: list[Path],
    start: list[Path],
    record: Path,
    devices: Devices,
    base: Path | None = None,
    rate: Path | None = None,
    parent: Path | None = None,
) -> None:
    """Fine-tune a base model with a method at its budget."""
    if params["method"]["method"] in UNTRAINED:
        from mtpeft.training.untrained import record_untrained

        record_untrained(params, cell, base=base, subset=next(iter(subset), None), record=record)
        return

    def finetune_here() -> None:
        from mtpeft.training.attempt_log import starting, state_folder

        with starting(state_folder(record)):
            from mtpeft.training.finetune import finetune

        first, *others = files_of_each(base, train, dev, dev_text=dev_text, subset=subset, start=start)
        files = replace(first, others=tuple(others), parent=parent)
        finetune(params, cell, inputs=files, rate=rate, record=record, execution=devices.execution)

    devices.on_all(finetune_here)


STEP = Step(
    "train",
    search_rate.TRAIN_VERSION,
    DIMENSIONS,
    params,
    run,
    inputs,
    starts_slowly=True,
)

"""Decode the test sets of a cell: `hypotheses/<test set>.txt` and `decode.json`, here or in `others/<pair>/`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import ANY, DIMENSIONS, Cell
from mtpeft.config import corpora, decoding, methods
from mtpeft.steps.base_models import tokens_folder, train_text
from mtpeft.steps.cell_params import translation_params
from mtpeft.steps.choose_subset import subset_file
from mtpeft.steps.decontaminate_pair import references
from mtpeft.steps.devices import Devices
from mtpeft.steps.step import Inputs, Params, Step, by_stem

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", cell: Cell) -> Params:
    """Params of the decoding of a cell; `inference` is left out where it says nothing of this cell."""
    inference = decoding.inference_params(configuration, cell)
    return translation_params(configuration, cell) | ({"inference": inference} if inference else {})


def inputs(configuration: "Configuration", cell: Cell) -> Inputs:
    """Token arrays of the test sets; of a cell that looks things up their text, and the text where it does so."""
    if cell.model != ANY and not _reads_examples(configuration, cell):
        arrays = tokens_folder(configuration, cell.model, cell.pair)
        return {"tests": [f"{arrays}/{name}.safetensors" for name in corpora.test_sets(configuration, cell.pair)]}
    return {
        "tests": references(configuration, cell.pair),
        "memory": train_text(configuration, cell.pair),
        "subset": subset_file(configuration, cell, cell.pair),
    }


def _reads_examples(configuration: "Configuration", cell: Cell) -> bool:
    return configuration.methods[cell.method].method == methods.IN_CONTEXT


def run(
    params: Params,
    *,
    cell: Cell,
    trained: Path,
    tests: list[Path],
    record: Path,
    devices: Devices,
    memory: Path | None = None,
    subset: Path | None = None,
) -> None:
    """Translate the test sets with a trained cell."""
    from mtpeft.core.files import read_record
    from mtpeft.training.result_cache import evict

    evict(trained.parent / "state")
    train = read_record(trained)
    if train["status"] == "diverged":
        from mtpeft.decoding.retrieval import pass_divergence_on

        pass_divergence_on(params, cell, trained=trained, tests=by_stem(tests), record=record)
    elif memory and subset and train["params"]["method"]["method"] == methods.IN_CONTEXT:
        with devices.one_gpu():
            from mtpeft.decoding.decode import decode
            from mtpeft.decoding.examples import ExampleText

            examples = ExampleText(memory, subset)
            more = {"offload": devices.execution.offload, "examples": examples}
            decode(params, cell, trained=trained, tests=by_stem(tests), record=record, **more)
    elif memory and subset:
        from mtpeft.decoding.retrieval import retrieve

        retrieve(params, cell, trained=trained, memory=memory, subset=subset, tests=by_stem(tests), record=record)
    else:
        with devices.one_gpu():
            from mtpeft.decoding.decode import decode

            decode(
                params, cell, trained=trained, tests=by_stem(tests), record=record, offload=devices.execution.offload
            )


STEP = Step("decode", 2, DIMENSIONS, params, run, inputs, starts_slowly=True)

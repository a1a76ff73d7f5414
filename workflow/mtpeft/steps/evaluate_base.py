"""Evaluate an untouched base model on the dev set of a pair: `results/models/<model>-<digest>/start/<pair>.json`.

The record has its dev score, from which most methods start, and its first translations.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import ANY, Cell, digest_of, name_of
from mtpeft.steps.base_models import base_file, model_home, tokens_folder
from mtpeft.steps.cell_params import evaluation_params, translation_params
from mtpeft.steps.clean_pair import CACHED
from mtpeft.steps.decontaminate_pair import pair_digest, pair_folder
from mtpeft.steps.devices import Devices
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", model: str, pair: str) -> Params:
    """Params of the dev score of a base model."""
    return translation_params(configuration, Cell(model, pair, *[ANY] * 4)) | evaluation_params(configuration)


def inputs(configuration: "Configuration", model: str, pair: str) -> Inputs:
    """The base model, and the dev set as tokens and as text."""
    return {
        "base": base_file(configuration, model),
        "dev": f"{tokens_folder(configuration, model, pair)}/dev.safetensors",
        "dev-text": f"{pair_folder(configuration, pair)}/dev.tsv",
    }


@lru_cache(maxsize=CACHED)
def start_file(configuration: "Configuration", model: str, pair: str) -> str:
    """The dev score of a base model before any training."""
    digest = digest_of(params(configuration, model, pair), pair_digest(configuration, pair))
    return f"{model_home(configuration, model)}/start/{name_of(pair, digest)}.json"


def run(params: Params, *, base: Path, dev: Path, dev_text: Path, record: Path, devices: Devices) -> None:
    """Translate and score a dev set with an untouched base model; print its first translations."""
    with devices.one_gpu():
        from mtpeft.training.evaluate import evaluate_base

        evaluate_base(params, base=base, dev=dev, dev_text=dev_text, record=record, offload=devices.execution.offload)


STEP = Step(
    "evaluate_base",
    1,
    ("model", "pair"),
    params,
    run,
    inputs,
    record="results/models/{model}/start/{pair}.json",
    starts_slowly=True,
)

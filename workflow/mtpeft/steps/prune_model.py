"""Prune a base model, and heal it where that is asked for: `results/models/<model>-<digest>/pruned/`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import label_of
from mtpeft.steps.base_models import BASE_RECORD, base_file, comes_from, prune_params, tokens_folder
from mtpeft.steps.decontaminate_pair import pair_folder
from mtpeft.steps.devices import Devices
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def inputs(configuration: "Configuration", model: str) -> Inputs:
    """The model that is pruned, and the text that heals it, if any does, in the tokens of that model."""
    pruned = configuration.models[model].prune
    base = {"base": base_file(configuration, pruned.model)}
    if pruned.heal is None:
        return base
    arrays, text = tokens_folder(configuration, pruned.model, pruned.heal.pair), pruned.heal.pair
    return {
        **base,
        "train": f"{arrays}/pretrain.safetensors",
        "dev": f"{arrays}/dev.safetensors",
        "dev-text": f"{pair_folder(configuration, text)}/dev.tsv",
    }


def run(
    params: Params,
    *,
    base: Path,
    record: Path,
    devices: Devices,
    train: Path | None = None,
    dev: Path | None = None,
    dev_text: Path | None = None,
) -> None:
    """Take weights, neurons or heads out of another base model, and train what is left where `heal` says so."""
    if not (train and dev and dev_text):
        from mtpeft.models.derived.prune import prune_model

        prune_model(params, base=base, record=record)
        return

    def heal_here() -> None:
        from mtpeft.models.derived.prune import PRUNE, copy_pruned
        from mtpeft.training.heal import Cut, HealingInputs, heal

        key = f"models.{label_of(record.parent.name)}.prune.kind"

        def copy(folder: Path, target: Path) -> dict[str, int]:
            return copy_pruned(folder, target, kind=params["kind"], share=params["share"], key=key)

        inputs = HealingInputs(base=base, train=train, dev=dev, dev_text=dev_text)
        heal(params, Cut(PRUNE, copy), inputs=inputs, record=record, execution=devices.execution)

    devices.on_all(heal_here)


STEP = Step(
    "prune_model",
    1,
    ("model",),
    prune_params,
    run,
    inputs,
    record=BASE_RECORD,
    makes_it=comes_from("prune"),
    starts_slowly=True,
)

"""Drop layers of a base model and heal what is left: `results/models/<model>-<digest>/healed/`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.cells import label_of
from mtpeft.steps.base_models import BASE_RECORD, base_file, comes_from, drop_layers_params, tokens_folder
from mtpeft.steps.decontaminate_pair import pair_folder
from mtpeft.steps.devices import Devices
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def inputs(configuration: "Configuration", model: str) -> Inputs:
    """The model whose layers are dropped, and the text that heals it, in the tokens of that model."""
    dropped = configuration.models[model].drop_layers
    arrays, text = tokens_folder(configuration, dropped.model, dropped.heal.pair), dropped.heal.pair
    return {
        "base": base_file(configuration, dropped.model),
        "train": f"{arrays}/pretrain.safetensors",
        "dev": f"{arrays}/dev.safetensors",
        "dev-text": f"{pair_folder(configuration, text)}/dev.tsv",
    }


def run(params: Params, *, base: Path, train: Path, dev: Path, dev_text: Path, record: Path, devices: Devices) -> None:
    """Drop layers of another base model and train what is left; its state lies in an undeclared folder."""

    def heal_here() -> None:
        from mtpeft.models.derived.drop_layers import DROP_LAYERS, copy_with_layers
        from mtpeft.training.heal import Cut, HealingInputs, heal

        kept = {"encoder": params["encoder"], "decoder": params["decoder"]}
        key = f"models.{label_of(record.parent.name)}.drop_layers"

        def copy(folder: Path, target: Path) -> dict[str, Any]:
            copy_with_layers(folder, target, kept, key=key)
            return {}

        inputs = HealingInputs(base=base, train=train, dev=dev, dev_text=dev_text)
        heal(params, Cut(DROP_LAYERS, copy), inputs=inputs, record=record, execution=devices.execution)

    devices.on_all(heal_here)


STEP = Step(
    "drop_layers",
    1,
    ("model",),
    drop_layers_params,
    run,
    inputs,
    record=BASE_RECORD,
    makes_it=comes_from("drop_layers"),
    starts_slowly=True,
)

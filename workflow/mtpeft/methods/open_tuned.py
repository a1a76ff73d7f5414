"""Open the model that a cell has trained: its `tuned/` folder together with its base model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.core.files import read_record
from mtpeft.models.architecture import NEW_ENTRIES

if TYPE_CHECKING:
    from torch import nn

    from mtpeft.models.precision import BasePrecision


def open_tuned(base: Path, tuned: Path, precision: "BasePrecision | None" = None) -> "nn.Module":
    """Open the model that a cell's `tuned/` folder and its base model make together.

    A folder with an adapter_config.json is a peft folder, one with a config.json a whole model, an empty one the base;
    one with folders in it holds the stages of a method.

    Args:
        base: folder of the base model.
        tuned: folder that the training wrote.
        precision: of the base model in training, by default 32-bit floats.
    """
    from mtpeft.models.load import STAGE, load_base
    from mtpeft.models.precision import WHOLE

    held = precision or WHOLE
    if stages := sorted(tuned.glob(f"{STAGE}*"), key=lambda folder: int(folder.name.removeprefix(STAGE))):
        return _open_stages(base, tuned, stages, held)
    if (tuned / "adapter_config.json").exists():
        return with_adapter(load_base(base, held), tuned)
    return load_base(tuned) if (tuned / "config.json").exists() else load_base(base, held)


def with_adapter(model: "nn.Module", tuned: Path, **options: Any) -> "nn.Module":
    """Put the adapter of a peft folder into a base model; `options` are further ones of peft's `from_pretrained`."""
    from peft import PeftModel

    from mtpeft.methods.new_entries_adapter import split_new_entries

    if NEW_ENTRIES in (read_record(tuned / "adapter_config.json").get("modules_to_save") or ()):
        split_new_entries(model)
    return PeftModel.from_pretrained(model, tuned, local_files_only=True, **options)


def _open_stages(base: Path, tuned: Path, stages: Sequence[Path], precision: "BasePrecision") -> "nn.Module":
    from mtpeft.methods.staged_adapter import StagedModel
    from mtpeft.models.load import STAGED_BASE, load_base

    trained = tuned / STAGED_BASE
    model = StagedModel(load_base(trained) if trained.exists() else load_base(base, precision))
    for stage in stages:
        model.open(stage)
    return model

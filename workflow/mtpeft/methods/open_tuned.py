"""Open the model that a cell has trained: its `tuned/` folder together with its base model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.core.files import read_record
from mtpeft.models.architecture import NEW_ENTRIES

if TYPE_CHECKING:
    from torch import nn

    from mtpeft.core.provenance import Offload
    from mtpeft.models.precision import BasePrecision


def open_tuned(
    base: Path, tuned: Path, precision: "BasePrecision | None" = None, *, offload: "Offload | None" = None
) -> "nn.Module":
    """Open the model that a cell's `tuned/` folder and its base model make together.

    A folder with an adapter_config.json is a peft folder, one with a config.json a whole model, an empty one the base;
    one with folders in it holds the stages of a method.

    Args:
        base: folder of the base model.
        tuned: folder that the training wrote.
        precision: of the base model in training, by default 32-bit floats.
        offload: where the layers of the base model lie until they run.
    """
    from mtpeft.models.load import STAGE, load_base
    from mtpeft.models.precision import WHOLE

    held = precision or WHOLE
    if stages := sorted(tuned.glob(f"{STAGE}*"), key=lambda folder: int(folder.name.removeprefix(STAGE))):
        return _open_stages(base, tuned, stages, held, offload=offload)
    if (tuned / "adapter_config.json").exists():
        return with_adapter(load_base(base, held, offload=offload), tuned)
    if (tuned / "config.json").exists():
        return load_base(tuned, offload=offload)
    return load_base(base, held, offload=offload)


def with_adapter(model: "nn.Module", tuned: Path, **options: Any) -> "nn.Module":
    """Put the adapter of a peft folder into a base model; `options` are further ones of peft's `from_pretrained`."""
    from peft import PeftModel

    from mtpeft.methods.new_entries_adapter import split_new_entries
    from mtpeft.models.offload import in_main_memory

    if NEW_ENTRIES in (read_record(tuned / "adapter_config.json").get("modules_to_save") or ()):
        split_new_entries(model)
    with in_main_memory(model):
        return PeftModel.from_pretrained(model, tuned, local_files_only=True, **options)


def _open_stages(
    base: Path, tuned: Path, stages: Sequence[Path], precision: "BasePrecision", *, offload: "Offload | None"
) -> "nn.Module":
    from mtpeft.methods.staged_adapter import StagedModel
    from mtpeft.models.load import STAGED_BASE, load_base
    from mtpeft.models.offload import in_main_memory

    trained = tuned / STAGED_BASE
    own = load_base(trained, offload=offload) if trained.exists() else load_base(base, precision, offload=offload)
    model = StagedModel(own)
    with in_main_memory(own):
        for stage in stages:
            model.open(stage)
    return model

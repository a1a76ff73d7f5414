"""Take in a base model that lies in a Hugging Face folder: check it, and record its hashes."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.core.files import found_path
from mtpeft.steps.base_models import BASE_RECORD, comes_from, folder_params
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

PATTERNS = ("config.json", "*.safetensors", "*token*.json", "vocab*.json", "*.model", "*.spm", "chat_template.*")


def inputs(configuration: "Configuration", model: str) -> Inputs:
    """Files of the folder: when they change, so does what is trained from them."""
    folder = found_path(str(configuration.models[model].path))
    return {"files": sorted({str(file) for pattern in PATTERNS for file in folder.glob(pattern)})}


def run(params: Params, *, record: Path) -> None:
    """Check a local Hugging Face folder and record its hashes; the weights stay where they are."""
    from mtpeft.models.local import take_in_folder

    take_in_folder(params, record=record)


STEP = Step("take_in_model", 1, ("model",), folder_params, run, inputs, record=BASE_RECORD, makes_it=comes_from("path"))

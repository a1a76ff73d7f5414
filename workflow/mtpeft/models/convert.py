"""Turn a checkpoint of pickled tensors into safetensors, without running anything that the pickle says.

Several well-known translation models have no other weights on their main branch. A pickle is a program, so torch's
own reader is used, which knows tensors and plain containers and nothing else (`weights_only`).
"""

import pickle
import shutil
from pathlib import Path

from mtpeft.errors import UserError
from mtpeft.models.weights import LOGITS_BIAS, refuse_other_tensors
from mtpeft.records import sha256_of

PICKLED = "pytorch_model*.bin"


def convert_pickled(folder: Path, *, key: str) -> dict[str, str]:
    """Replace pickled weights of a model's folder by safetensors; returns the SHA-256 of each file that is gone.

    Raises:
        UserError: the pickle holds more than tensors, or not those of the model; names `key`.
    """
    pickled = sorted(folder.glob(PICKLED))
    if not pickled or any(folder.glob("*.safetensors")):
        return {}
    hashes = {file.name: sha256_of(file) for file in pickled}
    temporary = folder.with_name(f".{folder.name}.converted")
    shutil.rmtree(temporary, ignore_errors=True)
    _convert(folder, temporary, key=key)
    for file in sorted(temporary.glob("model*")):
        file.rename(folder / file.name)
    shutil.rmtree(temporary)
    for file in (*pickled, folder / "pytorch_model.bin.index.json"):
        file.unlink(missing_ok=True)
    return hashes


def _convert(folder: Path, to: Path, *, key: str) -> None:
    from transformers import AutoModelForSeq2SeqLM

    try:
        model, report = AutoModelForSeq2SeqLM.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=False,
            weights_only=True,
            dtype="auto",
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise UserError(
            f"'{key}': {PICKLED} in {folder} holds more than tensors, or is cut short, so it is not read "
            f"({str(error).splitlines()[0]}); name a model with safetensors."
        ) from error
    # Some checkpoints of families without this bias hold one that is zero.
    strange = {name for name in report["unexpected_keys"] if not name.endswith(LOGITS_BIAS)}
    refuse_other_tensors(model, {**report, "unexpected_keys": strange}, folder=folder, heads={})
    model.save_pretrained(to)

"""Load a model of COMET and score with it. This file runs in COMET's own environment."""

import os
import pickle
from functools import cache
from pathlib import Path
from typing import Any

PACKAGES = ("unbabel-comet", "torch", "transformers", "tokenizers", "pytorch-lightning", "numpy")


class FailedError(Exception):
    """A model can't be used; the message says why."""


def load(model: dict[str, Any]) -> Any:
    """The model of a record. COMET finds its encoder in the working folder."""
    checkpoint = Path(model["checkpoint"]).absolute()
    os.chdir(model["encoders"])
    return loaded(str(checkpoint))


@cache
def loaded(checkpoint: str) -> Any:
    """A model with all of its weights: COMET fills what a checkpoint lacks with random ones, and says nothing."""
    import comet
    import torch

    try:
        model = comet.load_from_checkpoint(checkpoint, local_files_only=True)
        weights = torch.load(checkpoint, weights_only=True, map_location="cpu", mmap=True)["state_dict"]
    except pickle.UnpicklingError:
        raise FailedError("it holds more than weights and plain values, and nothing else is unpickled") from None
    lacking = [name for name, _ in model.named_parameters() if name not in weights]
    if lacking:
        raise FailedError(f"it lacks weights, {len(lacking)} of them, such as {lacking[0]}")
    return model.eval()


def score(model: Any, samples: list[dict[str, str]], params: dict[str, Any]) -> list[float]:
    """Scores of sentences."""
    import torch

    torch.set_num_threads(params["threads"])
    gpus = int(torch.cuda.is_available())
    return model.predict(samples, batch_size=params["batch_size"], gpus=gpus, progress_bar=False, num_workers=0).scores

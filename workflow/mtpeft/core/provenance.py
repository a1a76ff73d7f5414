"""Provenance of results: machine, device, memory, versions. Recorded with every result; no result depends on it."""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

PACKAGES = ("torch", "transformers", "peft", "tokenizers", "sentencepiece", "sacrebleu", "safetensors", "numpy")


Offload = Literal["cpu", "disk"]
"""Where the layers of a base model lie that is larger than the device that it runs on."""
NOWHERE = "none"
"""In the place of it on a command line, where the model is on the device."""


@dataclass(frozen=True)
class Execution:
    """Options of running a training, which change results only by rounding and by the masks of dropout.

    Attributes:
        micro_batch_tokens: most padded tokens, on the longer side, of the parts that a batch is cut into, if it is.
        sharded: of a model that is trained whole each of several processes holds a shard.
        gradient_checkpointing: activations inside of layers are computed again for the gradient, not kept.
        offload: where the layers of the frozen base model lie; None where the model is on the device.
    """

    micro_batch_tokens: int | None = None
    sharded: bool = False
    gradient_checkpointing: bool = False
    offload: Offload | None = None


PLAIN = Execution()
"""Every batch whole."""


def versions(packages: Iterable[str] = PACKAGES, more: Iterable[str] = ()) -> dict[str, str]:
    """Versions of Python and of the packages that results depend on, `more` of them where a step needs more."""
    import importlib.metadata  # takes long, and most commands need no versions
    import platform

    names = (*packages, *more)
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in names}


def describe(device: str, threads: int) -> dict[str, Any]:
    """Describe the machine and the device of this process."""
    import platform
    import socket

    return {
        "device": device,
        "threads": threads,
        "host": socket.gethostname(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        **_gpus(device),
    }


def _gpus(device: str) -> dict[str, Any]:
    """The GPUs that this process sees, how many steps share them, and their name where torch runs in this process."""
    told = {"visible_gpus": os.environ.get(VISIBLE_VARIABLE), "cells_per_gpu": os.environ.get(SHARED_VARIABLE)}
    torch = sys.modules.get("torch")
    name = torch.cuda.get_device_name() if torch and device == "cuda" else None
    return {key: value for key, value in {**told, "gpu": name}.items() if value}


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far."""
    import resource

    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kilobytes / 1024, 1)


SHARED_VARIABLE = "MTPEFT_CELLS_PER_GPU"
"""Number of cells that share the GPU of a step, for its record."""


VISIBLE_VARIABLE = "CUDA_VISIBLE_DEVICES"

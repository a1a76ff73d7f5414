"""Load base models, and set up the device and the threads that they run on."""

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from torch import nn

from mtpeft.core import compat
from mtpeft.core.errors import UserError
from mtpeft.core.provenance import Offload
from mtpeft.models.families import family_of_config, read_json, read_shape
from mtpeft.models.offload import loading_map, offload_layers
from mtpeft.models.precision import (
    WHOLE,
    BasePrecision,
    keep_precision,
    loading_options,
    parameters_in,
    require_quantisation,
)
from mtpeft.models.weights import quiet_loading, read_heads, refuse_other_weights, weight_files

if TYPE_CHECKING:
    from transformers import PreTrainedModel


RANK_COUNT = ".ranknum."
"""In the names of AdaLoRA's parameters that hold the number of its ranks."""
STAGE = "stage"
"""Prefix of the name of a folder that holds a stage of a method, before its number."""
STAGED_BASE = "base"
"""Name of the folder that holds the base model, where stages train it as well."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of the parameters in glibc's malloc.h."""
MEGABYTE = 2**20


def prepare_torch(threads: int) -> torch.device:
    """Set torch's threads, and make its results deterministic; returns the device."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it CUDA's matrix products may differ
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # Otherwise torch fills every new tensor with NaN first, which takes a fifth of an update.
    torch.utils.deterministic.fill_uninitialized_memory = False
    keep_freed_memory()
    return device_here()


def device_here() -> torch.device:
    """Return the device that models run on."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def keep_freed_memory() -> None:
    """Have glibc keep the memory that tensors free for the next ones.

    By default it gives much of it back to the kernel, which fills the pages with zeros when the next tensor takes them:
    400 to 2,200 page faults in each update of the default study, and about a tenth of its time. See mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, 32 * MEGABYTE)
        mallopt(M_TRIM_THRESHOLD, 512 * MEGABYTE)


def load_base(
    folder: Path, precision: BasePrecision = WHOLE, *, offload: Offload | None = None, **overrides: Any
) -> "PreTrainedModel":
    """Load the model in a Hugging Face folder.

    A quantised model is on its device already.

    Args:
        folder: of the model.
        precision: of its weights.
        offload: where its layers lie until they run.
        overrides: keys of its config.json with other values.

    Raises:
        UserError: it can't be quantised here, or the weights in the folder are not all those of the model.
    """
    config = read_json(folder / "config.json")
    task, layers = family_of_config(config).task, read_shape(config).layers
    require_quantisation(precision, device_here())
    files = weight_files(folder, key=str(folder))
    try:
        with quiet_loading():
            model, report = task.auto_model().from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                **loading_options(precision),
                **(loading_map(offload, layers, config) if offload else {}),
                **overrides,
            )
    except (SafetensorError, OSError) as error:
        read_heads(files)  # says which file is broken
        raise UserError(f"The model in {folder} can't be opened: {error}") from error
    refuse_other_weights(model, report, folder)
    if "encoder" in task.stacks and getattr(model.config, "decoder_start_token_id", None) is None:
        model.config.decoder_start_token_id = model.generation_config.decoder_start_token_id
    keep_precision(model)
    for table in _sinusoids(model):
        table.requires_grad_(False)
    if offload:
        offload_layers(model, layers, heads=read_heads(files), device=device_here())
    return model


def random_model(config: Mapping[str, Any], *, seed: int, **overrides: Any) -> "PreTrainedModel":
    """Make a model of an architecture with random weights.

    Transformers ties the output projection of T5 and mT5 to the embeddings even where their configuration says that
    it is not.
    """
    from transformers import AutoConfig

    torch.manual_seed(seed)
    model = family_of_config(config).task.auto_model().from_config(AutoConfig.for_model(**{**config, **overrides}))
    output = model.get_output_embeddings()
    if not config.get("tie_word_embeddings", True) and output.weight is model.get_input_embeddings().weight:
        output.weight = nn.Parameter(torch.randn_like(output.weight) / output.in_features**0.5)
    return model


def parameters(model: nn.Module) -> tuple[int, int]:
    """Count all parameters and the trainable ones.

    Tied weights are counted once, and quantised weights as the numbers that they stand for. Tables of sinusoids and
    AdaLoRA's numbers of ranks, which are parameters for torch but are not learnt, are not counted.
    """
    fixed = {id(parameter) for table in _sinusoids(model) for parameter in table.parameters()}
    counts = ((name, parameter) for name, parameter in model.named_parameters() if RANK_COUNT in name)
    fixed |= {id(parameter) for _, parameter in counts if not parameter.requires_grad}
    unique = {id(x): x for x in model.parameters() if id(x) not in fixed}.values()
    return sum(map(parameters_in, unique)), sum(parameters_in(x) for x in unique if x.requires_grad)


def _sinusoids(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if compat.is_sinusoidal(module)]

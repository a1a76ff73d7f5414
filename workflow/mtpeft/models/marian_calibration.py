"""The largest inputs of the matrices of a model on some text, by which an engine of int8 scales its activations."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from mtpeft.models.marian_conversion import weight_names
from mtpeft.models.marian_files import EMBEDDINGS

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@torch.inference_mode()
def largest_activations(model: "PreTrainedModel", batches: Iterable[Mapping[str, torch.Tensor]]) -> dict[str, float]:
    """Return the largest absolute value of the inputs of each matrix, by Marian's names of them.

    The inputs of the output projection stand under the name of the embeddings, to which it is tied.

    Args:
        model: Marian or a student of transformers, in evaluation mode.
        batches: its inputs, without padding.
    """
    largest: dict[str, float] = defaultdict(float)

    def note(name: str, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        largest[name] = max(largest[name], float(inputs[0].abs().max()))

    named = weight_names(model.config.to_dict(), is_student=model.config.model_type == "student")
    modules = {own.ours.removesuffix(".weight"): own.marian for own in named if own.is_matrix} | {"lm_head": EMBEDDINGS}
    hooks = [
        model.get_submodule(module).register_forward_pre_hook(partial(note, marian))
        for module, marian in modules.items()
    ]
    try:
        for batch in batches:
            model(**batch)
    finally:
        for hook in hooks:
            hook.remove()
    return dict(largest)

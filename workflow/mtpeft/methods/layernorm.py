"""Layer norms: their weights, their biases or both, alone or with the biases of linear layers.

Üstün & Cooper Stickland 2022 (arXiv 2205.11277) improve BitFit with the weights of layer norms: `with_biases: true`.
Layer norms alone are tuned by Zhao et al. 2023 (arXiv 2312.11420) later.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mtpeft.core.section import later
from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.methods.bitfit import linear_bias_sites
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn

WEIGHT, BIAS = "weight", "bias"
PIECES: Mapping[str, Sequence[str]] = {"weights": (WEIGHT,), "biases": (BIAS,), "both": (WEIGHT, BIAS)}
"""Pieces of a layer norm that are trained, by the option that asks for them."""


class LayerNormOptions(TrainedMethodOptions):
    """`method: layernorm`."""

    method: Literal["layernorm"]
    train: Literal["weights", "biases", "both"] = later("both", description="What of each layer norm is trained.")
    with_biases: bool = later(
        False,
        description="Train the biases of linear layers as well: BitFit improved with layer norms.",
    )


def _pieces(options: Mapping[str, Any]) -> Sequence[str]:
    return PIECES[options.get("train", "both")]


def norm_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """Every layer norm: its weight (d) and its bias (d), as far as they are trained and there; biases of linear layers
    but the keys' where they are asked for.
    """
    pieces = _pieces(options)
    norms = [(norm.module, norm.width * ((WEIGHT in pieces) + (BIAS in pieces and norm.bias))) for norm in shape.norms]
    biases = linear_bias_sites(shape) if options.get("with_biases") else ()
    return [*(Site.of_one_size(module, cost) for module, cost in norms if cost), *biases]


def train_norms(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Put a copy that is trained in the place of what is trained of every layer norm, and of biases."""
    import torch
    from peft import LNTuningConfig, get_peft_model

    from mtpeft.methods.copies_adapter import CopiesConfig
    from mtpeft.methods.layernorm_adapter import WideNormConfig

    if options.get("with_biases") or options.get("train", "both") != "both":
        norms = {module for module in sizes if not isinstance(model.get_submodule(module), torch.nn.Linear)}
        pieces = {module: list(_pieces(options)) if module in norms else [BIAS] for module in sizes}
        config = CopiesConfig(task_type="SEQ_2_SEQ_LM", target_modules=list(sizes), pieces=pieces)
        return get_peft_model(model, config)
    # Peft's own type where it serves, so that the folder opens without this package.
    kind = LNTuningConfig if model.dtype == torch.float32 else WideNormConfig
    return get_peft_model(model, kind(task_type="SEQ_2_SEQ_LM", target_modules=list(sizes)))


LAYERNORM = Method(
    options=LayerNormOptions,
    paper="Üstün & Cooper Stickland 2022, When does Parameter-Efficient Transfer Learning Work for Machine "
    "Translation? (arXiv 2205.11277), beside biases; alone: Zhao et al. 2023 (arXiv 2312.11420).",
    places="layer norms, and biases of linear layers if asked for",
    mergeable=True,
    trains="point",
    sites=norm_sites,
    apply=train_norms,
    starts_as_base=True,
)

"""Layer norms: their weights, their biases or both, alone or with the biases of linear layers.

Üstün & Cooper Stickland 2022 (arXiv 2205.11277) improve BitFit with the weights of layer norms: `with_biases: true`.
Layer norms alone are tuned by Zhao et al. 2023 (arXiv 2312.11420) later.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from mtpeft.core.section import later
from mtpeft.methods.base import Method, ModuleSizes, TargetModule, TrainedMethodOptions
from mtpeft.methods.bitfit import linear_bias_targets
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


def norm_targets(shape: ModelShape, options: LayerNormOptions) -> Sequence[TargetModule]:
    """Count the weight (d) and the bias (d) of every layer norm, as far as they are trained and there.

    The biases of linear layers but the keys' are counted, too, where they are asked for.
    """
    pieces = PIECES[options.train]
    norms = [(norm.module, norm.width * ((WEIGHT in pieces) + (BIAS in pieces and norm.bias))) for norm in shape.norms]
    biases = linear_bias_targets(shape) if options.with_biases else ()
    return [*(TargetModule.fixed(module, cost) for module, cost in norms if cost), *biases]


def train_norms(model: "nn.Module", sizes: ModuleSizes, options: LayerNormOptions) -> "nn.Module":
    """Put a copy that is trained in the place of what is trained of every layer norm, and of biases."""
    import torch
    from peft import LNTuningConfig

    from mtpeft.methods.base_adapter import insert_adapter
    from mtpeft.methods.layernorm_adapter import WideNormConfig
    from mtpeft.methods.part_adapter import CopiesConfig

    if options.with_biases or options.train != "both":
        norms = {module for module in sizes if not isinstance(model.get_submodule(module), torch.nn.Linear)}
        pieces = {module: list(PIECES[options.train]) if module in norms else [BIAS] for module in sizes}
        return insert_adapter(model, CopiesConfig, sizes, pieces=pieces)
    # Peft's own type where it serves, so that the folder opens without this package.
    return insert_adapter(model, LNTuningConfig if model.dtype == torch.float32 else WideNormConfig, sizes)


LAYERNORM = Method(
    options=LayerNormOptions,
    paper="Üstün & Cooper Stickland 2022, When does Parameter-Efficient Transfer Learning Work for Machine "
    "Translation? (arXiv 2205.11277), beside biases; alone: Zhao et al. 2023 (arXiv 2312.11420).",
    where="layer norms, and biases of linear layers if asked for",
    mergeable=True,
    trains="fixed",
    target_modules=norm_targets,
    apply=train_norms,
    starts_as_base=True,
)

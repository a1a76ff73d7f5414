"""Layer norms alone (Zhao et al. 2023, arXiv 2312.11420), through peft's LN_TUNING."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.models.shapes import ModelShape

if TYPE_CHECKING:
    from torch import nn


class LayerNormOptions(TrainedMethodOptions):
    """`tuner: layernorm`."""

    tuner: Literal["layernorm"]


def norm_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """Every layer norm: its weight (d) and, where it has one, its bias (d)."""
    return [Site.of_one_size(norm.module, norm.parameters) for norm in shape.norms]


def train_norms(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Put a copy that is trained in the place of every layer norm."""
    import torch
    from peft import LNTuningConfig, get_peft_model

    from mtpeft.tuners.wide_norm import WideNormConfig

    # Peft's own type where it serves, so that the folder opens without this package.
    config = LNTuningConfig if model.dtype == torch.float32 else WideNormConfig
    return get_peft_model(model, config(task_type="SEQ_2_SEQ_LM", target_modules=list(sizes)))


LAYERNORM = Method(
    options=LayerNormOptions,
    paper="Zhao et al. 2023, Tuning LayerNorm in Attention (arXiv 2312.11420).",
    places="layer norms",
    mergeable=True,
    trains="point",
    sites=norm_sites,
    apply=train_norms,
    starts_as_base=True,
)

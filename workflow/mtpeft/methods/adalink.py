"""A low-rank residual on the source's embeddings (AdaLink, Wang et al. 2023, arXiv 2310.12100)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtpeft.methods.base import Method, ModuleSizes, TargetModule, TrainedMethodOptions
from mtpeft.methods.prompt import encoder_of
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn


class AdaLinkOptions(TrainedMethodOptions):
    """`method: adalink`."""

    method: Literal["adalink"]


def adalink_targets(shape: ModelShape, options: AdaLinkOptions) -> Sequence[TargetModule]:
    """Count d x rank down and rank x d up, between the encoder's embeddings and its first layer, if there is one."""
    if "encoder" not in shape.task.stacks:
        return []
    return [TargetModule(module=encoder_of(shape), base=0, per_size=2 * shape.d_model, max_size=shape.d_model)]


def insert_adalink(model: "nn.Module", sizes: ModuleSizes, options: AdaLinkOptions) -> "nn.Module":
    """Let the encoder read its embeddings through a residual that changes nothing at first."""
    from mtpeft.methods.adalink_adapter import AdaLinkConfig
    from mtpeft.methods.base_adapter import insert_adapter

    ((encoder, rank),) = sizes.items()
    return insert_adapter(model, AdaLinkConfig, [encoder], rank=rank)


ADALINK = Method(
    options=AdaLinkOptions,
    paper="Wang et al. 2023, Non-Intrusive Adaptation: Input-Centric Parameter-efficient Fine-Tuning for Versatile "
    "Multimodal Modeling (arXiv 2310.12100).",
    where="on the source's embeddings",
    trains="budgeted",
    size_name="rank",
    target_modules=adalink_targets,
    apply=insert_adalink,
    starts_as_base=True,
)

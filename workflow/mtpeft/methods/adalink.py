"""A low-rank residual on the source's embeddings (AdaLink, Wang et al. 2023, arXiv 2310.12100)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.methods.prompt import encoder_of
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn


class AdaLinkOptions(TrainedMethodOptions):
    """`method: adalink`."""

    method: Literal["adalink"]


def link_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """Between the encoder's embeddings and its first layer: d x rank down, rank x d up."""
    return [Site(module=encoder_of(shape), fixed=0, step=2 * shape.d_model, most=shape.d_model)]


def insert_link(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Let the encoder read its embeddings through a link that changes nothing at first."""
    from peft import get_peft_model

    from mtpeft.methods.adalink_adapter import AdaLinkConfig

    ((encoder, rank),) = sizes.items()
    return get_peft_model(model, AdaLinkConfig(task_type="SEQ_2_SEQ_LM", target_modules=[encoder], rank=rank))


ADALINK = Method(
    options=AdaLinkOptions,
    paper="Wang et al. 2023, Non-Intrusive Adaptation: Input-Centric Parameter-efficient Fine-Tuning for Versatile "
    "Multimodal Modeling (arXiv 2310.12100).",
    places="on the source's embeddings",
    trains="sized",
    size_name="rank",
    sites=link_sites,
    apply=insert_link,
    starts_as_base=True,
)

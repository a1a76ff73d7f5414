"""Scale and shift what linear layers and layer norms put out (SSF, Lian et al. 2022, arXiv 2210.08823).

A shift stands where the base has a bias that it can be merged into, so T5 and mT5 are scaled only. The shift of keys is
left out: it adds the same to all scores of a query, and softmax takes it away again.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn


class SsfOptions(TrainedMethodOptions):
    """`method: ssf`."""

    method: Literal["ssf"]


def scale_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """Behind every linear layer and layer norm: a scale and, but for keys, where there is a bias a shift."""
    return [
        *(Site.of_one_size(x.module, x.outputs * (1 + (x.bias and x.role != "key"))) for x in shape.linears),
        *(Site.of_one_size(norm.module, norm.parameters) for norm in shape.norms),
    ]


def insert_scales(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Give the named modules a scale of one and a shift of zero."""
    from peft import get_peft_model

    from mtpeft.methods.ssf_adapter import SsfConfig

    return get_peft_model(model, SsfConfig(task_type="SEQ_2_SEQ_LM", target_modules=list(sizes)))


SSF = Method(
    options=SsfOptions,
    paper="Lian et al. 2022, Scaling & Shifting Your Features (arXiv 2210.08823).",
    places="behind linear layers and layer norms",
    mergeable=True,
    trains="point",
    sites=scale_sites,
    apply=insert_scales,
    starts_as_base=True,
)

"""Tuners of peft that have no size."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mtpeft.methods.base import Method, Site
from mtpeft.methods.peft.row import Keys, Options, PeftTuner, method_of_one_size
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn

CLOSING = ("fc2", "wo")
"""Names of the linear layer that closes a feed-forward block."""
LARGEST_GROUP = 64
PER_OUTPUT = {"road_1": 1, "road_2": 2, "road_4": 4}


def _scale_sites(shape: ModelShape, options: Options) -> Sequence[Site]:
    """A factor for each output of keys and values, and for each input of what closes a feed-forward block."""
    scaled = [Site.of_one_size(x.module, x.outputs) for x in shape.linears if x.role in ("key", "value")]
    return [*scaled, *(Site.of_one_size(x.module, x.inputs) for x in shape.linears if x.module.endswith(CLOSING))]


def _feed_forward(model: "nn.Module", modules: Sequence[str], options: Options) -> Keys:
    return {"feedforward_modules": [module for module in modules if module.endswith(CLOSING)]}


def _turn_sites(shape: ModelShape, options: Options) -> Sequence[Site]:
    """An angle and a length for each pair of outputs; the variants have one for each output, or two."""
    return [Site.of_one_size(x.module, PER_OUTPUT[options["variant"]] * x.outputs) for x in shape.linears]


def _group(model: "nn.Module", modules: Sequence[str], options: Options) -> Keys:
    widths = [model.get_submodule(module).out_features for module in modules]
    return {"variant": options["variant"], "group_size": math.gcd(LARGEST_GROUP, *widths)}


def _shift_sites(shape: ModelShape, options: Options) -> Sequence[Site]:
    """A bias of the values, which the paper finds to bring most."""
    return [Site.of_one_size(x.module, x.outputs) for x in shape.linears if x.role == "value"]


POINTS: tuple[Method, ...] = (
    method_of_one_size(
        PeftTuner(
            name="IA3",
            paper="Liu et al. 2022, Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context "
            "Learning (arXiv 2205.05638).",
            places="keys, values, feed-forward blocks",
            more={"decays": {"ia3_l": False}},
        ),
        _scale_sites,
        _feed_forward,
    ),
    method_of_one_size(
        PeftTuner(
            name="ROAD",
            paper="Liao & Monz 2024, 3-in-1: 2D Rotary Adaptation for Efficient Finetuning, Efficient Batching and "
            "Composability (arXiv 2409.00119).",
            options={
                "variant": (
                    Literal["road_1", "road_2", "road_4"],
                    Field(default="road_1", description="Trained numbers for each output."),
                )
            },
            places="after each linear layer",
        ),
        _turn_sites,
        _group,
    ),
    method_of_one_size(
        PeftTuner(
            name="BEFT",
            paper="Huang et al. 2025, BEFT: Bias-Efficient Fine-Tuning of Language Models (arXiv 2509.15974).",
            places="biases of values",
            mergeable=False,  # T5 has no biases to write them into
        ),
        _shift_sites,
    ),
)

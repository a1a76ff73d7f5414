"""Tuners of peft that have one size only."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mtpeft.methods.base import Method, TargetModule
from mtpeft.methods.peft.tuner import Keys, Options, PeftTuner, method_of_one_size
from mtpeft.models.architecture import ModelShape
from mtpeft.models.families.module_names import is_last_of_block

if TYPE_CHECKING:
    from torch import nn

LARGEST_GROUP = 64
PER_OUTPUT = {"road_1": 1, "road_2": 2, "road_4": 4}


def _scale_targets(shape: ModelShape, options: Options) -> Sequence[TargetModule]:
    """Count a factor for each output of keys and values, and for each input of what closes a feed-forward block."""
    scaled = [TargetModule.fixed(x.module, x.outputs) for x in shape.linears if x.role in ("key", "value")]
    return [*scaled, *(TargetModule.fixed(x.module, x.inputs) for x in shape.linears if is_last_of_block(x.module))]


def _feed_forward(model: "nn.Module", modules: Sequence[str], options: Options) -> Keys:
    return {"feedforward_modules": [module for module in modules if is_last_of_block(module)]}


def _turn_targets(shape: ModelShape, options: Options) -> Sequence[TargetModule]:
    """Count an angle and a length for each pair of outputs; the variants have one for each output, or two."""
    return [TargetModule.fixed(x.module, PER_OUTPUT[options.variant] * x.outputs) for x in shape.linears]


def _group(model: "nn.Module", modules: Sequence[str], options: Options) -> Keys:
    widths = [model.get_submodule(module).out_features for module in modules]
    return {"variant": options.variant, "group_size": math.gcd(LARGEST_GROUP, *widths)}


def _shift_targets(shape: ModelShape, options: Options) -> Sequence[TargetModule]:
    """Count a bias of the values, which the paper finds to bring most."""
    return [TargetModule.fixed(x.module, x.outputs) for x in shape.linears if x.role == "value"]


METHODS: tuple[Method, ...] = (
    method_of_one_size(
        PeftTuner(
            name="IA3",
            paper="Liu et al. 2022, Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context "
            "Learning (arXiv 2205.05638).",
            where="keys, values, feed-forward blocks",
            more={"decays": {"ia3_l": False}},
        ),
        _scale_targets,
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
            where="after each linear layer",
        ),
        _turn_targets,
        _group,
    ),
    method_of_one_size(
        PeftTuner(
            name="BEFT",
            paper="Huang et al. 2025, BEFT: Bias-Efficient Fine-Tuning of Language Models (arXiv 2509.15974).",
            where="biases of values",
            mergeable=False,  # T5 has no biases to write them into
        ),
        _shift_targets,
    ),
)

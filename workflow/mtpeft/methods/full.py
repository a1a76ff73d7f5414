"""Full fine-tuning, of the base model or of the same architecture from random weights."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from mtpeft.methods.base import Method, MethodOptions, ModuleSizes, TrainedMethodOptions

if TYPE_CHECKING:
    from torch import nn


class FullOptions(TrainedMethodOptions):
    """`method: full`."""

    method: Literal["full"]


class ScratchOptions(TrainedMethodOptions):
    """`method: scratch`: trained until the dev score stops improving, or for `longer` times the updates of the size."""

    method: Literal["scratch"]
    longer: PositiveInt = Field(default=4, description="At most so many times the updates of the size.")
    patience: PositiveInt = Field(default=3, description="Evaluations without a better dev score before it stops.")


def train_everything(model: "nn.Module", sizes: ModuleSizes, options: MethodOptions) -> "nn.Module":
    """Return the model as it was loaded, whose parameters all receive gradients but those that are never learnt."""
    return model


FULL = Method(
    options=FullOptions,
    paper="Baseline of Üstün & Cooper Stickland 2022 (arXiv 2205.11277).",
    where="everything",
    trains="full",
    trains_base=True,
    apply=train_everything,
    starts_as_base=True,
)

SCRATCH = Method(
    options=ScratchOptions,
    paper="Reference: what the fine-tuning data alone can teach.",
    where="everything",
    trains="full",
    trains_base=True,
    apply=train_everything,
    from_scratch=True,
)

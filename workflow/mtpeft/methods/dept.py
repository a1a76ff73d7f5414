"""A short prompt and a low-rank update of the source's embeddings by position (DePT, Shi & Lipani 2023).

The paper (arXiv 2309.05173) gives the parameters of a prompt of l tokens to one of m tokens and to two matrices of rank
r, of which the first has a row for each of s positions: l d = m d + (s + d) r. Prompt and matrices are trained at
different rates. Here m and s are options, and the budget says r. All s rows count, though a row learns nothing unless
a source is as long: `max_length` should not be far above the longest source.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from mtpeft.methods.base import Method, ModuleSizes, TargetModule, TrainedMethodOptions
from mtpeft.methods.prompt import both_sides, encoder_of, longest_prompt
from mtpeft.models.architecture import ModelShape
from mtpeft.models.families import read_shape

if TYPE_CHECKING:
    from torch import nn

LOW_RANK = "prompt_shift_"
"""In the names of the two matrices."""


class DeptOptions(TrainedMethodOptions):
    """`method: dept`; its learning rate is that of the prompt."""

    method: Literal["dept"]
    prompt_tokens: PositiveInt = Field(
        default=40, description="Vectors before the source, at most half of the model's positions."
    )
    max_length: PositiveInt = Field(
        default=256, description="Source tokens whose embeddings are updated, at most as many as the prompt leaves."
    )
    low_rank_rate: PositiveFloat = Field(
        default=0.01, description="Learning rate of the update, in multiples of the prompt's."
    )


def _lengths(shape: ModelShape, options: DeptOptions) -> tuple[int, int]:
    """Return the tokens of the prompt and of the source that is updated, as far as the model has positions."""
    tokens = min(options.prompt_tokens, longest_prompt(shape))
    return tokens, min(options.max_length, shape.max_positions - tokens)


def dept_targets(shape: ModelShape, options: DeptOptions) -> Sequence[TargetModule]:
    """Count the prompt before the source (tokens x d), and the update: rank x (positions + d)."""
    tokens, positions = _lengths(shape, options)
    d = shape.d_model
    return [TargetModule(module=encoder_of(shape), base=tokens * d, per_size=positions + d, max_size=min(positions, d))]


def insert_dept(model: "nn.Module", sizes: ModuleSizes, options: DeptOptions) -> "nn.Module":
    """Put a prompt of words before the encoder's input, and an update that changes nothing at first."""
    from mtpeft.methods.base_adapter import insert_adapter
    from mtpeft.methods.dept_adapter import DeptConfig

    ((encoder, rank),) = sizes.items()
    tokens, positions = _lengths(read_shape(model.config.to_dict()), options)
    return insert_adapter(model, DeptConfig, both_sides(encoder), tokens=tokens, positions=positions, rank=rank)


DEPT = Method(
    options=DeptOptions,
    paper="Shi & Lipani 2023, DePT: Decomposed Prompt Tuning for Parameter-Efficient Fine-tuning (arXiv 2309.05173).",
    where="before the source and on its embeddings",
    trains="budgeted",
    size_name="rank",
    target_modules=dept_targets,
    apply=insert_dept,
    rate_factor=lambda name, options: options.low_rank_rate if LOW_RANK in name else 1.0,
)

"""Options of training, decoding and precision, which the configuration and the engine share.

The configuration validates what a user writes with these types, and its params hold them as plain values. The engine
parses the params with the same types again: so every key and every default stands once. They lie below both because
the engine imports no configuration, and the configuration no torch.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt

from mtpeft.core.section import Section, later
from mtpeft.core.value_types import Probability

ComputingPrecision = Literal["float32", "tf32", "bf16"]
"""Numbers that matrices are multiplied in: 32-bit floats, TF32 or bfloat16; weights stay 32-bit floats."""
PRECISIONS = (
    "'tf32' rounds their factors to 10 bits of mantissa (on GPUs), 'bf16' to 7 (by autocast, on GPUs and on "
    "processors that have instructions for it); weights and the optimizer's state stay 32-bit floats."
)


class TrainingOptions(Section):
    """The section `training`: fine-tuning, the same for all methods."""

    batch_tokens: PositiveInt = Field(default=512, description="Padded tokens of a batch, on its longer side.")
    label_smoothing: Probability = 0.1
    dropout: Probability = 0.1
    warmup: Probability = Field(default=0.1, description="Share of the updates in which the rate rises.")
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip_norm: PositiveFloat = Field(default=1.0, description="Largest norm of a gradient.")
    temperature: Annotated[float, Field(ge=1)] = Field(
        default=1.0,
        description="Temperature of sampling among the pairs of a group: the share of a pair with n sentence pairs is "
        "in proportion to n^(1/temperature). 1 is proportional to n; higher is more uniform.",
    )
    evaluations: PositiveInt = Field(default=3, description="Times that the dev set is decoded, step 0 not counted.")
    patience: PositiveInt | None = later(
        None,
        description="Evaluations in a row without a better dev score after which a training stops early. Empty: never.",
    )
    precision: ComputingPrecision = later(
        "float32", description=f"Floats in which matrices are multiplied in training. {PRECISIONS}"
    )


class Optimisation(TrainingOptions):
    """`optimisation` in the params of a training: the options of all cells, and what is the cell's own.

    Attributes:
        updates: optimiser steps, of the cell's size.
        learning_rate: peak rate; or `{"search": digest}` where a search finds it, whose record is an input of the
            training; None in the params of a search, which tries several.
        decayed: `matrices` where weight decay is on; in an earlier version it covered all parameters.
    """

    updates: PositiveInt
    learning_rate: PositiveFloat | dict[str, str] | None = None
    decayed: Literal["matrices"] | None = later(None)


class DecodingOptions(Section):
    """The search for hypotheses, the same for every cell, in its training too; `search` in params."""

    beam_size: PositiveInt = Field(default=1, le=100, description="Beam size; 1 is greedy search.")
    length_penalty: float = Field(default=1.0, description="Exponent of the length in a beam hypothesis's score.")
    max_length_ratio: PositiveFloat = Field(
        default=2.0, le=100, description="Hypotheses have at most this many tokens per source token, plus 10."
    )

    precision: ComputingPrecision = later(
        "float32", description=f"Floats in which matrices are multiplied in decoding. {PRECISIONS}"
    )


class EvaluationOptions(Section):
    """The section `evaluation`: how the dev set is read during training, the same for all methods."""

    sentences: PositiveInt | None = later(
        None,
        description="Sentences of the dev set that are translated at each evaluation; a smaller number takes a part of "
        "those of a larger one. Empty: all.",
    )
    beam_size: PositiveInt | None = later(
        None, le=100, description="Beam size at each evaluation. Empty: that of `decoding`."
    )


class InferenceOptions(Section):
    """What computes the hypotheses of test sets; `inference` in the params of decoding alone."""

    merged: bool = later(
        False,
        description="Translate the test sets with the method merged into the base model, which takes less time. "
        "Results are the same but for rounding. Bases with `quantised` or `precision: bfloat16` are not merged, nor "
        "are methods that can't be, nor those with parameters for each language: their cells are decoded as ever.",
    )
    engine: Literal["torch", "ctranslate2"] = later(
        "torch",
        description="Engine that translates the test sets. 'ctranslate2' takes less time on a CPU, and reads merged "
        "models alone, no students; it needs envs/ctranslate2.txt. Its greedy search finds the same, its beam search "
        "ends otherwise.",
    )
    quantised: Literal[8] | None = later(
        None,
        description="With CTranslate2, bits of a weight of linear layers and embeddings; products are of 8-bit "
        "integers, too. Empty: 32-bit floats.",
    )

    @property
    def without_adapters(self) -> bool:
        """Whether a method has to be merged into its base model, where it is beside it."""
        return self.merged or self.engine == "ctranslate2"

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages that results depend on besides those of all results."""
        return ("ctranslate2",) if self.engine == "ctranslate2" else ()

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The options among the params of a job."""
        return cls.model_validate(params.get("inference", {}))


class PrecisionOptions(Section):
    """Keys of `models.<label>` for the precision of the base weights, where a method trains beside them."""

    quantised: Literal[8, 4] | None = later(
        None,
        description="Bits of a weight of the linear layers, by bitsandbytes; the base stays frozen. Empty: all 32.",
    )
    precision: Literal["float32", "bfloat16"] = later(
        "float32",
        description="Floating-point type of the base model's weights and computations; with 'bfloat16', which is meant "
        "for GPUs, the base model stays frozen.",
    )

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The options among the params of a job."""
        return cls.model_validate({key: params[key] for key in cls.model_fields if key in params})

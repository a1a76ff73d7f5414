"""In-context learning: examples from the training text stand before each source, and nothing is trained.

For an encoder-decoder model the targets of similar training sources stand before the source, as fuzzy matches of a
translation memory do (Bulte & Tezcan 2019, Neural Fuzzy Repair, ACL 2019). T-Few (Liu et al. 2022, arXiv 2205.05638)
compares fine-tuning with in-context learning in quality and in cost.
"""

from typing import Literal

from pydantic import Field, NonNegativeInt

from mtpeft.methods.base import Method, MethodOptions


class InContextOptions(MethodOptions):
    """`method: in_context`: the untouched base model, which reads examples before each source."""

    method: Literal["in_context"]
    shots: NonNegativeInt = Field(default=1, description="Sentence pairs of the training subset before each source.")
    choose: Literal["nearest", "random"] = Field(
        default="nearest",
        description="`nearest`: those whose sources are most similar by character 4-grams, the most similar last; "
        "`random`: the same ones before all sources, drawn with the seed.",
    )


IN_CONTEXT = Method(
    options=InContextOptions,
    paper="Reference: in-context learning, with fuzzy matches before the source (Bulte & Tezcan 2019); compared with "
    "fine-tuning by Liu et al. 2022 (arXiv 2205.05638).",
    trains="none",
    ignores=("budget",),
)

"""Reference rows that train nothing."""

from typing import Literal

from mtpeft.methods.base import Method, MethodOptions


class NoneOptions(MethodOptions):
    """`method: none`: the untouched base model."""

    method: Literal["none"]


class RetrievalOptions(MethodOptions):
    """`method: retrieval`: the target of the training source that is nearest to the test source."""

    method: Literal["retrieval"]


NONE = Method(
    options=NoneOptions,
    paper="Reference: what pre-training alone can do.",
    trains="none",
    ignores=("size", "budget", "seed"),
)

RETRIEVAL = Method(
    options=RetrievalOptions,
    paper="Reference: translation memory, the target of the nearest training source by character 4-grams.",
    trains="none",
    ignores=("model", "budget", "seed"),
)

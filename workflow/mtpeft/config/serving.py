"""The section `serving`: how tuned models are served, and what that costs them; `figure: serving` shows it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PositiveInt

from mtpeft.cells import JOIN
from mtpeft.config.figures import SERVING_TABLE, needs_table
from mtpeft.config.messages import named_twice
from mtpeft.config.methods import IN_CONTEXT
from mtpeft.config.model_shapes import model_shape
from mtpeft.core.section import Section, plain
from mtpeft.models.feed_forward import Router, reason_against_experts

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

RETRIEVAL = "retrieval"


class Moe(Section):
    """Feed-forward blocks as experts, of which a router chooses some for each token (MoEfication)."""

    experts: int = Field(
        default=32, ge=2, le=4096, description="Experts of a feed-forward block, whose hidden units they share evenly."
    )
    active: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        default=[1.0, 0.5, 0.25],
        min_length=1,
        description="Shares of the experts that are computed for each token, each a whole number of them.",
    )
    split: Literal["clusters", "co-activation"] = Field(
        default="co-activation",
        description="What puts hidden units into one expert: alike weights in the first layer, or being active for the "
        "same tokens of the training text.",
    )
    router: Router = Field(
        default="mlp",
        description="Who chooses. 'similarity' compares a block's input with the mean of an expert's weights, 'mlp' is "
        "a network trained on activations, 'oracle' sees the activations themselves: a bound that saves less.",
    )
    sentences: PositiveInt = Field(
        default=1000,
        description="Most sentence pairs of the cell's training text that splits and routers are made from.",
    )


class Serving(Section):
    """How tuned models are served."""

    moe: Moe


def split_params(configuration: "Configuration") -> dict[str, Any]:
    """Return how blocks are split, without how many experts are active afterwards."""
    return {key: value for key, value in plain(configuration.serving.moe).items() if key != "active"}


def active_experts(configuration: "Configuration") -> list[int]:
    """Return the numbers of experts that are active, in the order of the configuration."""
    moe = configuration.serving.moe
    return [round(share * moe.experts) for share in moe.active]


def mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find a study of serving without its section, shares of experts, and cells that have no experts."""
    shown = [label for label in configuration.studies if needs_table(configuration, label, SERVING_TABLE)]
    if configuration.serving is None:
        for label in shown:
            yield f"'studies.{label}.figure' is 'serving', but 'serving' is missing; write 'serving: {{moe: {{}}}}'."
        return
    if not shown:
        yield "'serving' is used by no study; write a study with 'figure: serving', or take it out."
    yield from _share_mistakes(configuration.serving.moe)
    if configuration.decoding.engine != "torch":
        yield "'serving.moe' computes with torch, but 'decoding.engine' is another; take one of the two out."
    for label in shown:
        yield from _cell_mistakes(configuration, label)


def _share_mistakes(moe: Moe) -> Iterator[str]:
    for share in moe.active:
        count = share * moe.experts
        if abs(count - round(count)) > 1e-6 or round(count) < 1:
            yield f"'serving.moe.active' has {share:g}, which of {moe.experts} experts are {count:g}; write others."
    yield from named_twice("serving.moe.active", [f"{share:g}" for share in moe.active])


def _cell_mistakes(configuration: "Configuration", label: str) -> Iterator[str]:
    """Find methods without a model, groups, and models whose feed-forward blocks can't be split."""
    study = configuration.studies[label]
    for method in study.labels("methods"):
        if configuration.methods[method].method == RETRIEVAL:
            yield f"'studies.{label}.methods' names '{method}', which has no model to serve; take it out."
        if configuration.methods[method].method == IN_CONTEXT:
            yield f"'studies.{label}.methods' names '{method}', whose examples no served model reads; take it out."
    for pair in (pair for pair in study.labels("pairs") if JOIN in pair):
        yield f"'studies.{label}.pairs' has the group '{pair}', but experts are those of one pair; take it out."
    for model in study.labels("models"):
        if configuration.models[model].quantised:
            yield f"'studies.{label}.models' names '{model}', whose weights are quantised; name one with whole weights."
        shape = model_shape(configuration, model)
        if shape and (reason := reason_against_experts(shape, configuration.serving.moe.experts)):
            yield f"'studies.{label}.models' names '{model}', whose feed-forward blocks {reason}; name another model."

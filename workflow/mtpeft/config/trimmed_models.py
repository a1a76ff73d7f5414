"""The source `trim` of a base model: fewer entries in its vocabulary."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from mtpeft.config.messages import named_twice
from mtpeft.config.model_shapes import shape_if_known
from mtpeft.core.section import Section
from mtpeft.core.wording import unknown

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


class Trimming(Section):
    """Another model of `models` with fewer entries in its vocabulary: those that some text needs, and frequent ones."""

    model: str = Field(description="A label of `models`.")
    pairs: list[str] = Field(min_length=1, description="Labels of `pairs` whose training text keeps the tokens it has.")
    entries: PositiveInt = Field(
        description="Entries that the vocabulary then has. Those that neither the text nor the model itself needs are "
        "the first ones, which are the most frequent."
    )


def mistakes(configuration: "Configuration", key: str, trimming: Trimming) -> Iterator[str]:
    """Find a trimming of no model or of one that is made from another, and unknown pairs."""
    unknown_model = list(unknown(f"{key}.model", [trimming.model], configuration.models, "models"))
    if unknown_model:
        yield from unknown_model
    elif configuration.models[trimming.model].made_from:
        yield (
            f"'{key}.model' is '{trimming.model}', which is made from another model itself; trim that one, and name "
            f"the trimmed one where '{trimming.model}' is made."
        )
    elif (
        shape := shape_if_known(configuration, trimming.model)
    ) and trimming.entries * shape.d_model > shape.embeddings:
        yield (
            f"'{key}.entries' is {trimming.entries}, but the vocabulary of '{trimming.model}' has "
            f"{shape.embeddings // shape.d_model} entries; write fewer."
        )
    yield from unknown(f"{key}.pairs", trimming.pairs, configuration.pairs, "pairs")
    yield from named_twice(f"{key}.pairs", trimming.pairs)

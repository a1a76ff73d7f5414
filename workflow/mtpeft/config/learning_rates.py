"""The three forms of the learning rate of a method: a number, a number per size, or a search."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Field, PositiveFloat, Tag

from mtpeft.core.section import Section


class SearchedRate(Section):
    """A search for the learning rate, made once per model, size, method and budget; see `rate_search`."""

    search: list[PositiveFloat] = Field(
        min_length=3, description="Rates to try; more are tried beyond an end of the list while the best lies there."
    )


RATE, RATES, SEARCH = "a rate", "rates by size", "a search"
"""Forms of a learning rate; the words stand in no configuration."""


def _form_of_rate(given: Any) -> str | None:
    """Return the form that the author of a learning rate has meant; None if two are mixed."""
    if isinstance(given, SearchedRate):
        return SEARCH
    if not isinstance(given, Mapping):
        return RATE
    if "search" not in given:
        return RATES
    return SEARCH if len(given) == 1 else None


LearningRate = Annotated[
    Annotated[PositiveFloat, Tag(RATE)]
    | Annotated[dict[str, PositiveFloat], Tag(RATES)]
    | Annotated[SearchedRate, Tag(SEARCH)],
    Discriminator(_form_of_rate, custom_error_type="two_forms", custom_error_message="both forms"),
]
LEARNING_RATE_FIELD = Field(
    description="Peak learning rate: a number, one number per size label (`default` for the others), or a search."
)

"""The source `drop_layers` of a base model: fewer layers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from mtpeft.config import healing
from mtpeft.config.healing import Healing
from mtpeft.core.section import Section
from mtpeft.core.wording import unknown

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


class FewerLayers(Section):
    """Another model of `models` with some of its layers alone, trained until it translates again."""

    model: str = Field(description="A label of `models`.")
    encoder: PositiveInt = Field(description="Encoder layers that stay.")
    decoder: PositiveInt = Field(description="Decoder layers that stay.")
    heal: Healing


def mistakes(configuration: "Configuration", key: str, dropped: FewerLayers) -> Iterator[str]:
    """Find fewer layers of no model or of an extended one, more layers than there are, and an unknown pair."""
    unknown_model = list(unknown(f"{key}.model", [dropped.model], configuration.models, "models"))
    if unknown_model:
        yield from unknown_model
        return
    if configuration.models[dropped.model].extend:
        yield f"'{key}.model' is '{dropped.model}', whose vocabulary is extended; extend the one with fewer layers."
    elif configuration.models[dropped.model].drop_layers:
        yield f"'{key}.model' is '{dropped.model}', which has fewer layers itself; name the model that it comes from."
    yield from healing.mistakes(configuration, f"{key}.heal", dropped.heal)

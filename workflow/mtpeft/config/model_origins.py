"""What base models are made from: the weights that they have, the text that they were healed on, their teachers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mtpeft.core.wording import listed

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def origin_of(configuration: "Configuration", model: str) -> str:
    """Return the model whose weights a model has: itself, or the one that it was made from, however often."""
    made_from = configuration.models[model].made_from
    return origin_of(configuration, made_from) if made_from else model


def healed_on(configuration: "Configuration", model: str) -> list[str]:
    """Return the pairs on whose text for pre-training a model, or one that it was made from, was healed."""
    entry = configuration.models[model]
    own = [entry.healing.pair] if entry.healing else []
    return own + (healed_on(configuration, entry.made_from) if entry.made_from else [])


def ancestors(configuration: "Configuration", model: str) -> list[str]:
    """Return the models that are read when a model is made, and those that are read for these, behind the model."""
    parent = configuration.models[model].parent
    return [model, *(ancestors(configuration, parent) if parent else ())]


def known_ancestors(configuration: "Configuration", model: str) -> list[str]:
    """Return a model and those that are read for it, up to one that is made from itself or is not there."""
    found: list[str] = []
    while model in configuration.models and model not in found:
        found.append(model)
        model = configuration.models[model].parent or ""
    return found


def circles(configuration: "Configuration") -> Iterator[str]:
    """Find models that are made from themselves, however many others stand between."""
    for label in configuration.models:
        known = known_ancestors(configuration, label)
        if configuration.models[known[-1]].parent == label:
            yield f"'models.{label}' is made from itself, by way of {listed(known)}; name another model in one of them."

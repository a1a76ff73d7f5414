"""How near finished cells are to what is asked, and what that means for the answer."""

from collections.abc import Iterator
from dataclasses import dataclass

from mtpeft.front.advise.finished import Experience
from mtpeft.front.advise.held_out import FEWEST, ONE_MODEL, ONE_PAIR, ONE_SIZE, RANDOM
from mtpeft.front.advise.request import Asked
from mtpeft.front.prices.work import shape_of

FURTHEST_SIZE, FURTHEST_MODEL, BEYOND = 4.0, 2.0, 1.25
"""Factors: of training pairs and of a new model's parameters beyond which nothing is near, and of training pairs beyond
which an answer is extrapolated.
"""


@dataclass(frozen=True)
class Nearness:
    """How near finished cells are to what is asked.

    Attributes:
        is_near: whether anything near was run, so that a score can be told.
        schemes: by which cells are left out that are as far from the others as what is asked is from all.
        untouched: score of the untouched model on the pair; None where it is not known.
        says: sentences about it.
    """

    is_near: bool
    schemes: tuple[str, ...]
    untouched: float | None
    says: tuple[str, ...]


def nearness_of(asked: Asked, experience: Experience) -> Nearness:
    """Compare what is asked with what was run."""
    request, systems = asked.request, experience.systems
    untouched = experience.untouched.get((request.model, request.pair))
    far = tuple(_far(asked, experience))
    of_model = [own for own in systems if own.model == request.model]
    here = [own for own in of_model if own.pair == request.pair]
    sizes = [own.pairs for own in here or of_model or systems]
    beyond = bool(sizes) and not min(sizes) / BEYOND <= request.pairs <= max(sizes) * BEYOND
    schemes, says = [RANDOM], []
    if here:
        says.append(f"{len(here)} finished systems are of this model on this pair, with {_span(sizes)} sentence pairs.")
    else:
        schemes.append(ONE_PAIR if of_model else ONE_MODEL)
        what = "this model was run on other pairs alone" if of_model else "this model was never run"
        says.append(f"Of this model on this pair nothing was run: {what}.")
    if beyond and not far:
        schemes.append(ONE_SIZE)
        says.append(f"{request.pairs:,} sentence pairs are beyond what was run ({_span(sizes)}): this is extrapolated.")
    if untouched is None and not far:
        says.append("The untouched model was not scored on this pair, so gains are told, but no scores.")
    return Nearness(not far, tuple(schemes), untouched, (*says, *far))


def _far(asked: Asked, experience: Experience) -> Iterator[str]:
    """Say why nothing near was run, if so."""
    request, systems = asked.request, experience.systems
    if len(systems) < FEWEST:
        yield f"Nothing near was ever run: {len(systems)} systems are finished, and it takes {FEWEST} to learn from."
        return
    of_model = [own for own in systems if own.model == request.model]
    shape = shape_of(asked.configuration, request.model)
    assert shape is not None
    totals = [own.total for own in systems]
    if not of_model and not min(totals) / FURTHEST_MODEL <= shape.total <= max(totals) * FURTHEST_MODEL:
        yield (
            f"Nothing near was ever run: '{request.model}' has {shape.total:,} parameters, and the models that were "
            f"run have {_span(totals)}."
        )
    sizes = [own.pairs for own in of_model or systems]
    if not min(sizes) / FURTHEST_SIZE <= request.pairs <= max(sizes) * FURTHEST_SIZE:
        yield f"Nothing near was ever run: {request.pairs:,} sentence pairs, and what was run has {_span(sizes)}."


def _span(numbers: list[int]) -> str:
    least, most = min(numbers), max(numbers)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"

"""The section `training`; its keys are declared in `mtpeft.core.options`, which the engine reads as well."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def study_mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find sizes of the studies that have fewer updates than there are evaluations."""
    evaluations = configuration.training.evaluations
    sizes = {size for study in configuration.studies.values() for size in study.labels("sizes")}
    for size in sorted(sizes & set(configuration.sizes)):
        if evaluations > (updates := configuration.sizes[size].updates):
            yield (
                f"'training.evaluations' is {evaluations}, but 'sizes.{size}.updates' is {updates}; the dev set can be "
                "decoded after an update at most once, so write fewer evaluations or more updates."
            )

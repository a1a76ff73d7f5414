"""The type of the key `margin` of config.yaml: how near two systems must be to count as on par, in each metric."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticKnownError

from mtpeft.core.section import Section
from mtpeft.metrics.names import BLEU, CHRF, COMET

DEFAULTS = {CHRF: 1.0, BLEU: 1.0, COMET: 0.01}
"""One point of each metric, on its own scale.

Which differences people notice was measured by Kocmi et al. 2024 (arXiv 2401.06760): it differs between metrics and
with how alike the systems are.
"""


MOST = 100
"""All metrics end there, or before."""
Difference = Annotated[float, Field(gt=0, le=MOST, strict=True)]


class Margins(Section):
    """Differences up to which two systems count as on par, on the scale of each metric."""

    chrf: Difference = Field(default=DEFAULTS[CHRF], description="Of chrF, 0 to 100.")
    bleu: Difference = Field(default=DEFAULTS[BLEU], description="Of BLEU, 0 to 100.")
    comet: Difference = Field(default=DEFAULTS[COMET], description="Of COMET on its own scale, near 1.")


def _of_chrf(margin: Any) -> Any:
    """A number as the margin of chrF; what is wrong with it is said of `margin` itself."""
    if isinstance(margin, Mapping | Margins):
        return margin
    if isinstance(margin, bool) or not isinstance(margin, int | float):
        raise PydanticKnownError("float_type")
    if not math.isfinite(margin):
        raise PydanticKnownError("finite_number")
    if margin <= 0:
        raise PydanticKnownError("greater_than", {"gt": 0})
    if margin > MOST:
        raise PydanticKnownError("less_than_equal", {"le": MOST})
    return {CHRF: margin}


Margin = Annotated[Margins, BeforeValidator(_of_chrf, json_schema_input_type=float | Margins)]
"""A number is the margin of chrF alone."""


def plain_margin(margins: Margins) -> float | dict[str, float]:
    """Margins in short, as settings have them: a number where those of the other metrics are the defaults."""
    given = {name: getattr(margins, name) for name in DEFAULTS}
    others = {name for name, value in given.items() if value != DEFAULTS[name]} - {CHRF}
    return given if others else margins.chrf


def margins_of(margin: float | Mapping[str, float]) -> dict[str, float]:
    """The margin of each metric, from settings."""
    return {**DEFAULTS, **(margin if isinstance(margin, Mapping) else {CHRF: margin})}

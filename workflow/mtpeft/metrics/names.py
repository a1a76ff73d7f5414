"""The metrics of quality, by their names in tables, records and the configuration."""

from collections.abc import Mapping

CHRF, BLEU, COMET = "chrf", "bleu", "comet"
COUNTED = (CHRF, BLEU)
"""Metrics that every cell has in its `score.json`."""
NAMES: Mapping[str, str] = {CHRF: "chrF", BLEU: "BLEU", COMET: "COMET"}
"""Each metric as it is written."""
DIGITS: Mapping[str, int] = {CHRF: 2, BLEU: 2, COMET: 4}
"""Digits after the point with which differences are told; COMET is near 1."""


def difference_column(metric: str, reference: str) -> str:
    """Column of a table with the difference to `full` or `none`; without the name of a metric it is that of chrF."""
    return f"minus_{reference}" if metric == CHRF else f"{metric}_minus_{reference}"

"""What can be wrong with a metric that a figure or a finding names."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mtpeft.metrics.names import COMET

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def metric_mistakes(configuration: "Configuration", key: str, metric: str) -> Iterator[str]:
    """A metric that nothing would be scored with."""
    if metric == COMET and configuration.comet is None:
        yield (
            f"'{key}' is '{COMET}', but 'comet' names no model; name one there, or write 'chrf' or 'bleu', which every "
            "cell has."
        )

"""What can be wrong with a metric that a figure or a finding names."""

from collections.abc import Iterator

from mtpeft.config.figures import OTHERS, figure_of, needs_table
from mtpeft.config.schema import Configuration
from mtpeft.metrics.names import CHRF, COMET


def metric_mistakes(configuration: Configuration, key: str, metric: str) -> Iterator[str]:
    """A metric that nothing would be scored with."""
    if metric == COMET and configuration.comet is None:
        yield (
            f"'{key}' is '{COMET}', but 'comet' names no model; name one there, or write 'chrf' or 'bleu', which every "
            "cell has."
        )


def figure_metric_mistakes(configuration: Configuration, label: str) -> Iterator[str]:
    """A metric that the figure of a study does not have."""
    study, key = configuration.studies[label], f"studies.{label}.metric"
    figure = figure_of(configuration, label)
    yield from metric_mistakes(configuration, key, study.metric)
    if needs_table(configuration, label, OTHERS) and study.metric == COMET:
        yield f"'{key}' is '{COMET}', which scores no other pairs than those that are tuned; write 'chrf' or 'bleu'."
    if figure and figure.shows == "measurements" and study.metric != CHRF:
        yield f"'{key}' is '{study.metric}', but the figure '{figure.name}' shows no scores; take the key out."

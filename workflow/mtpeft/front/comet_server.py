"""Keep COMET's model loaded beside a sweep: it takes longer to load than to score a cell.

Every cell has a job of its own, which fails, is resumed and goes stale by itself. During `make figures` it runs in a
fork of one process that has loaded the model; where there is none, as on a cluster, each job loads it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtpeft.config.schema import Configuration
from mtpeft.forkserver.launcher import background_server
from mtpeft.metrics.comet.environment import KEPT_VARIABLE, comet_program
from mtpeft.steps.install_comet import RECORD
from mtpeft.steps.take_in_comet import model_record

LOG = Path("logs/comet.log")


@contextmanager
def comet_process(configuration: Configuration) -> Iterator[dict[str, str]]:
    """Start it where COMET is asked for; it loads the model when the first job comes. Yields how jobs find it."""
    if configuration.comet is None:
        yield {}
        return
    program = comet_program(Path(RECORD).parent)
    model = model_record(configuration)
    with background_server(
        KEPT_VARIABLE, lambda name: program.call("keep", name, model), LOG, extra=program.variables
    ) as variables:
        yield variables

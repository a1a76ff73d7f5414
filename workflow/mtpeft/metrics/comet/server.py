"""Keep COMET's model loaded beside a sweep, since it takes longer to load than to score a cell.

Every cell has a job of its own, which fails, is resumed and goes stale by itself. During `make figures` it runs in a
fork of one process that has loaded the model; where there is none, as on a cluster, each job loads it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtpeft.forkserver.launcher import background_server
from mtpeft.metrics.comet import ENVIRONMENT
from mtpeft.metrics.comet.environment import comet_program
from mtpeft.metrics.comet.inside import KEPT_VARIABLE

LOG = Path("logs/comet.log")


@contextmanager
def model_process(model: str) -> Iterator[dict[str, str]]:
    """Start a process that loads the model of a record when the first job comes; yields the variables that name it."""
    program = comet_program(Path(ENVIRONMENT).parent)
    with background_server(
        KEPT_VARIABLE, lambda name: program.call("keep", name, model), LOG, extra=program.variables
    ) as variables:
        yield variables

"""Write Snakemake's events into a file, by its interface for logger plugins: numbers of jobs, each job, and errors.

Snakemake finds a plugin by the name of a package on Python's path, so this one lies beside `mtpeft`, whose modules
`front/snakemake.py` and `front/watch/jobs.py` read the file:

    snakemake --logger mtpeft --logger-mtpeft-file events.jsonl

Snakemake imports it whenever it starts, so it imports nothing else of ours.
"""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """Options of Snakemake's command line."""

    file: str = field(default="", metadata={"help": "where the events go, one JSON object in a line"})


class LogHandler(LogHandlerBase):
    """Writes how many jobs of each rule a run has to make, when each begins and ends, and what fails."""

    writes_to_stream = False
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def emit(self, record: logging.LogRecord) -> None:
        """Add the events of one record to the file."""
        lines = [f"{json.dumps(event)}\n" for event in _events(record)]
        if lines:
            with Path(self.settings.file).open("a", encoding="utf-8") as stream:
                stream.write("".join(lines))


def _events(record: logging.LogRecord) -> Iterator[dict[str, object]]:
    kind = getattr(record, "event", None)
    if kind == LogEvent.RUN_INFO:
        yield {"event": "jobs", "counts": record.stats}
    elif kind == LogEvent.JOB_INFO:
        files = {"output": list(map(str, record.output or ())), "log": list(map(str, record.log or ()))}
        own = {"id": record.jobid, "rule": record.rule_name, "wildcards": dict(record.wildcards or {}), **files}
        yield {"event": "begun", "time": time.time(), **own}
    elif kind == LogEvent.JOB_FINISHED:
        yield {"event": "finished", "time": time.time(), "id": record.job_id}
    elif kind == LogEvent.JOB_ERROR:
        yield {"event": "failed", "time": time.time(), "id": record.jobid}
    if record.levelno >= logging.ERROR:
        yield {"event": "error", "message": getattr(record, "rule_msg", None) or record.getMessage()}

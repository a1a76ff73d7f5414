"""Write Snakemake's events into a file, by its interface for logger plugins: numbers of jobs, and errors.

Snakemake finds a plugin by the name of a package on Python's path, so this one lies beside `mtpeft`, whose module
`front/snakemake.py` reads the file:

    snakemake --logger mtpeft --logger-mtpeft-file events.jsonl

Snakemake imports it whenever it starts, so it imports nothing else of ours.
"""

import json
import logging
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
    """Writes how many jobs of each rule a run has to make, and the message of everything that fails."""

    writes_to_stream = False
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def emit(self, record: logging.LogRecord) -> None:
        """Add one event to the file."""
        if getattr(record, "event", None) == LogEvent.RUN_INFO:
            self._write({"event": "jobs", "counts": record.stats})
        elif record.levelno >= logging.ERROR:
            self._write({"event": "error", "message": getattr(record, "rule_msg", None) or record.getMessage()})

    def _write(self, event: dict[str, object]) -> None:
        with Path(self.settings.file).open("a", encoding="utf-8") as stream:
            stream.write(f"{json.dumps(event)}\n")

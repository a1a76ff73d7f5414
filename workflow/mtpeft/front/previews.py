"""What a running sweep does besides: draw previews, and show base models at work and warnings about text."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError

from mtpeft.cells import Cell, label_of
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import study_cells, system_labels
from mtpeft.core.files import read_if_whole
from mtpeft.core.records import StartRecord
from mtpeft.core.warnings import kind_of, recorded_warnings, warn
from mtpeft.data.token_counts import Counts, loss_warnings, read_counts
from mtpeft.decoding.first_translations import doubt_lines, first_translations_lines
from mtpeft.front.watch.cells import is_scored
from mtpeft.steps import decontaminate_pair, describe_text, search_rate
from mtpeft.steps.cells_of_studies import placed_cells, preview_folder, start_records

REPORT_SECONDS = 60.0
"""Time between two looks for warnings, and for a whole figure."""
TRANSLATIONS_SECONDS = 2.0
"""Time between two looks for the first translations of a base model."""
PREVIEW_SECONDS = 600.0
"""Least time between two drawings of the preview, which take up to half a minute of a core that could train."""
PREVIEW_NICENESS = 10
OF_A_KIND = 2
"""Warnings that are printed of those which say the same about other text."""


@dataclass
class Previews:
    """Has the preview of a sweep drawn anew every few minutes, and prints warnings about its text.

    It is drawn as well when every system of the first study has a cell: that is a whole figure of fewer seeds.

    Attributes:
        configuration: of the sweep.
        overlays: files laid over the configuration, for the process that draws.
    """

    configuration: Configuration
    overlays: Sequence[Path]
    _reported: float = field(default_factory=time.monotonic)
    _drawn: float = field(default_factory=time.monotonic)
    _drawing: subprocess.Popen[bytes] | None = None
    _first_is_shown: bool = False
    _warned: set[str] = field(default_factory=set)
    _kinds: Counter[str] = field(default_factory=Counter)

    def report(self) -> None:
        """Look for warnings, and for what can be drawn, if a minute has gone by; to be called often."""
        if time.monotonic() - self._reported < REPORT_SECONDS:
            return
        self._reported = time.monotonic()
        self.warn()
        finished = self._finished()
        is_new = not self._first_is_shown and self._has_all_systems_of_the_first(finished)
        if is_new:
            self._first_is_shown = True
            label = next(iter(self.configuration.studies))
            figure = preview_folder(self.configuration) / f"{label}.pdf"
            print(f"mtpeft: every system of '{label}' has a finished cell; its figure is drawn: {figure}", flush=True)
        if finished and (is_new or time.monotonic() - self._drawn > PREVIEW_SECONDS):
            self.stop()
            self._drawing, self._drawn = self._draw(), time.monotonic()

    def _has_all_systems_of_the_first(self, finished: Sequence[Cell]) -> bool:
        """Whether every system of the first study has a finished cell."""
        first = next(iter(self.configuration.studies.values()))
        done = set(map(system_labels, finished))
        return done >= {system_labels(cell) for cell in study_cells(self.configuration, first)}

    def warn(self) -> None:
        """Print the warnings of the text, each once, as soon as its record is there."""
        warn(self._new_warnings())

    def _new_warnings(self) -> list[str]:
        """Return the warnings of the text whose records have come since they were last asked for, few of each kind."""
        new = [warning for warning in text_warnings(self.configuration) if warning not in self._warned]
        self._warned.update(new)
        shown = []
        for warning in new:
            self._kinds[kind_of(warning)] += 1
            if self._kinds[kind_of(warning)] <= OF_A_KIND:
                shown.append(warning)
        return shown

    def last_warnings(self) -> list[str]:
        """Return lines with the warnings that have not been printed, and with the number of those that never are."""
        lines = [f"mtpeft: warning: {warning}" for warning in self._new_warnings()]
        left_out = sum(max(0, count - OF_A_KIND) for count in self._kinds.values())
        if left_out:
            lines.append(
                f"mtpeft: {left_out} more warnings say the same of other text; `warnings` of parts.json and clean.json "
                "under data/pairs, and the numbers in the files under data/tokens, have them."
            )
        return lines

    def stop(self) -> None:
        """End a drawing that is under way."""
        if self._drawing and self._drawing.poll() is None:
            self._drawing.kill()
            self._drawing.wait()

    def _finished(self) -> list[Cell]:
        cells = placed_cells(self.configuration)
        return [cell for cell in cells if is_scored([on.folder for on in cell.measured])]

    def _draw(self) -> subprocess.Popen[bytes]:
        files = ["--configfile", *map(str, self.overlays)] if self.overlays else []
        command = ["nice", "-n", str(PREVIEW_NICENESS), sys.executable, "-m", "mtpeft", "preview", *files]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@dataclass
class FirstTranslations:
    """Reports each base model's first translations of a dev set, once; for models of earlier runs only the warnings.

    Attributes:
        configuration: of the sweep.
    """

    configuration: Configuration
    _before: dict[Path, float] = field(default_factory=dict)
    _read: dict[Path, float] = field(default_factory=dict)
    _shown: dict[Path, str] = field(default_factory=dict)
    _polled: float = 0.0

    def __post_init__(self) -> None:
        self._before = {file: made for file in self._files() if (made := _time_of(file)) is not None}

    def report(self) -> None:
        """Print what is new every few seconds; to be called often."""
        if time.monotonic() - self._polled >= TRANSLATIONS_SECONDS:
            self._polled = time.monotonic()
            self.report_all()

    def report_all(self) -> None:
        """Print what is new."""
        for line in self._lines():
            print(line, flush=True)

    def _lines(self) -> Iterator[str]:
        for file in self._files():
            made = _time_of(file)
            if made is None or self._read.get(file) == made or (found := read_if_whole(file)) is None:
                continue
            content, digest = found
            self._read[file] = made
            # Snakemake gives a file that was shown a new time when its job has ended.
            if self._shown.get(file) == digest:
                continue
            self._shown[file] = digest
            record = StartRecord.model_validate(content)
            model, pair = label_of(file.parts[-3]), label_of(file.stem)
            if record.at_work and self._before.get(file) == made:
                yield from doubt_lines(model, pair, record.at_work)
            elif record.at_work:
                yield from first_translations_lines(model, pair, record.dev_score, record.at_work)

    def _files(self) -> list[Path]:
        return [Path(file) for file in start_records(self.configuration)]


def _time_of(file: Path) -> float | None:
    try:
        return file.stat().st_mtime
    except OSError:
        return None


def text_warnings(configuration: Configuration) -> list[str]:
    """Warnings about the text of a configuration: those in its records, and about text of which much is cut or unknown.

    Records and token arrays that are not there yet have none.
    """
    recorded = recorded_warnings(map(Path, decontaminate_pair.text_records(configuration)))
    return [*recorded, *(warning for file in _arrays(configuration) for warning in loss_warnings(_counts(file), file))]


def _counts(file: Path) -> Mapping[str, Counts]:
    """Counts of a file; none where it is not there, or is being written."""
    try:
        return read_counts(file)
    except (OSError, SafetensorError):
        return {}


def _arrays(configuration: Configuration) -> list[Path]:
    """Token arrays that cells are trained, evaluated and tested on, each once."""
    trained = (search_rate.training_files(configuration, cell) for cell in placed_cells(configuration))
    files = (file for inputs in trained for name in ("train", "dev") for file in inputs.get(name, ()))
    return [Path(file) for file in dict.fromkeys([*files, *describe_text.inputs(configuration)["arrays"]])]

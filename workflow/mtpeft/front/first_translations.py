"""While a sweep runs: show each base model at work as soon as its first translations are there."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mtpeft.cells import label_of
from mtpeft.config.schema import Configuration
from mtpeft.core.files import read_if_whole
from mtpeft.core.records import StartRecord
from mtpeft.decoding.first_translations import doubts_told, told
from mtpeft.steps.cells_of_studies import start_records

INTERVAL_SECONDS = 2.0


@dataclass
class FirstTranslations:
    """Shows what base models make of the dev sets, each once; of those that were there before, doubts alone.

    Attributes:
        configuration: of the sweep.
    """

    configuration: Configuration
    _before: dict[Path, float] = field(default_factory=dict)
    _read: dict[Path, float] = field(default_factory=dict)
    _shown: dict[Path, str] = field(default_factory=dict)
    _looked: float = 0.0

    def __post_init__(self) -> None:
        self._before = {file: made for file in self._files() if (made := _time_of(file)) is not None}

    def tell(self) -> None:
        """Print what has come since the last look; to be called often."""
        if time.monotonic() - self._looked >= INTERVAL_SECONDS:
            self._looked = time.monotonic()
            self.tell_all()

    def tell_all(self) -> None:
        """Print what has come since the last look."""
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
                yield from doubts_told(model, pair, record.at_work)
            elif record.at_work:
                yield from told(model, pair, record.dev_score, record.at_work)

    def _files(self) -> list[Path]:
        return [Path(file) for file in start_records(self.configuration)]


def _time_of(file: Path) -> float | None:
    try:
        return file.stat().st_mtime
    except OSError:
        return None

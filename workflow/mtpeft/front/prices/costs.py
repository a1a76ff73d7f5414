"""What an operation costs on this machine: the median of what was measured for the most similar work.

Work of the same model and method comes first, then that of the same model, then that of any model. Finished cells count
before calibrations that are as similar. A training is taken without its evaluations on dev, which are decoding.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from mtpeft.front.prices.measured import Measured
from mtpeft.front.prices.work import Kind, Work

Sort = Literal["training", "decoding"]
ROUGH: dict[Sort, float] = {"training": 1 / 65e9, "decoding": 1 / 35e9}
"""Seconds of an operation on one core where nothing was measured: medians of cells of the default study's student on a
core that multiplies matrices with 160 GFLOP/s.
"""
LEAST_SHARE = 0.1
"""Share of a training's seconds that its updates have at the least, whatever its evaluations would have cost."""
ROUGHLY = "a rough figure, since nothing was measured here"
LEVELS = ("the same model and method", "the same model", "other models")
Group = tuple[Sort, int, bool, tuple[str | bool, ...]]


@dataclass(frozen=True)
class Price:
    """Seconds of one core, and what they rest on: parts of the seconds by the words that say it."""

    seconds: float
    rests_on: dict[str, float]

    @property
    def mainly(self) -> str:
        """What the most of the seconds rest on."""
        return max(self.rests_on, key=lambda words: self.rests_on[words], default="")


@dataclass
class Costs:
    """Costs of operations by what was measured.

    Attributes:
        measured: finished cells and calibrations.
    """

    measured: Sequence[Measured]
    _ratios: dict[Group, list[tuple[str, float]]] = field(default_factory=lambda: defaultdict(list), init=False)

    def __post_init__(self) -> None:
        for own in self.measured:
            for sort, seconds in _seconds_of_an_operation(own):
                for level, group in enumerate(_groups(own.kind)):
                    self._ratios[sort, level, own.calibrated, group].append((own.name, seconds))

    def price(self, kind: Kind, work: Work, *, without: str = "") -> Price:
        """Return what work costs.

        Args:
            kind: of the work.
            work: to be done.
            without: name of a finished cell that is not to be known.
        """
        parts: dict[str, float] = defaultdict(float)
        for sort, operations in (("training", work.training), ("decoding", work.decoding)):
            if operations:
                seconds, words = self._cost(sort, kind, without)
                parts[words] += operations * seconds
        return Price(sum(parts.values()), dict(parts))

    def _cost(self, sort: Sort, kind: Kind, without: str) -> tuple[float, str]:
        """Return the seconds of an operation, and what they rest on in words."""
        for level, group in enumerate(_groups(kind)):
            for calibrated in (False, True):
                found = [
                    ratio for name, ratio in self._ratios.get((sort, level, calibrated, group), ()) if name != without
                ]
                if found:
                    return median(found), f"{'calibrations' if calibrated else 'finished cells'} of {_words(level)}"
        return ROUGH[sort], ROUGHLY


def _groups(kind: Kind) -> list[tuple[str | bool, ...]]:
    """Return what work has in common with other work, from the most similar to the least."""
    own = (kind.model, kind.precision)
    return [(*own, kind.method), (*own, kind.whole), own, (kind.precision, kind.whole), (kind.precision,), ()]


def _words(level: int) -> str:
    return LEVELS[(0, 1, 1, 2, 2, 2)[level]]


def _seconds_of_an_operation(own: Measured) -> Iterator[tuple[Sort, float]]:
    """Yield what was measured of updates and of decoding, each where there was any."""
    of_decoding = own.decode_seconds / own.decoding.decoding if own.decoding.decoding else 0.0
    if of_decoding:
        yield "decoding", of_decoding
    if own.training.training and own.train_seconds:
        left = own.train_seconds - of_decoding * own.training.decoding
        yield "training", max(left, LEAST_SHARE * own.train_seconds) / own.training.training

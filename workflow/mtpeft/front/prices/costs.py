"""What an operation costs on this machine: the median of what was measured for the most similar work.

Work of the same model and method comes first, then that of the same model, then that of any model. Finished cells and
trials of searches count before calibrations that are as similar. A training is taken without its evaluations on dev,
which are decoding.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Literal

from mtpeft.front.prices.measured import Measured
from mtpeft.front.prices.work import Kind, Work

Sort = Literal["training", "decoding"]
ROUGH: dict[Sort, float] = {"training": 1 / 72e9, "decoding": 1 / 52e9}
"""Seconds of an operation on one core where nothing was measured: medians of cells of the default study's student on a
core that multiplies matrices with 160 GFLOP/s.
"""
LEAST_SHARE = 0.1
"""Share of a training's seconds that its updates have at the least, whatever its evaluations would have cost."""
ROUGHLY = "a rough figure, since nothing was measured here"
WITH_EXPERTS = 2.0
"""Seconds of an operation where tokens have experts, against whole blocks, where none was measured: the processor
seconds of eight decodings of the default study's student with LoRA were 0.8 to 2.4 times those of whole blocks.
"""
LEVELS = ("the same model and method", "the same model", "other models")
Group = tuple[Sort, int, bool, tuple[str | bool, ...]]


@dataclass(frozen=True)
class Price:
    """Seconds of one core, and what they rest on: parts of the seconds by the words that say it."""

    seconds: float
    rests_on: dict[str, float]


@dataclass
class Costs:
    """Costs of operations by what was measured.

    Attributes:
        measured: finished cells, trials of searches, and calibrations.
    """

    measured: Sequence[Measured]
    _ratios: dict[Group, list[tuple[str, float]]] = field(default_factory=lambda: defaultdict(list), init=False)

    def __post_init__(self) -> None:
        for own in self.measured:
            if own.decoding.decoding and own.decode_seconds:
                self._add("decoding", own, own.decode_seconds / own.decoding.decoding)
        for own in self.measured:
            if own.training.training and own.train_seconds:
                self._add("training", own, self._of_updates(own) / own.training.training)

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

    def ratios_of_cells(self) -> list[float]:
        """Return estimates of finished cells, each by what else was measured, over what the cells took."""
        found = []
        for own in self.measured:
            took = own.train_seconds + own.decode_seconds
            if took and own.by == "cell":
                found.append(self.price(own.kind, own.training + own.decoding, without=own.name).seconds / took)
        return found

    def _add(self, sort: Sort, own: Measured, seconds: float) -> None:
        for level, group in enumerate(_groups(own.kind)):
            self._ratios[sort, level, own.by == "calibration", group].append((own.name, seconds))

    def _of_updates(self, own: Measured) -> float:
        """Return the seconds of a training without its evaluations, which cost what its decoding or the like does."""
        if own.decoding.decoding and own.decode_seconds:
            decoding = own.decode_seconds / own.decoding.decoding
        else:
            decoding, _ = self._cost("decoding", own.kind, without="")
        return max(own.train_seconds - decoding * own.training.decoding, LEAST_SHARE * own.train_seconds)

    def _cost(self, sort: Sort, kind: Kind, without: str) -> tuple[float, str]:
        """Return the seconds of an operation, and what they rest on in words."""
        for level, group in enumerate(_groups(kind)):
            for calibrated in (False, True):
                found = [
                    ratio for name, ratio in self._ratios.get((sort, level, calibrated, group), ()) if name != without
                ]
                if found:
                    return median(found), f"{'calibrations' if calibrated else 'finished trainings'} of {_words(level)}"
        if kind.with_experts:
            seconds, words = self._cost(sort, replace(kind, with_experts=False), without)
            return WITH_EXPERTS * seconds, f"{words}, {WITH_EXPERTS:g} times for experts"
        return ROUGH[sort], ROUGHLY


def _groups(kind: Kind) -> list[tuple[str | bool, ...]]:
    """Return what work has in common with other work, from the most similar to the least."""
    served = kind.with_experts
    own = (kind.model, kind.precision, served)
    of_any = [(kind.precision, kind.whole, served), (kind.precision, served), (served,)]
    return [(*own, kind.method), (*own, kind.whole), own, *of_any]


def _words(level: int) -> str:
    return LEVELS[(0, 1, 1, 2, 2, 2)[level]]

"""Which job comes first: studies in the order in which they are written, and every cell to its end once it is begun.

So the figure of the first study is there long before the others, and all the time there are whole cells to look at.
"""

from collections.abc import Mapping

from mtpeft.cells import DIMENSIONS
from mtpeft.config.rates import CLASS
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import study_cells, study_others
from mtpeft.config.wildcards import Wildcards

STEPS = ("train", "represent", "decode_other", "score_other", "decode", "score", "tune")
"""Steps of one study: of those that can be done the last comes first, so that no cell waits for others to begin."""
ON_OTHER = (*DIMENSIONS, "other")
LABELS = {"tune": CLASS, "decode_other": ON_OTHER, "score_other": ON_OTHER}
"""What a step's jobs are told apart by, where it is not the cell."""
FIRST = 1000
"""Priority of what takes little time and is waited for by many, or by the user: text, base models, figures."""

Places = Mapping[tuple[str, ...], int]


def places(configuration: Configuration) -> Places:
    """Number of studies from the first that has a cell, or has one of a class, to the last: the more, the sooner.

    A cell on another pair than its own has its turn with the study that scores it there, a group with its training.
    """
    found: dict[tuple[str, ...], int] = {}
    for place, (label, study) in enumerate(reversed(configuration.studies.items()), 1):
        for cell in study_cells(configuration, study):
            found[cell.labels] = found[tuple(getattr(cell, name) for name in CLASS)] = place
            for _, pair in cell.measured:
                found[*cell.labels, pair] = place
        for cell, pair in study_others(configuration, label):
            found[*cell.labels, pair] = place
    return found


def priority(known: Places, step: str, wildcards: Wildcards) -> int:
    """Priority of a step of a cell, or of the search for the rate of a class; those of no study come last."""
    labels = tuple(wildcards[name] for name in LABELS.get(step, DIMENSIONS))
    return len(STEPS) * known.get(labels, 0) + STEPS.index(step)

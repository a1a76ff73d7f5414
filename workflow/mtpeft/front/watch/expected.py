"""What each job of a sweep is expected to take, kept in a file for whoever watches the sweep."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from mtpeft.core.files import read_if_whole, write_record

EXPECTED_FILE = "expected.json"
ROUGH_SPREAD = 0.7
"""Standard deviation of the logarithm of what a job takes over its price, a factor of two, where nothing is known."""


@dataclass(frozen=True)
class Expected:
    """What jobs are expected to take.

    Attributes:
        seconds: of one core, by the record that a job makes.
        unknown: number of jobs whose work is not known before their model is fetched.
        spread: standard deviation of the logarithm of what finished cells have taken over their prices.
        at_once: number of jobs that run side by side; 0 where a cluster decides.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    unknown: int = 0
    spread: float = ROUGH_SPREAD
    at_once: int = 0


def write_expected(expected: Expected, results: Path) -> None:
    """Write the prices into the folder of a study file."""
    write_record(results / EXPECTED_FILE, asdict(expected))


def read_expected(results: Path) -> Expected:
    """The prices in the folder of a study file; none where no sweep of this version has written any."""
    read = read_if_whole(results / EXPECTED_FILE)
    known = {own.name for own in fields(Expected)}
    return Expected(**read[0]) if read and read[0].keys() == known else Expected()


def forget_expected(results: Path) -> None:
    """Remove the prices of an earlier sweep, which counted as left what that sweep has done."""
    (results / EXPECTED_FILE).unlink(missing_ok=True)

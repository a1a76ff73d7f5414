"""What a running sweep says of the time that is left."""

import pytest

from mtpeft.cells import Cell
from mtpeft.front.progress import seconds_left

SMALL = [Cell("small", "es-en", "n1", "full", "all", str(seed)) for seed in range(1, 9)]
LARGE = [Cell("large", "es-en", "n1", "full", "all", str(seed)) for seed in range(1, 9)]


@pytest.mark.parametrize(
    ("finished", "now", "missing", "elapsed", "wanted"),
    [
        ({}, 0, SMALL, 60, None),
        (dict.fromkeys(SMALL[:4], 10.0), 0, SMALL[4:], 60, None),
        (dict.fromkeys(SMALL[:4], 10.0), 4, SMALL[4:], 40, 40),
        (dict.fromkeys(SMALL[:4], 10.0), 4, SMALL[4:], 20, 20),
        (dict.fromkeys(SMALL[:4], 10.0), 2, SMALL[4:], 20, 40),
        (dict.fromkeys(SMALL[:4], 10.0) | {LARGE[0]: 30.0}, 4, LARGE[1:3], 40, 60),
        (dict.fromkeys(SMALL[:4], 10.0), 4, LARGE[:2], 40, 20),
        (dict.fromkeys(SMALL[:4], 10.0), 4, [], 40, 0),
    ],
)
def test_time_left_follows_from_cells_of_the_same_model_and_size(
    finished: dict[Cell, float], now: int, missing: list[Cell], elapsed: float, wanted: float | None
) -> None:
    left = seconds_left(finished, SMALL[:now], missing, elapsed=elapsed)
    assert left == wanted

"""Snakemake looks for jobs that it can start; a look that is on its way is not asked for again."""

import time

from mtpeft.front.looks import one_at_a_time


def test_looks_do_not_multiply() -> None:
    asked: list[float] = []
    look_after = one_at_a_time(asked.append)
    for _ in range(3):
        look_after(0.1)
    assert asked == [0.1]
    time.sleep(0.1)
    look_after(0.2)
    assert asked == [0.1, 0.2]

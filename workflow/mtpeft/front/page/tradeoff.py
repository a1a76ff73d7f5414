"""The Pareto front of each setting: systems of which no other gains as much over the untouched model and costs less."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtpeft.analysis.read_tables import Setting, System
from mtpeft.figures.plotting.selection import is_reference
from mtpeft.front.advise.pareto import front
from mtpeft.metrics.base import METRICS

COSTS: Mapping[str, str] = {
    "trained_parameters": "trained parameters",
    "stored_bytes": "stored bytes",
    "peak_memory_mb": "peak memory, MB",
    "train_seconds": "training time, s",
    "decode_sentences_per_second": "decoding, sentences/s",
}
"""Costs by the column of the tables; of the last one, more is better."""
SPEED = "decode_sentences_per_second"


def fronts(systems: Sequence[System], metric: str) -> list[dict[str, Any]]:
    """Systems on the front of each setting and cost, in one metric."""
    by_setting: dict[Setting, list[System]] = {}
    for system in systems:
        if not is_reference(system) and system.minus_none:
            by_setting.setdefault(system.setting, []).append(system)
    found = []
    for setting, own in by_setting.items():
        for cost in COSTS:
            known = [system for system in own if system.costs.get(cost)]
            gains = np.array([METRICS[metric].sign * system.minus_none.mean for system in known])
            paid = np.array([[_paid(system, cost)] for system in known])
            chosen = [known[place] for place in front(gains, paid)] if known else []
            if chosen:
                names = [[system.method, system.budget] for system in chosen]
                found.append({"setting": [*vars(setting).values()], "cost": cost, "systems": names})
    return found


def _paid(system: System, cost: str) -> float:
    return 1 / system.costs[cost] if cost == SPEED else system.costs[cost]

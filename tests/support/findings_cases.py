"""Qualities of the cells of a claim, and the verdict that it must get: supported, refuted, or undecided and why."""

from collections.abc import Mapping
from typing import Any

from mtpeft.analysis.read_tables import read_distances
from mtpeft.cells import Cell
from mtpeft.core.languages import DISTANCES
from support.findings import Quality

PLACES = {language: distance.syntactic for language, distance in read_distances(DISTANCES).items()}
ALL_CELLS = "/"
LOUD = {ALL_CELLS: {"noise": 25.0}}


def by_method(**chrf: float) -> Quality:
    """The same quality for all cells of a method, 50 for the others."""
    return lambda cell: chrf.get(cell.method, 50.0)


def by_budget(**chrf: float) -> Quality:
    return lambda cell: chrf.get(cell.budget, 50.0)


def by_distance(slope: float) -> Quality:
    """The small budget loses 3 chrF and so many more per unit of distance."""
    return lambda cell: 50.0 - (cell.budget == "tiny") * (3.0 + slope * PLACES[cell.pair[:2]])


def shuffled(step: float) -> Quality:
    """Falls that differ by multiples of a step, in an order that has nothing to do with distance."""
    ranks = {"de": 4, "pt": 1, "es": 6, "tr": 2, "cs": 7, "zh": 5}
    return lambda cell: 50.0 - (cell.budget == "tiny") * step * ranks[cell.pair[:2]]


def rising(by_size: float, by_budget: float) -> Quality:
    """Qualities that change by so much from each level to the next."""
    sizes, budgets = ("few", "many"), ("tiny", "middle", "large")
    return lambda cell: (
        50.0
        + by_size * (sizes.index(cell.size) if cell.size in sizes else 0)
        + by_budget * (budgets.index(cell.budget) if cell.budget in budgets else 0)
    )


def dented(depth: float) -> Quality:
    """Qualities that rise from end to end, but for the middle budget, which lies below the smallest."""
    return lambda cell: rising(1.0, 2.0)(cell) - (cell.budget == "middle") * (2.0 + depth)


def gaining(seen: float, less_seen: float) -> Quality:
    """Qualities with these gains from more pairs and from more parameters: of the pair seen in parallel, and others."""

    def quality(cell: Cell) -> float:
        gain = seen if (cell.model, cell.pair) == ("base", "es-en") else less_seen
        return 50.0 + gain * ((cell.size == "many") + (cell.budget == "large"))

    return quality


def one_pair_off(cell: Cell) -> float:
    return 46.0 if (cell.method, cell.pair) == ("adapter", "de-en") else 50.0


CASES: dict[str, tuple[str, Quality, Mapping[str, Any], str, str]] = {
    "on par": ("parity", by_method(none=30.0), {}, "supported", "shown"),
    "worse": ("parity", by_method(adapter=46.0), {}, "refuted", "more than 1 chrF"),
    "better": ("parity", by_method(adapter=54.0), {}, "refuted", "more than 1 chrF"),
    "worse on one pair": ("parity", one_pair_off, {}, "refuted", "more than 1 chrF"),
    "on par or not": ("parity", by_method(), LOUD, "undecided", "too wide"),
    "on par at step 0": ("parity", by_method(), {"adapter/large/2/": {"best_step": 0}}, "undecided", "step 0"),
    "worse at step 0": (
        "parity",
        by_method(adapter=40.0),
        {"adapter/": {"best_step": 0}},
        "refuted",
        "more than 1 chrF",
    ),
    "on par without transfer": ("parity", by_method(none=50.0), {}, "undecided", "gate"),
    "worse without transfer": ("parity", by_method(none=50.0, adapter=46.0), {}, "refuted", "more than 1 chrF"),
    "on par, one missing": ("parity", by_method(), {"full/all/3/": {"missing": True}}, "undecided", "full/all/3"),
    "on par, one diverged": ("parity", by_method(), {"large/1/": {"status": "diverged"}}, "undecided", "(diverged)"),
    "budget": ("budget", by_budget(tiny=40.0, middle=45.0, large=50.0), {}, "supported", "shown"),
    "flat budget": ("budget", by_budget(), {}, "undecided", "a drop of 1 chrF is excluded"),
    "small drop": ("budget", by_budget(tiny=49.5, middle=49.75), {}, "supported", "shown"),
    "reverse budget": ("budget", by_budget(tiny=52.0, middle=51.0), {}, "refuted", "below 0"),
    "budget or not": ("budget", by_budget(tiny=49.5), LOUD, "undecided", "too wide"),
    "budget at step 0": ("budget", by_budget(tiny=40.0), {"lora/large/": {"best_step": 0}}, "undecided", "step 0"),
    "reverse budget at step 0": (
        "budget",
        by_budget(tiny=52.0, middle=51.0),
        {"large/": {"best_step": 0}},
        "undecided",
        "step 0",
    ),
    "smallest budget at step 0": (
        "budget",
        by_budget(tiny=40.0),
        {"lora/tiny/": {"best_step": 0}},
        "supported",
        "shown",
    ),
    "distance": ("distance", by_distance(40.0), {}, "supported", "shown"),
    "no distance": ("distance", shuffled(0.1), {}, "undecided", "chance"),
    "reverse distance": ("distance", by_distance(-20.0), {}, "refuted", "negative"),
    "distance or not": ("distance", shuffled(1.0), LOUD, "undecided", "chance"),
    "distance at step 0": ("distance", by_distance(40.0), {"large/": {"best_step": 0}}, "undecided", "step 0"),
    "reverse distance at step 0": (
        "distance",
        by_distance(-20.0),
        {"de-en/many/adapter/large/": {"best_step": 0}},
        "undecided",
        "step 0",
    ),
    "distance, one missing": ("distance", by_distance(40.0), {"zh-en/": {"missing": True}}, "undecided", "zh-en"),
    "larger": ("larger", by_method(adapter=53.0), {}, "supported", "shown"),
    "larger for nothing": ("larger", by_method(), {}, "undecided", "an advantage of 1 chrF is excluded"),
    "larger and worse": ("larger", by_method(adapter=48.0), {}, "refuted", "below 0"),
    "larger or not": ("larger", by_method(), LOUD, "undecided", "too wide"),
    "larger at step 0": ("larger", by_method(adapter=53.0), {"adapter/": {"best_step": 0}}, "undecided", "step 0"),
    "small data": ("small_data", by_method(adapter=53.0, lora=52.0), {}, "supported", "shown"),
    "small data for one": ("small_data", by_method(adapter=53.0, lora=48.0), {}, "refuted", "below 0"),
    "better than examples": ("few_shot", by_method(adapter=53.0), {}, "supported", "shown"),
    "as good as examples": ("few_shot", by_method(), {}, "undecided", "an advantage of 1 chrF is excluded"),
    "worse than examples": ("few_shot", by_method(examples=54.0), {}, "refuted", "below 0"),
    "worse than examples on one pair": ("few_shot", one_pair_off, {}, "refuted", "below 0"),
    "better than examples or not": ("few_shot", by_method(adapter=50.5), LOUD, "undecided", "too wide"),
    "better than examples at step 0": (
        "few_shot",
        by_method(adapter=53.0),
        {"adapter/": {"best_step": 0}},
        "undecided",
        "step 0",
    ),
    "better than examples, one missing": (
        "few_shot",
        by_method(adapter=53.0),
        {"examples/any/2/": {"missing": True}},
        "undecided",
        "examples/any/2",
    ),
    "rising everywhere": ("rising", rising(1.0, 2.0), {}, "supported", "a fall of 1 chrF is excluded"),
    "level everywhere": ("rising", rising(0.0, 0.0), {}, "supported", "a fall of 1 chrF is excluded"),
    "falling with the budget": ("rising", rising(1.0, -3.0), {}, "refuted", "not to be in the order"),
    "falling with data": ("rising", rising(-3.0, 1.0), {}, "refuted", "not to be in the order"),
    "falling in between": ("rising", dented(3.0), {}, "refuted", "not to be in the order"),
    "rising or not": ("rising", rising(0.0, 0.0), LOUD, "undecided", "neither is shown"),
    "falling where seen alone": (
        "rising",
        lambda cell: rising(1.0, -3.0 if (cell.model, cell.pair) == ("base", "es-en") else 1.0)(cell),
        {},
        "supported",
        "a fall of 1 chrF is excluded",
    ),
    "less where seen": ("seen", gaining(0.0, 3.0), {}, "supported", "shown"),
    "more where seen": ("seen", gaining(3.0, 0.0), {}, "refuted", "below 0"),
    "the same where seen": ("seen", gaining(3.0, 3.0), {}, "undecided", "a difference of 1 chrF is excluded"),
    "less where seen or not": ("seen", gaining(0.0, 0.0), LOUD, "undecided", "too wide"),
    "less where seen, at step 0": (
        "seen",
        gaining(0.0, 3.0),
        {"base/es-en/many/adapter/large/": {"best_step": 0}},
        "undecided",
        "step 0",
    ),
    "less where seen, one missing": (
        "seen",
        gaining(0.0, 3.0),
        {"base/es-en/few/adapter/large/1/": {"missing": True}},
        "undecided",
        "base/es-en/few/adapter/large/1",
    ),
    "small data or not": ("small_data", by_method(), LOUD, "undecided", "too wide"),
}

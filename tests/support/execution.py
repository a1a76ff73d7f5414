"""Wrong ways to run a model on several GPUs, in the form of the other wrong configurations."""

from typing import Any

WRONG_EXECUTIONS: list[tuple[Any, ...]] = [
    ({"models": {"small": {"gpus": 0}}}, "'models.small.gpus' is 0; write a number above 0."),
    (
        {"models": {"small": {"sharded": True}}},
        "'models.small.sharded' needs several GPUs to put shards on; write how many in 'models.small.gpus'.",
    ),
    (
        {"models": {"small": {"sharded": True, "gpus": 2}}, "methods": {"full": {"losses": ["unlikelihood"]}}},
        "'studies.budgets.methods' names 'full', whose 'losses' can't be computed on shards, but "
        "'models.small.sharded' asks for them; take one of the two out.",
    ),
]

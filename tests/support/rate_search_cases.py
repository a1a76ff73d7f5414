"""Wrong searches for learning rates, and the messages about them."""

from typing import Any

WRONG_RATE_SEARCHES: list[tuple[dict[str, Any], str]] = [
    (
        {"rate_search": None},
        "'methods.full.learning_rate' asks for a search, but there is no 'rate_search'; write on which pair",
    ),
    ({"rate_search": {"pair": None}}, "'rate_search.pair' is missing; write it"),
    ({"rate_search": {"pair": []}}, "'rate_search.pair'"),
    ({"rate_search": {"pair": ["es-en", "es-em"]}}, "'rate_search.pair' names 'es-em', which is not in 'pairs'"),
    ({"rate_search": {"pair": ["es-en"] * 2}}, "'rate_search.pair' names 'es-en' twice; write it once."),
    ({"rate_search": {"seed": [0, 7, 7]}}, "'rate_search.seed' names '7' twice; write it once."),
    ({"rate_search": {"seed": [0, -7]}}, "'rate_search.seed.1' is -7; write a number of at least 0."),
    (
        {"rate_search": {"pair": ["es-en", "pt-en"], "seed": [0, 2]}},
        "'rate_search' searches on 'pt-en' with seed 2, which 'studies.budgets' compares on; write another seed, or a",
    ),
    ({"rate_search": {"extensions": -1}}, "'rate_search.extensions' is -1; write a number of at least 0."),
    (
        {"rate_search": {"pair": "es-em"}},
        "'rate_search.pair' names 'es-em', which is not in 'pairs'; did you mean 'es-en'?",
    ),
    (
        {"rate_search": {"pair": "pt-en", "seed": 1}},
        "'rate_search' searches on 'pt-en' with seed 1, which 'studies.budgets' compares on; write another seed, or a",
    ),
]

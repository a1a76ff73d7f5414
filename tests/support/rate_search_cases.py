"""Wrong searches for learning rates, and the messages about them."""

from typing import Any

WRONG_RATE_SEARCHES: list[tuple[dict[str, Any], str]] = [
    (
        {"rate_search": None},
        "'methods.full.learning_rate' asks for a search, but there is no 'rate_search'; write on which pair",
    ),
    ({"rate_search": {"pair": None}}, "'rate_search.pair' is missing; write it"),
    ({"rate_search": {"pairs": "es-en"}}, "'rate_search.pairs' is 'es-en'; write a list"),
    (
        {"rate_search": {"pairs": ["es-en"]}},
        "'rate_search' has both 'pair' and 'pairs'; leave one of the two empty, such as 'pair: ~'.",
    ),
    (
        {"rate_search": {"seeds": [7, 8]}},
        "'rate_search' has both 'seed' and 'seeds'; leave one of the two empty, such as 'seed: ~'.",
    ),
    (
        {"rate_search": {"pair": None, "pairs": ["es-en", "es-em"]}},
        "'rate_search.pairs' names 'es-em', which is not in 'pairs'",
    ),
    (
        {"rate_search": {"pair": None, "pairs": ["es-en"] * 2}},
        "'rate_search.pairs' names something twice; write each once.",
    ),
    (
        {"rate_search": {"seed": None, "seeds": [0, 7, 7]}},
        "'rate_search.seeds' names something twice; write each once.",
    ),
    ({"rate_search": {"seed": None, "seeds": [0, -7]}}, "'rate_search.seeds.1' is -7; write a number of at least 0."),
    (
        {"rate_search": {"pair": None, "pairs": ["es-en", "pt-en"], "seed": None, "seeds": [0, 2]}},
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

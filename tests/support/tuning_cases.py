"""What can be wrong with the search for learning rates, and what is said of it."""

from typing import Any

TUNING_MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"tuning": None}, "'methods.full.learning_rate' asks for a search, but there is no 'tuning'; write on which pair"),
    ({"tuning": {"pair": None}}, "'tuning.pair' is missing; write it"),
    ({"tuning": {"pairs": "es-en"}}, "'tuning.pairs' is 'es-en'; write a list"),
    (
        {"tuning": {"pairs": ["es-en"]}},
        "'tuning' has both 'pair' and 'pairs'; leave one of the two empty, such as 'pair: ~'.",
    ),
    (
        {"tuning": {"seeds": [7, 8]}},
        "'tuning' has both 'seed' and 'seeds'; leave one of the two empty, such as 'seed: ~'.",
    ),
    ({"tuning": {"pair": None, "pairs": ["es-en", "es-em"]}}, "'tuning.pairs' names 'es-em', which is not in 'pairs'"),
    ({"tuning": {"pair": None, "pairs": ["es-en"] * 2}}, "'tuning.pairs' names something twice; write each once."),
    ({"tuning": {"seed": None, "seeds": [0, 7, 7]}}, "'tuning.seeds' names something twice; write each once."),
    ({"tuning": {"seed": None, "seeds": [0, -7]}}, "'tuning.seeds.1' is -7; write a number of at least 0."),
    (
        {"tuning": {"pair": None, "pairs": ["es-en", "pt-en"], "seed": None, "seeds": [0, 2]}},
        "'tuning' searches on 'pt-en' with seed 2, which 'studies.budgets' compares on; write another seed, or a pair",
    ),
    ({"tuning": {"widenings": -1}}, "'tuning.widenings' is -1; write a number of at least 0."),
    ({"tuning": {"pair": "es-em"}}, "'tuning.pair' names 'es-em', which is not in 'pairs'; did you mean 'es-en'?"),
    (
        {"tuning": {"pair": "pt-en", "seed": 1}},
        "'tuning' searches on 'pt-en' with seed 1, which 'studies.budgets' compares on; write another seed, or a pair",
    ),
]

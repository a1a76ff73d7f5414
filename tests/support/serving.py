"""A study of cells that are served with experts."""

STUDY = {
    "figure": "serving",
    "models": ["student"],
    "pairs": ["es-en"],
    "sizes": ["n400"],
    "methods": ["lora", "none"],
    "budgets": ["b10"],
    "seeds": [1, 2],
}

"""What computes the hypotheses of test sets is a param of decoding alone, and of those cells that it changes."""

from dataclasses import replace
from typing import Any

from mtpeft.cells import OnPair
from mtpeft.config.load import merge, validate
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import rate_classes
from mtpeft.core.files import canonical
from mtpeft.steps.cells_of_studies import placed_cells
from support.config import DEFAULT
from support.group import together
from support.steps import params_of

STAGES = {
    "norms_then_lora": {"method": "staged", "stages": ["layernorm", "lora"]},
    "norms_then_full": {"method": "staged_full", "stages": ["layernorm", "full"]},
    "prefix_then_lora": {"method": "staged", "stages": ["prefix", "lora"]},
}
SIZED = {"sizes": [1], "rate_factors": [1, 1], "learning_rate": 0.01}
METHODS = {
    **{name: stages | SIZED for name, stages in STAGES.items()},
    "context": {"method": "context_lora", "learning_rate": 0.01},
}
ROUGH = {"rough": {"path": "workflow/models/small", "precision": "bfloat16"}}
STUDY = {
    "pairs": ["pt-en"],
    "sizes": ["n100"],
    "budgets": ["b10"],
    "seeds": [1],
    "methods": ["adapter", "lora", "bitfit", "prefix_then_lora", "norms_then_lora", "context"],
    "also": [
        {"models": ["small"], "methods": ["full", "none", "retrieval", "norms_then_full"]},
        {"models": ["small"], "pairs": ["de-en+pt-en"], "methods": ["lora", "context"]},
    ],
}
MERGED = {
    ("small", "pt-en", "lora"),
    ("small", "pt-en", "bitfit"),
    ("small", "pt-en", "norms_then_lora"),
    ("small", "pt-en", "norms_then_full"),
    ("small", "de-en+pt-en", "lora"),
}


def configured(**decoding: Any) -> Configuration:
    """A study of all kinds of methods on a plain model and on one of less precision."""
    study = together("pt-en", **{**STUDY, "models": ["small", "rough"]})
    overlay = {"methods": METHODS, "models": ROUGH, "decoding": decoding, **study}
    return validate(merge(DEFAULT, overlay))


def without_decoding(configuration: Configuration) -> dict[tuple[str, ...], Any]:
    """Folders of all cells, and params of all that is made before they are decoded."""
    searches = {labels: params_of("search_rate", configuration, *labels) for labels in rate_classes(configuration)}
    starts = {
        (model, pair): params_of("evaluate_base", configuration, model, pair)
        for model in configuration.models
        for pair in configuration.pairs
    }
    cells = {
        cell.labels: (str(cell.folder), params_of("train", configuration, cell)) for cell in placed_cells(configuration)
    }
    return {key: canonical(value) for key, value in {**searches, **starts, **cells}.items()}


def decodings(configuration: Configuration) -> dict[OnPair, dict[str, Any]]:
    """Params of the decoding of all cells, of a group on each of its pairs."""
    measured = (on for cell in placed_cells(configuration) for on in cell.measured)
    return {on: params_of("decode", configuration, replace(on.cell, pair=on.pair)) for on in measured}


def test_merging_reruns_the_decoding_of_what_is_merged_and_nothing_else() -> None:
    plain, merged = configured(), configured(merged=True)
    assert without_decoding(merged) == without_decoding(plain)
    before, after = decodings(plain), decodings(merged)
    assert {(on.cell.model, on.cell.pair, on.cell.method) for on in after if after[on] != before[on]} == MERGED
    for on, params in after.items():
        inference = {"inference": {"merged": True}} if params != before[on] else {}
        assert params == before[on] | inference


def test_a_search_reaches_training_as_ever() -> None:
    assert without_decoding(configured(beam_size=3)) != without_decoding(configured())

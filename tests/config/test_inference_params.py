"""What computes the hypotheses of test sets is a param of decoding alone, and of those cells that it changes."""

import re
from dataclasses import replace
from typing import Any

import pytest

from mtpeft.cells import OnPair
from mtpeft.config.load import merge, validate
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import rate_classes
from mtpeft.core.errors import UserError
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
MODELS = {
    "rough": {"path": "workflow/models/small", "precision": "bfloat16"},
    "shallow": {"path": "workflow/models/shallow"},
}
STUDY = {
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


def configured(changes: dict[str, Any] | None = None, **decoding: Any) -> Configuration:
    """A study of all kinds of methods on a plain model and on one of less precision, with changes."""
    study = together("pt-en", **{**STUDY, "models": ["small", "rough"], **(changes or {})})
    overlay = {"methods": METHODS, "models": MODELS, "decoding": decoding, **study}
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


ENGINE = {"engine": "ctranslate2"}
READ = {"models": ["small"], "methods": ["lora", "bitfit", "norms_then_full", "full", "none", "retrieval"], "also": []}
"""What CTranslate2 can translate with."""


@pytest.mark.parametrize("inference", [ENGINE, ENGINE | {"quantised": 8}])
def test_an_engine_reruns_the_decoding_of_all_that_has_a_model_and_nothing_else(inference: dict[str, Any]) -> None:
    plain, changed = configured(READ), configured(READ, merged=True, **inference)
    assert without_decoding(changed) == without_decoding(plain)
    before, after = decodings(plain), decodings(changed)
    for on, params in after.items():
        has_model = on.cell.method != "retrieval"
        assert params == before[on] | ({"inference": inference} if has_model else {})


TAKE_OUT = "take one of the two out."
REFUSED = {
    "bits without their engine": ({}, {"quantised": 8}, "'decoding.quantised' is for CTranslate2; write 'engine: "),
    "an adapter": ({"methods": ["adapter"]}, ENGINE, f"names 'adapter', which is not merged into its base; {TAKE_OUT}"),
    "a prefix in a stage": ({"methods": ["prefix_then_lora"]}, ENGINE, "names 'prefix_then_lora', which is not merged"),
    "languages apart": ({"also": [{"methods": ["context"]}]}, ENGINE, "names 'context', which is not merged into"),
    "fewer bits": ({"models": ["rough"], "methods": ["lora"]}, ENGINE, "'rough', which has 'precision'; take one of"),
    "a student": ({"models": ["shallow"]}, ENGINE, f"names 'shallow', a student, which it can't read; {TAKE_OUT}"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_an_engine_can_not_do_is_refused(case: str) -> None:
    study, decoding, expected = REFUSED[case]
    with pytest.raises(UserError, match=re.escape(expected)):
        configured(READ | study, **decoding)


def test_a_search_reaches_training_as_ever() -> None:
    assert without_decoding(configured(beam_size=3)) != without_decoding(configured())

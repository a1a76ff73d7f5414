"""What computes the hypotheses of test sets: the same hypotheses with the method merged into the base model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from peft.tuners.tuners_utils import BaseTunerLayer

from mtpeft.core.files import read_lines
from mtpeft.decoding import decode as decoding
from mtpeft.decoding.decode import decode
from mtpeft.decoding.search import Search
from mtpeft.models.load import prepare_torch
from mtpeft.training.finetune import finetune
from support.model import METHODS, arrays, cell, decode_params, inputs, train_params
from support.record import schema_mistakes

STAGED = {
    "method": "staged",
    "stages": [METHODS["layernorm"], METHODS["lora"]],
    "sizes": [1],
    "rate_factors": [1.0, 1.0],
}
MERGED = {"lora": METHODS["lora"], "bitfit": METHODS["bitfit"], "two stages": STAGED}
"""Methods that can be merged, of which one has several stages."""


@pytest.fixture(scope="module")
def trained(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The record of a trained cell of a method, made once."""
    prepare_torch(1)
    made: dict[str, Path] = {}

    def of(method: str) -> Path:
        if method not in made:
            made[method] = tmp_path_factory.mktemp("cell") / "train.json"
            budget = {"budget": None} if method == "bitfit" else {}
            params = train_params("lora", learning_rate=0.02) | {"method": MERGED[method]} | budget
            finetune(params, cell("lora"), inputs=inputs(sweep), record=made[method])
        return made[method]

    return of


@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize("method", MERGED)
def test_hypotheses_are_those_of_the_method_beside_its_base(
    trained: Callable[[str], Path], sweep: Path, monkeypatch: pytest.MonkeyPatch, method: str, beam_size: int
) -> None:
    adapters: list[int] = []

    def watched(model: Any, *given: Any, **named: Any) -> Search:
        adapters.append(sum(isinstance(module, BaseTunerLayer) for module in model.modules()))
        return plain(model, *given, **named)

    plain = decoding.search_with
    monkeypatch.setattr(decoding, "search_with", watched)
    found = {}
    for merged in (False, True):
        record = trained(method).with_name(f"{merged}{beam_size}") / "decode.json"
        params = decode_params() | ({"inference": {"merged": True}} if merged else {})
        params["search"] = params["search"] | {"beam_size": beam_size}
        tests = {part: arrays(sweep, part) for part in ("test", "dev")}
        decode(params, cell("lora"), trained=trained(method), tests=tests, record=record)
        assert schema_mistakes(record, "decode") == []
        found[merged] = [line for name in tests for line in read_lines(record.parent / f"hypotheses/{name}.txt")]
    assert found[True] == found[False]
    assert len(set(found[True])) > 3
    assert [bool(count) for count in adapters] == [True, False]

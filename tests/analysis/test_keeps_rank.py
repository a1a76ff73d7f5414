"""The claim that tuning keeps the rank of the last layers, on the states of a real model that are bent on purpose."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtpeft.analysis.findings.records import FindingRecord
from mtpeft.cells import Cell
from mtpeft.config.contrasts import cells_with_ranks, claim_cells
from mtpeft.core.errors import UserError
from mtpeft.data.token_arrays import read_arrays
from mtpeft.decoding.representations import TokenStates, layer_states, resampled_ranks
from mtpeft.models.load import load_base
from support.adapter import SPECIAL_TOKENS
from support.findings import STUDY, build, configuration_of, found, write
from support.findings_cases import by_method
from support.model import arrays
from support.steps import inputs_of, params_of

LAYERS = {"encoder": "model.encoder.layers.0", "decoder": "model.decoder.layers.0"}
RANKED = {
    "studies": {"ranks": {**STUDY, "figure": "representations", "pairs": ["es-en"], "budgets": ["large"]}},
    "findings": {"kept": {"claim": "keeps_rank", "study": "ranks", "methods": ["adapter", "lora"], "margin": 0.05}},
}
CELLS = [Cell("base", "es-en", "many", "lora", "large", "1"), Cell("base", "es-en", "any", "none", "any", "any")]
Change = Callable[[torch.Tensor], torch.Tensor]


def rotated(hidden: torch.Tensor) -> torch.Tensor:
    """The same states, turned."""
    square = torch.randn(hidden.shape[-1], hidden.shape[-1], generator=torch.Generator().manual_seed(1))
    return hidden @ torch.linalg.qr(square).Q


def flat(hidden: torch.Tensor) -> torch.Tensor:
    """The states on one line."""
    line = torch.randn(hidden.shape[-1], generator=torch.Generator().manual_seed(2))
    return (hidden @ line)[..., None] * line


@pytest.fixture(scope="module")
def ranks(sweep: Path) -> Callable[[Change | None], dict[str, Any]]:
    """Ranks of the last layers of the tiny model, whose states are changed."""

    def measure(change: Change | None) -> dict[str, Any]:
        model = load_base(sweep / "results/models/tiny/checkpoint").eval()
        for layer in LAYERS.values():
            if change:
                model.get_submodule(layer).register_forward_hook(
                    lambda module, given, output: (
                        (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)
                    )
                )
        states = TokenStates({layer: [] for layer in LAYERS.values()})
        pairs = read_arrays(arrays(sweep, "train"))
        seen = layer_states(model, list(LAYERS.values()), pairs, special_tokens=SPECIAL_TOKENS, states=states)
        return {
            "status": "ok",
            "effective_rank": {side: [seen[layer].effective_rank] for side, layer in LAYERS.items()},
            "resampled_rank": {side: resampled_ranks(states, layer, 100) for side, layer in LAYERS.items()},
        }

    return measure


def finding_on(written: dict[str, Any], **changes: Any) -> FindingRecord:
    """The finding where the cells of methods have these records."""
    configuration = configuration_of("kept", **RANKED | changes)
    build(configuration, by_method())
    for cell in claim_cells(params_of("test_claims", configuration)):
        if cell.method in written:
            write(cell.folder / "representations.json", written[cell.method])
    return found(configuration).findings["kept"]


def test_a_flat_layer_is_caught_and_a_turned_one_is_not(
    ranks: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finding = finding_on({"none": ranks(None), "adapter": ranks(flat), "lora": ranks(rotated)})
    verdicts = {row.member: row.test.verdict for row in finding.members}
    assert verdicts["adapter, large, base, es-en, many, decoder"] == "refuted"
    assert verdicts["adapter, large, base, es-en, many, encoder"] == "refuted"
    assert verdicts["lora, large, base, es-en, many, encoder"] == "supported"
    assert (finding.verdict, finding.of) == ("refuted", "models")
    flattened = next(
        row.test for row in finding.members if row.member.startswith("adapter") and "encoder" in row.member
    )
    assert flattened.effect < -0.5 and flattened.interval[0] <= flattened.effect <= flattened.interval[1]


def test_what_is_turned_alone_is_supported_and_unmeasured_ranks_are_named(
    ranks: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = {"findings": {"kept": {**RANKED["findings"]["kept"], "methods": ["lora"]}}}
    own = {"none": ranks(None), "lora": {**ranks(None), "effective_rank": ranks(None)["effective_rank"]}}
    assert finding_on(own, **kept).verdict == "supported"
    old = {key: value for key, value in own["lora"].items() if key != "resampled_rank"}
    finding = finding_on(own | {"lora": old}, **kept)
    assert finding.verdict == "undecided"
    assert all("resampled ranks in" in row.test.reason for row in finding.members)


def test_a_rank_within_the_noise_is_undecided(
    ranks: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = ranks(None)
    generator = np.random.default_rng(1)
    noisy = {
        side: [rank * float(np.exp(generator.normal(0, 0.2))) for rank in own]
        for side, own in plain["resampled_rank"].items()
    }
    kept = {"findings": {"kept": {**RANKED["findings"]["kept"], "methods": ["lora"]}}}
    assert finding_on({"none": plain, "lora": plain | {"resampled_rank": noisy}}, **kept).verdict == "undecided"


def test_resampled_ranks_are_those_of_the_drawn_sentences() -> None:
    rows = torch.randn(12, 4, generator=torch.Generator().manual_seed(3))
    places = np.repeat(np.arange(4), 3)
    states = TokenStates({"layer": [(rows[:6], places[:6]), (rows[6:], places[6:])]})
    counts = np.random.default_rng([24_11, 4]).multinomial(4, np.full(4, 0.25))
    drawn = torch.cat([rows[places == sentence] for sentence in range(4) for _ in range(counts[sentence])])
    singular = torch.linalg.svdvals(drawn.double())
    shares = (singular / singular.sum()).clamp_min(1e-300)
    assert resampled_ranks(states, "layer", 1)[0] == pytest.approx(
        float((-(shares * shares.log()).sum()).exp()), abs=1e-4
    )


def test_only_cells_of_such_a_claim_have_their_ranks_resampled() -> None:
    configuration = configuration_of("kept", **RANKED)
    assert set(CELLS) <= cells_with_ranks(configuration)
    without = configuration_of(
        "kept", **RANKED | {"findings": {"kept": {"claim": "falls_with_budget", "study": "ranks", "methods": ["lora"]}}}
    )
    for cell in CELLS:
        params = [params_of("represent", own, cell) for own in (configuration, without)]
        assert params[0] == params[1] | {"resamples": 500}
    files = inputs_of("test_claims", configuration)["ranks"]
    assert len(files) == 4 * 3 + 1
    assert "ranks" not in inputs_of("test_claims", without)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"studies": {"ranks": {**RANKED["studies"]["ranks"], "figure": "budgets"}}}, "has another figure than"),
        ({"studies": {"ranks": {**RANKED["studies"]["ranks"], "methods": ["lora", "none"]}}}, "has no 'adapter'"),
    ],
)
def test_a_study_without_ranks_or_methods_says_so(changes: dict[str, Any], said: str) -> None:
    finding = params_of("test_claims", configuration_of("kept", **RANKED | changes))["claims"]["kept"]
    assert said in finding["lacks"][0] and finding["members"] == []


def test_the_margin_is_asked_for() -> None:
    with pytest.raises(UserError, match=r"'findings\.kept\.margin' is missing"):
        configuration_of("kept", **RANKED | {"findings": {"kept": {**RANKED["findings"]["kept"], "margin": None}}})

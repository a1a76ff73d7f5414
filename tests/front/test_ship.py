"""Models that were made here are put beside those that come with the project: pruned ones as well."""

from pathlib import Path

import pytest
import torch

from mtpeft.config.load import merge, validate
from mtpeft.core.errors import UserError
from mtpeft.core.files import write_record
from mtpeft.core.records import DataRecord
from mtpeft.front.model_cards import smaller_card
from mtpeft.front.ship import OWN, ship, ship_model
from mtpeft.models.derived.prune import copy_pruned
from mtpeft.models.load import load_base
from support.default import DEFAULT
from support.family import build_checkpoint


@pytest.mark.parametrize("kind", ["weights", "feed_forward"])
def test_a_pruned_model_is_shipped_with_its_zeros_or_its_smaller_matrices(kind: str, tmp_path: Path) -> None:
    base, record = tmp_path / "base.json", tmp_path / "results/models/half-01234567/base.json"
    folder = build_checkpoint("marian", tmp_path / "own")
    content = {"folder": str(folder), "model": "own", "total_parameters": 7, "exposure": "unknown"}
    write_record(base, content)
    copied = tmp_path / "results/models/half-01234567/pruned"
    copied.mkdir(parents=True)
    counted = copy_pruned(folder, copied, kind=kind, share=0.5, key="models.half.prune.kind")
    card = smaller_card(
        {
            "model": "half",
            "total_parameters": 5,
            "params": {"kind": kind, "share": 0.5},
            "origin": {"model": "own", "total_parameters_before": 7, **counted},
        },
        0.1,
        data=DataRecord(pairs={}, corpora={}),
        licence=OWN,
    )
    assert "50% of the" in card and "as it is left, without any training" in card and "which has 7" in card
    write_record(record, {**content, "folder": str(copied), "model": "half", "sha256": {}})
    shipped = tmp_path / "shipped"
    ship_model(record, shipped, data=DataRecord(pairs={}, corpora={}), write_card=lambda kept, size: card)
    opened, before = load_base(shipped), load_base(copied)
    for (name, weight), own in zip(opened.named_parameters(), before.parameters(), strict=True):
        assert weight.shape == own.shape, name
        torch.testing.assert_close(weight, own, rtol=2e-3, atol=1e-6)
        assert torch.equal(weight == 0, own == 0), name


def test_shipping_asks_for_pruned_models_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    models = {"half": {"prune": {"model": "small", "kind": "weights", "share": 0.5}}}
    with pytest.raises(UserError, match="The model 'half' is not there yet; make it with `make pretrain`"):
        list(ship(validate(merge(DEFAULT, {"models": models}))))

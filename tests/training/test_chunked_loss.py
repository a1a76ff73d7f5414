"""The loss of a large vocabulary in chunks: the gradient is that of whole logits but for rounding."""

from pathlib import Path

import pytest
import torch
from torch import nn

from mtpeft.models.load import prepare_torch
from mtpeft.training import chunked_loss
from support.method import FAMILIES, VOCABULARY, Subject, batch, write_base
from support.objective import gradients

METHODS = {
    "full": ({"method": "full"}, None),
    "lora": ({"method": "lora", "scaling": 2.0}, 0.2),
    "embeddings": ({"method": "embeddings"}, None),
}
"""Methods that train the output projection, leave it frozen, or train the rows that it shares with the embeddings."""


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("family", FAMILIES)
def test_chunks_have_the_gradient_of_whole_logits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, method: str, smoothing: float
) -> None:
    prepare_torch(1)
    subject = Subject(write_base(family, tmp_path), *METHODS[method])
    inputs = batch(subject.special_tokens())
    whole = gradients(_model(subject), inputs, smoothing)
    monkeypatch.setattr(chunked_loss, "MOST_LOGITS", 3 * VOCABULARY)
    seen = _rows_of_output(monkeypatch)
    chunked = gradients(_model(subject), inputs, smoothing)
    assert max(seen) <= 3, "no more logits than these are ever computed at once"
    assert chunked[0] == pytest.approx(whole[0], rel=1e-5)
    for one, other in zip(chunked[1], whole[1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_logits_come_back_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Subject(write_base("mbart", tmp_path), *METHODS["lora"])
    inputs, model = batch(subject.special_tokens()), _model(subject)
    before = model.eval()(**inputs).logits
    monkeypatch.setattr(chunked_loss, "MOST_LOGITS", 3 * VOCABULARY)
    gradients(model, inputs, 0.1)
    assert torch.equal(model.eval()(**inputs).logits, before)


def test_few_logits_are_never_divided(tmp_path: Path) -> None:
    model = Subject(write_base("mbart", tmp_path), *METHODS["full"]).untouched()
    most = chunked_loss.MOST_LOGITS // VOCABULARY
    assert not chunked_loss.needs_chunks(model, most)
    assert chunked_loss.needs_chunks(model, most + 1)


def _model(subject: Subject) -> nn.Module:
    return subject.stirred() if subject.params["method"] != "full" else subject.untouched().train()


def _rows_of_output(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows of each loss that is computed."""
    real, rows = chunked_loss.cross_entropy_in_place, []

    def counted(logits: torch.Tensor, *more: object, **options: object) -> torch.Tensor:
        rows.append(len(logits))
        return real(logits, *more, **options)

    monkeypatch.setattr(chunked_loss, "cross_entropy_in_place", counted)
    return rows

"""Attention of every family is computed by torch's scaled dot-product attention, behind a prefix as well."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from mtpeft.models.attention import is_attention
from support.method import FAMILIES, Subject, batch, write_base

BENT = ("gemma2",)
"""Families that bend the scores of attention, which torch's function can't."""


@pytest.mark.parametrize("method", [{"method": "full"}, {"method": "prefix"}], ids=["base", "prefix"])
@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in BENT])
def test_attention_is_scaled_dot_product_attention(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, method: dict[str, str]
) -> None:
    subject = Subject(write_base(family, tmp_path), method, 0.05 if method["method"] == "prefix" else None)
    model = subject.untouched() if subject.share is None else subject.stirred()
    modules = sum(map(is_attention, subject.base_model.modules()))
    real, calls = functional.scaled_dot_product_attention, []

    def counted(*given: torch.Tensor, **options: object) -> torch.Tensor:
        calls.append(given[0].shape)
        return real(*given, **options)

    monkeypatch.setattr(functional, "scaled_dot_product_attention", counted)
    model(**batch(subject.special_tokens()), use_cache=False)
    assert len(calls) == modules > 0

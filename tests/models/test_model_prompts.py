"""The text before a source sentence: the family's own, or that of the configuration."""

from pathlib import Path

import pytest

from mtpeft.config.load import merge, validate
from mtpeft.config.model_languages import prompt_mistakes
from mtpeft.config.models import Model
from mtpeft.core.errors import UserError
from mtpeft.models.local import take_in_folder
from mtpeft.models.tokenizer import encode, open_tokenizer
from support.default import DEFAULT
from support.family import build_checkpoint
from support.model import SPANISH_ENGLISH
from support.steps import base_params, params_of

PAIR = {"source": "es", "target": "en"}
PROMPTS = {
    None: "translate Spanish to English: ",
    "": "",
    "{target}: ": "English: ",
    "{source_code}>{target_code} ": "es>en ",
    "Say {{this}} in {target}: ": "Say {this} in English: ",
}
WRONG = {
    "translate to {language}: ": r"'models.mine.prompt' has '\{language\}', which stands for nothing; write \{source\}",
    "translate to {target": "a brace too many or too few",
    "translate to {0}": "stands for nothing",
    "translate to {}": "stands for nothing",
    "translate to {target!r}": "stands for nothing",
    "translate to {target.__class__}": "stands for nothing",
    "translate to {target:>20}": "stands for nothing",
}


@pytest.fixture(scope="module")
def mt5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_checkpoint("mt5", tmp_path_factory.mktemp("prompts") / "mt5")


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_prompt_stands_before_every_source_and_before_no_target(mt5: Path, prompt: str | None) -> None:
    tokenizer = open_tokenizer(mt5, PAIR, vocabulary="mine", prompt=prompt)
    sources, targets = ([pair[side] for pair in SPANISH_ENGLISH[:5]] for side in (0, 1))
    own = tokenizer.pretrained([PROMPTS[prompt] + source for source in sources])["input_ids"]
    assert encode(tokenizer, sources, "source", max_length=500) == own
    assert encode(tokenizer, targets, "target", max_length=500) == tokenizer.pretrained(targets)["input_ids"]


@pytest.mark.parametrize("prompt", WRONG)
def test_a_prompt_that_nobody_can_fill_in_is_refused(prompt: str) -> None:
    (said,) = prompt_mistakes("models.mine", Model(hub="owner/name@0123abc", prompt=prompt))
    with pytest.raises(UserError, match=WRONG[prompt]):
        raise UserError(said)


def test_a_prompt_beside_tokens_of_languages_is_refused(tmp_path: Path) -> None:
    folder = build_checkpoint("nllb", tmp_path / "nllb")
    (said,) = prompt_mistakes("models.mine", Model(path=str(folder), prompt="{target}: "))
    assert "'models.mine.prompt' is for models that are told the languages in words" in said
    params = {"step_version": 1, "path": str(folder), "prompt": "{target}: "}
    with pytest.raises(UserError, match=r"'models.mine.prompt' is for models that are told the languages in words"):
        take_in_folder(params, record=tmp_path / "mine/base.json")


def test_a_prompt_is_in_the_params_of_its_model_and_its_tokens_only(mt5: Path) -> None:
    given = {"models": {"plain": {"path": str(mt5)}, "asked": {"path": str(mt5), "prompt": "{target}: "}}}
    configuration = validate(merge(DEFAULT, given))
    for params_of_model in (base_params, lambda own, model: params_of("encode_pair", own, model, "es-en")):
        plain, asked = (params_of_model(configuration, model) for model in ("plain", "asked"))
        assert "prompt" not in plain
        assert asked["prompt"] == "{target}: "

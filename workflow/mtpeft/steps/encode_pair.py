"""Turn the text of a pair into token arrays: `data/tokens/<vocabulary>-<digest>/<pair>-<digest>/<part>.safetensors`."""

from pathlib import Path

from mtpeft.config.resolve import model_folder, model_with, pair_languages, prompt_params
from mtpeft.config.schema import Configuration
from mtpeft.models.config_json import EXTENDED
from mtpeft.steps.base_models import base_file, model_home, vocabulary_folder
from mtpeft.steps.step import Params, Step

TRAINING_PARTS = ("train", "dev", "pretrain")


def params(configuration: Configuration, vocabulary: str, pair: str) -> Params:
    """Params of the token arrays of a pair in a vocabulary; a model in a folder says how long they may be."""
    source, target = pair_languages(configuration, pair)
    model = model_with(configuration, vocabulary)
    pretrain = configuration.models[model].pretrain
    return {
        "source": source,
        "target": target,
        "vocabulary": vocabulary,
        **({"max_positions": pretrain.max_positions} if pretrain else {}),
        **prompt_params(configuration, model),
    }


def tokenizer_file(configuration: Configuration, vocabulary: str) -> str:
    """A file that is there when the tokenizer of a vocabulary is."""
    model = model_with(configuration, vocabulary)
    if configuration.models[model].hub or configuration.models[model].extend:
        return base_file(configuration, model)
    return f"{tokenizer_folder(configuration, vocabulary)}/tokenizer_config.json"


def tokenizer_folder(configuration: Configuration, vocabulary: str) -> str:
    """The folder of the tokenizer of a vocabulary."""
    model = model_with(configuration, vocabulary)
    entry = configuration.models[model]
    if entry.extend:
        return f"{model_home(configuration, model)}/{EXTENDED}"
    return vocabulary_folder(configuration, vocabulary) if entry.pretrain else str(model_folder(configuration, model))


def run(params: Params, *, tokenizer: Path, texts: list[Path], arrays: list[Path]) -> None:
    """Turn the sentence pairs of a pair into token arrays, exactly as the model's own tokenizer does."""
    from mtpeft.data.encode import encode_pair

    encode_pair(params, tokenizer=tokenizer, parts=dict(zip(texts, arrays, strict=True)))


STEP = Step("encode_pair", 3, ("vocabulary", "pair"), params, run, makes=("arrays",), starts_slowly=True)

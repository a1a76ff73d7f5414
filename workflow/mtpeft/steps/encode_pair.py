"""Turn the text of a pair into token arrays: `data/tokens/<vocabulary>-<digest>/<pair>-<digest>/<part>.safetensors`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.config import model_shapes, pairs
from mtpeft.models.derived import model_source_of
from mtpeft.steps.base_models import base_file, model_home, vocabulary_folder
from mtpeft.steps.decontaminate_pair import pair_folder
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

TRAINING_PARTS = ("train", "dev", "pretrain")


def params(configuration: "Configuration", vocabulary: str, pair: str) -> Params:
    """Params of the token arrays of a pair in a vocabulary; a model in a folder says how long they may be."""
    source, target = pairs.pair_languages(configuration, pair)
    model = model_shapes.model_with(configuration, vocabulary)
    pretrain = configuration.models[model].pretrain
    return {
        "source": source,
        "target": target,
        "vocabulary": vocabulary,
        **({"max_positions": pretrain.max_positions} if pretrain else {}),
        **model_shapes.prompt_params(configuration, model),
    }


def tokenizer_file(configuration: "Configuration", vocabulary: str) -> str:
    """A file that is there when the tokenizer of a vocabulary is."""
    model = model_shapes.model_with(configuration, vocabulary)
    if model_source_of(configuration.models[model]).brings_tokenizer:
        return base_file(configuration, model)
    return f"{tokenizer_folder(configuration, vocabulary)}/tokenizer_config.json"


def tokenizer_folder(configuration: "Configuration", vocabulary: str) -> str:
    """The folder of the tokenizer of a vocabulary."""
    model = model_shapes.model_with(configuration, vocabulary)
    entry = configuration.models[model]
    if entry.made_from:
        return f"{model_home(configuration, model)}/{model_source_of(entry).folder}"
    return (
        vocabulary_folder(configuration, vocabulary)
        if entry.pretrain
        else str(model_shapes.model_folder(configuration, model))
    )


def inputs(configuration: "Configuration", vocabulary: str, pair: str, part: str = "") -> Inputs:
    """The tokenizer, and the text of one part of the pair or, where none is named, of those that it is trained on."""
    parts = [part] if part else TRAINING_PARTS
    return {
        "vocabulary": tokenizer_file(configuration, vocabulary),
        "texts": [f"{pair_folder(configuration, pair)}/{part}.tsv" for part in parts],
    }


def run(params: Params, *, tokenizer: Path, texts: list[Path], arrays: list[Path]) -> None:
    """Turn the sentence pairs of a pair into token arrays, exactly as the model's own tokenizer does."""
    from mtpeft.data.encode import encode_pair

    encode_pair(params, tokenizer=tokenizer, parts=dict(zip(texts, arrays, strict=True)))


STEP = Step(
    "encode_pair",
    3,
    ("vocabulary", "pair"),
    params,
    run,
    inputs,
    makes=("arrays",),
    record="data/tokens/{vocabulary}/{pair}/{part}.json",
    optional=("part",),
    starts_slowly=True,
)

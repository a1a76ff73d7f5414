"""Where the files of base models lie, and of what they are made from: inputs of rules as functions of the wildcards."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mtpeft.cells import ANY
from mtpeft.config import folders
from mtpeft.config.resolve import model_folder, model_with, vocabulary_of, vocabulary_pairs
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import all_cells
from mtpeft.config.wildcards import Wildcards
from mtpeft.core.project import found_path


def vocabulary_text(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Text that a model's vocabulary is learnt from."""
    pairs = vocabulary_pairs(configuration, model_with(configuration, wildcards["vocabulary"]))
    return [f"{folders.pair_folder(configuration, pair)}/pretrain.tsv" for pair in pairs]


def pretrain_arrays(part: str) -> Any:
    """Input function for the token arrays of one part of all pairs that a model is pre-trained on."""

    def arrays(configuration: Configuration, wildcards: Wildcards) -> list[str]:
        model = wildcards["model"]
        pairs = configuration.models[model].pretrain.pairs
        return [f"{folders.tokens_folder(configuration, model, pair)}/{part}.safetensors" for pair in pairs]

    return arrays


def tokenizer(configuration: Configuration, wildcards: Wildcards) -> str:
    """A file that is there when the tokenizer of a vocabulary is."""
    model = model_with(configuration, wildcards["vocabulary"])
    if configuration.models[model].hub or configuration.models[model].extend:
        return folders.base_file(configuration, model)
    return f"{tokenizer_folder(configuration, wildcards)}/tokenizer_config.json"


def tokenizer_folder(configuration: Configuration, wildcards: Wildcards) -> str:
    """Where the tokenizer of a vocabulary lies."""
    label = wildcards["vocabulary"]
    model = model_with(configuration, label)
    pretrained = configuration.models[model].pretrain
    return folders.vocabulary_folder(configuration, label) if pretrained else str(model_folder(configuration, model))


def pretrain_tokenizer(configuration: Configuration, wildcards: Wildcards) -> str:
    """A file of the tokenizer of a model that is pre-trained."""
    return tokenizer(configuration, {"vocabulary": vocabulary_of(configuration, wildcards["model"])})


def extend_inputs(configuration: Configuration, wildcards: Wildcards) -> Mapping[str, str | list[str]]:
    """What a model with a larger vocabulary is made from, by the name of the option that takes it."""
    extension = configuration.models[wildcards["model"]].extend
    pairs = extension.pieces.pairs if extension.pieces else []
    return {
        "base": folders.base_file(configuration, extension.model),
        "texts": [f"{folders.pair_folder(configuration, pair)}/train.tsv" for pair in pairs],
    }


def judge_inputs(configuration: Configuration, wildcards: Wildcards) -> Mapping[str, str]:
    """What a base model is judged on, by the name of the option that takes it."""
    model, pair = wildcards["model"], wildcards["pair"]
    return {
        "base": folders.base_file(configuration, model),
        "dev": f"{folders.tokens_folder(configuration, model, pair)}/dev.safetensors",
        "dev-text": f"{folders.pair_folder(configuration, pair)}/dev.tsv",
    }


def start_records(configuration: Configuration) -> list[str]:
    """Each base model of the studies at work on the dev set of each pair that it is tuned on."""
    cells = all_cells(configuration)
    judged = dict.fromkeys((cell.model, pair) for cell in cells if cell.model != ANY for pair in cell.members)
    return [folders.start_file(configuration, model, pair) for model, pair in judged]


def local_files(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Files of a model that lies in a folder: when they change, so does what is trained from them."""
    folder = found_path(str(configuration.models[wildcards["model"]].path))
    patterns = ("config.json", "*.safetensors", "*token*.json", "vocab*.json", "*.model", "*.spm")
    return sorted({str(file) for pattern in patterns for file in folder.glob(pattern)})


def models_with(configuration: Configuration, key: str) -> str:
    """Pattern of the names of models that have a key: each kind is made by a rule of its own."""
    return _names(configuration, [label for label, model in configuration.models.items() if getattr(model, key)])


def all_models(configuration: Configuration) -> str:
    """Pattern of the names of all models."""
    return _names(configuration, configuration.models)


def all_bases(configuration: Configuration) -> list[str]:
    """Records of all base models."""
    return [folders.base_file(configuration, model) for model in configuration.models]


def _names(configuration: Configuration, labels: Iterable[str]) -> str:
    return "|".join(re.escape(folders.model_name(configuration, label)) for label in labels) or "(?!)"


def threads(configuration: Configuration, wildcards: Wildcards) -> int:
    """Threads that the jobs of a model take."""
    model = wildcards["model"]
    return 1 if model == ANY else configuration.models[model].threads


def training_threads(configuration: Configuration, wildcards: Wildcards) -> int:
    """Threads of all processes that train a model together."""
    return threads(configuration, wildcards) * max(1, execution(configuration, wildcards, "gpus"))


def cells_per_gpu(configuration: Configuration, wildcards: Wildcards) -> int:
    """How many jobs of a model may share a GPU."""
    model = wildcards["model"]
    return 1 if model == ANY else configuration.models[model].cells_per_gpu


def execution(configuration: Configuration, wildcards: Wildcards, key: str) -> int:
    """How a model is trained, on which no result depends but for rounding: a key of its entry, 0 for an empty one."""
    model = wildcards["model"]
    return 0 if model == ANY else int(getattr(configuration.models[model], key) or 0)

"""Names of base models and of their vocabularies, with digests of all that they are made from.

A base model is pre-trained here, found in a folder, fetched from a hub, or made from another base model; each kind has
a step of its own, whose record is `results/models/<model>-<digest>/base.json`.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from mtpeft.cells import ANY, digest_of, name_of
from mtpeft.config import model_shapes
from mtpeft.config import pairs as pairs_config
from mtpeft.core import section
from mtpeft.core.files import found_path
from mtpeft.core.provenance import NOWHERE
from mtpeft.steps.clean_pair import CACHED
from mtpeft.steps.decontaminate_pair import pair_digest, pair_folder, pair_name
from mtpeft.steps.step import Labels, Params

if TYPE_CHECKING:
    from mtpeft.config.healing import Healing
    from mtpeft.config.schema import Configuration

BASE_RECORD = "results/models/{model}/base.json"
"""Path of the record of a base model, whichever step makes it."""


def comes_from(key: str) -> "Callable[[Configuration, Labels], bool]":
    """Whether a model has this key in its entry, which says where it comes from."""
    return lambda configuration, labels: bool(getattr(configuration.models[labels["model"]], key))


def pretrain_params(configuration: "Configuration", model: str) -> Params:
    """Params of the pre-training of a model."""
    from mtpeft.models.derived.pretrain import mbart_config

    entry = configuration.models[model]
    taken = ("objective", "rows", "updates", "learning_rate", "batch_tokens", "seed")
    return {
        "config": mbart_config(section.plain(entry.pretrain), model_shapes.pretrain_languages(configuration, model)),
        "threads": entry.threads,
        "noise": section.plain(entry.pretrain.noise),
        **{key: getattr(entry.pretrain, key) for key in taken},
        **({"inherit": section.plain(entry.pretrain.inherit)} if entry.pretrain.inherit else {}),
    }


def extend_params(configuration: "Configuration", model: str) -> Params:
    """Params of a model with more entries in its vocabulary than another."""
    extension = configuration.models[model].extend
    pieces = extension.pieces
    sides = {pair: pairs_config.pair_languages(configuration, pair) for pair in (pieces.pairs if pieces else ())}
    return {
        "model": extension.model,
        "languages": {language: new.like for language, new in extension.languages.items()},
        "pieces": pieces.entries if pieces else 0,
        "sides": [("source", "target")[sides[pair].index(pieces.language)] for pair in sides],
        **({"letters": extension.letters} if extension.letters else {}),
        **model_shapes.prompt_params(configuration, model),
    }


def trim_params(configuration: "Configuration", model: str) -> Params:
    """Params of a model with fewer entries in its vocabulary than another."""
    trimming = configuration.models[model].trim
    sides = (pairs_config.pair_languages(configuration, pair) for pair in trimming.pairs)
    return {
        "model": trimming.model,
        "entries": trimming.entries,
        "languages": [{"source": source, "target": target} for source, target in sides],
        **model_shapes.prompt_params(configuration, model),
    }


def drop_layers_params(configuration: "Configuration", model: str) -> Params:
    """Params of a model with fewer layers than another, with those of the full fine-tuning that heals it."""
    dropped = configuration.models[model].drop_layers
    return {
        "model": dropped.model,
        "encoder": dropped.encoder,
        "decoder": dropped.decoder,
        "heal": _healing_params(configuration, model, dropped.heal),
        **model_shapes.prompt_params(configuration, model),
    }


def prune_params(configuration: "Configuration", model: str) -> Params:
    """Params of a model with fewer weights than another, with those of the full fine-tuning, if that heals it."""
    pruned = configuration.models[model].prune
    return {
        "model": pruned.model,
        "kind": pruned.kind,
        "share": pruned.share,
        **({"heal": _healing_params(configuration, model, pruned.heal)} if pruned.heal else {}),
        **model_shapes.prompt_params(configuration, model),
    }


def _healing_params(configuration: "Configuration", model: str, healing: "Healing") -> Params:
    """Params of the full fine-tuning that heals a model."""
    from mtpeft.core.options import DecodingOptions, TrainingOptions

    source, target = pairs_config.pair_languages(configuration, healing.pair)
    heal = section.plain(healing)
    optimisation = section.plain(TrainingOptions(dropout=healing.dropout, label_smoothing=0.0))
    del optimisation["temperature"]
    return {
        "method": {"method": "full"},
        "languages": {"source": source, "target": target},
        "budget": None,
        "optimisation": optimisation
        | {key: heal[key] for key in ("batch_tokens", "evaluations", "updates", "learning_rate")},
        "search": section.plain(DecodingOptions()),
        "seed": heal["seed"],
        "threads": configuration.models[model].threads,
    }


def folder_params(configuration: "Configuration", model: str) -> Params:
    """Params of a model that lies in a folder."""
    path = str(found_path(str(configuration.models[model].path)))
    return {"path": path, **model_shapes.prompt_params(configuration, model)}


def vocabulary_params(configuration: "Configuration", vocabulary: str) -> Params:
    """Params of a vocabulary that is learnt here."""
    model = model_shapes.model_with(configuration, vocabulary)
    return {
        "size": configuration.models[model].pretrain.vocabulary,
        "languages": model_shapes.pretrain_languages(configuration, model),
    }


@lru_cache(maxsize=CACHED)
def model_name(configuration: "Configuration", model: str) -> str:
    """Label of a base model with the digest of what it is made from."""
    entry = configuration.models[model]
    if entry.pretrain:
        texts = [pair_digest(configuration, pair) for pair in entry.pretrain.pairs]
        teacher = [model_name(configuration, entry.pretrain.inherit.model)] if entry.pretrain.inherit else []
        read = [vocabulary_name(configuration, model_shapes.vocabulary_of(configuration, model)), *texts, *teacher]
        return name_of(model, digest_of(pretrain_params(configuration, model), read))
    if entry.extend:
        pairs = entry.extend.pieces.pairs if entry.extend.pieces else []
        origin = model_name(configuration, entry.extend.model)
        read = [origin, *(pair_digest(configuration, pair) for pair in pairs)]
        return name_of(model, digest_of(extend_params(configuration, model), read))
    if entry.trim:
        origin = model_name(configuration, entry.trim.model)
        read = [origin, *(pair_digest(configuration, pair) for pair in entry.trim.pairs)]
        return name_of(model, digest_of(trim_params(configuration, model), read))
    if entry.drop_layers:
        origin, pair = entry.drop_layers.model, entry.drop_layers.heal.pair
        read = [model_name(configuration, origin), pair_digest(configuration, pair)]
        return name_of(model, digest_of(drop_layers_params(configuration, model), read))
    if entry.prune:
        heal = [pair_digest(configuration, entry.prune.heal.pair)] if entry.prune.heal else []
        read = [model_name(configuration, entry.prune.model), *heal]
        return name_of(model, digest_of(prune_params(configuration, model), read))
    # The place of a folder depends on the working directory, but not its identity.
    made_from = {"path": entry.path} if entry.path else model_shapes.fetched_params(configuration, model)
    return name_of(model, digest_of(made_from, []))


@lru_cache(maxsize=CACHED)
def vocabulary_name(configuration: "Configuration", vocabulary: str) -> str:
    """Label of a vocabulary with the digest of the text that it is learnt from, or of the model that it comes with."""
    model = model_shapes.model_with(configuration, vocabulary)
    if not configuration.models[model].pretrain:
        return model_name(configuration, model)
    texts = [pair_digest(configuration, pair) for pair in model_shapes.vocabulary_pairs(configuration, model)]
    return name_of(vocabulary, digest_of(vocabulary_params(configuration, vocabulary), texts))


def vocabulary_folder(configuration: "Configuration", vocabulary: str) -> str:
    """The folder of a vocabulary that is learnt here."""
    return f"data/vocabularies/{vocabulary_name(configuration, vocabulary)}"


def model_home(configuration: "Configuration", model: str) -> str:
    """The folder of a base model, or of its record alone."""
    return f"results/models/{model_name(configuration, model)}"


def base_file(configuration: "Configuration", model: str) -> str:
    """The record of a base model."""
    return f"{model_home(configuration, model)}/base.json"


def all_bases(configuration: "Configuration") -> list[str]:
    """Records of all base models."""
    return [base_file(configuration, model) for model in configuration.models]


def tokens_folder(configuration: "Configuration", model: str, pair: str) -> str:
    """The folder with the token arrays of a pair in the vocabulary of a model."""
    vocabulary = vocabulary_name(configuration, model_shapes.vocabulary_of(configuration, model))
    return f"data/tokens/{vocabulary}/{pair_name(configuration, pair)}"


def train_text(configuration: "Configuration", pair: str) -> str:
    """The training text of a pair."""
    return f"{pair_folder(configuration, pair)}/train.tsv"


def threads(configuration: "Configuration", model: str) -> int:
    """Threads that the jobs of a model take."""
    return 1 if model == ANY else configuration.models[model].threads


def training_threads(configuration: "Configuration", model: str) -> int:
    """Threads of all processes that train a model together."""
    return threads(configuration, model) * max(1, execution(configuration, model, "gpus"))


def cells_per_gpu(configuration: "Configuration", model: str) -> int:
    """Number of jobs of a model that may share a GPU."""
    return 1 if model == ANY else configuration.models[model].cells_per_gpu


def offload(configuration: "Configuration", model: str) -> str:
    """Where the layers of a model lie until they run, or that none do, in a word: a shell drops an empty argument."""
    return NOWHERE if model == ANY else configuration.models[model].offload or NOWHERE


def execution(configuration: "Configuration", model: str, key: str) -> int:
    """A key for running the training of a model, which changes results by rounding only; 0 for an empty one."""
    return 0 if model == ANY else int(getattr(configuration.models[model], key) or 0)

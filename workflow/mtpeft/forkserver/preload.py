"""All that the steps of a cell import, which takes longer than the work of a small one."""

import importlib

MODULES = (
    "mtpeft.decoding.decode",
    "mtpeft.decoding.retrieval",
    "mtpeft.training.pretrain",
    "mtpeft.metrics.score",
    "sacrebleu.metrics",
    "mtpeft.data.vocabulary",
    "mtpeft.training.finetune",
    "mtpeft.training.rate_search",
    "mtpeft.training.untrained",
    "peft",
    "transformers.models.mbart.modeling_mbart",
    "transformers.models.mbart50.tokenization_mbart50",
)


def preload() -> None:
    """Import them, and with them those that they import when they are first used.

    Transformers compiles a thousand patterns for the names of weights when it loads the first model, and the identifier
    of languages that scoring asks reads its own, which each fork would do anew.
    """
    for module in MODULES:
        importlib.import_module(module)
    importlib.import_module("transformers.conversion_mapping").get_checkpoint_conversion_mapping("mbart")
    importlib.import_module("mtpeft.data.identify").labels_of("en")

"""Load what the steps of a cell import, for the fork server: it takes longer than the work of a small step."""

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
    """Import the modules, and have them do now what they otherwise do at their first use, in each fork anew.

    Transformers compiles a thousand patterns for the names of weights when it loads the first model, and the language
    identification that scoring uses reads its model.
    """
    from mtpeft.core import compat
    from mtpeft.data.language_identification import labels_of

    for module in MODULES:
        importlib.import_module(module)
    compat.compile_weight_patterns()
    labels_of("en")

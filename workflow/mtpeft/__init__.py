"""When does parameter-efficient fine-tuning work for machine translation? The library behind the workflow.

Importing it is cheap; torch, transformers and peft are loaded by the steps that need them. It registers the adapters of
the package with peft, so that `PeftModel.from_pretrained` opens every `tuned/` folder that the workflow wrote, and its
architectures with transformers, so that the Auto classes open every folder of a base model.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.core.import_hooks import after_import, import_first

if TYPE_CHECKING:
    from mtpeft.decoding.translator import Translator


AUTO_CONFIG = "transformers.models.auto.configuration_auto"
"""Module of transformers that finds the configuration of a model by the `model_type` of its config.json."""


def _register_adapters() -> None:
    from mtpeft.methods import register_adapters

    register_adapters()


def _is_adapter(module: str) -> bool:
    return module.startswith("mtpeft.methods.") and module.endswith("_adapter")


def _register_configurations() -> None:
    from mtpeft.models.student_config import register_config

    register_config()


if not sys.flags.no_site:  # else this is an environment of its own, with other versions of these libraries
    after_import("peft", _register_adapters)
    import_first("peft", _is_adapter)
    after_import(AUTO_CONFIG, _register_configurations)


def load(cell: str | Path, pair: str | None = None) -> "Translator":
    """Open a trained cell: its six labels joined with slashes, or its folder `results/cells/…`.

    Args:
        cell: folder or labels.
        pair: which one it translates, where it was trained on several.

    Raises:
        UserError: there is no such trained cell, or it was not trained on the pair.
    """
    from mtpeft.decoding.translator import load_cell

    return load_cell(cell, pair)

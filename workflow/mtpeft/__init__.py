"""When does parameter-efficient fine-tuning work for machine translation? The library behind the workflow.

Importing it is cheap; torch, transformers and peft are loaded by the steps that need them. It registers the adapters of
the package with peft, so that `PeftModel.from_pretrained` opens every `tuned/` folder that the workflow wrote.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.core import peft_hook

if TYPE_CHECKING:
    from mtpeft.decoding.translator import Translator


def _register_adapters() -> None:
    from mtpeft.methods import register_adapters

    register_adapters()


def _is_adapter(module: str) -> bool:
    return module.startswith("mtpeft.methods.") and module.endswith("_adapter")


peft_hook.after_peft(_register_adapters, _is_adapter)


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

"""Methods that peft has already, named as its types of tuner are, in capitals: rows of a table for each kind."""

import importlib
import pkgutil
from typing import TYPE_CHECKING

from mtpeft.core.registry import entries_in

if TYPE_CHECKING:
    from mtpeft.methods.peft.tuner import SizedByLayer


def tuners_with_sizes() -> "list[SizedByLayer]":
    """Return the tuners that peft itself can't give a size for each module."""
    from mtpeft.methods.peft.tuner import SizedByLayer

    names = [found.name for found in pkgutil.iter_modules(__path__) if not found.name.endswith("_adapter")]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return [tuner for module in modules for tuner in entries_in(module, SizedByLayer) if not tuner.patterns]

"""Adapter modules that peft lacks on encoder-decoder models; importing this module makes peft know all of them.

Each module whose name ends in `_adapter` registers its own classes when it is imported.
"""

import importlib
import pkgutil

from mtpeft import methods
from mtpeft.methods import peft

for package in (methods, peft):
    for found in pkgutil.iter_modules(package.__path__):
        if found.name.endswith("_adapter"):
            importlib.import_module(f"{package.__name__}.{found.name}")

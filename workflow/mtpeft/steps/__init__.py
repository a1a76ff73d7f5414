"""The steps of the workflow, in the order of the data flow: each is declared once, in a module of its own.

Running a step needs no configuration, and loading `mtpeft.config` takes longer than many a step, so it is imported
lazily. Modules of this package therefore import modules of `mtpeft.config` as a whole, and nothing from them.
"""

import importlib.util
import pkgutil
import sys

from mtpeft import config

ALSO = (
    *("mtpeft.core.section", "mtpeft.data.sources", "mtpeft.isolated.install"),
    *("mtpeft.metrics.own_environment", "mtpeft.models.config_json"),
)
"""Modules outside of `mtpeft.config` that take long to load, and that params and inputs alone need."""


def load_when_used(name: str) -> None:
    """Have a module be loaded when something of it is first used (see `importlib.util.LazyLoader`)."""
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    spec.loader = loader = importlib.util.LazyLoader(spec.loader)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    # Else an import from its package would look at the module, and load it.
    package, _, own = name.rpartition(".")
    setattr(importlib.import_module(package), own, module)


for found in pkgutil.iter_modules(config.__path__, "mtpeft.config."):
    load_when_used(found.name)
for name in ALSO:
    load_when_used(name)

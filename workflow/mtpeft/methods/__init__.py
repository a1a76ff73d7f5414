"""Methods of fine-tuning: each module holds one, or several of one kind, and the registry finds them all.

A method `x` has its options and its costs in `x.py`, which loads no torch, and its torch modules, where it has any of
its own, in `x_adapter.py`, which is loaded when a model is built or opened.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.core.errors import UserError
from mtpeft.core.registry import Registry, bring_in
from mtpeft.methods.base import Method, MethodOptions

ADAPTER = "_adapter"
"""Ends the names of modules that load torch."""
METHODS: Registry[Method] = Registry(Method, "mtpeft.methods", word="method", skipped=(ADAPTER,))
KEPT_BESIDE = ("module", "version", "languages")
"""Keys of a method's params that are none of its options."""


def method_for(options: MethodOptions) -> Method:
    """Return the method of options, with the attributes that it has under them."""
    return METHODS[options.method].under(options)


def method_of(params: Mapping[str, Any]) -> Method:
    """Return the method that the params of a cell's method name, with the attributes that it has under them."""
    return method_for(options_of(params))


def options_of(params: Mapping[str, Any]) -> MethodOptions:
    """Return the typed options in the params of a cell's method; those of its stages are options, too."""
    given = {key: value for key, value in params.items() if key not in KEPT_BESIDE}
    if "stages" in given:
        given["stages"] = [options_of(stage) for stage in given["stages"]]
    options = METHODS[params["method"]].options.model_validate(given)
    return options.with_languages(params["languages"]) if "languages" in params else options


def bring_in_for(params: Mapping[str, Any], *, cell: Path | None = None) -> None:
    """Add the methods from outside of the package that a cell's method, or one of its stages, comes from.

    The adapter of a method in `x.py` is registered with peft when `x_adapter.py`, beside it, is imported.

    Raises:
        UserError: a file lies in the folder of the cell that names it: code that came with a cell is never run.
    """
    for file in (Path(stage["module"]) for stage in (params, *params.get("stages", ())) if "module" in stage):
        if cell and cell.resolve() in file.resolve().parents:
            raise UserError(f"The cell {cell} names code in its own folder, {file}, which is not run.")
        bring_in(str(file))
        if file.with_name(f"{file.stem}{ADAPTER}.py").is_file():
            importlib.import_module(f"{file.stem}{ADAPTER}")


def register_adapters() -> None:
    """Import every adapter module, each of which registers its adapters with peft."""
    for found in pkgutil.walk_packages(__path__, f"{__name__}."):
        if found.name.endswith(ADAPTER):
            importlib.import_module(found.name)

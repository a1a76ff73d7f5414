"""Methods from outside of the package: modules that the configuration names in `method_modules`.

Such a module is a Python file that holds one or several `Method`s. Its path travels with the settings of the jobs that
need it, under `module` of their method, so that every process finds it.
"""

import importlib
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpeft.errors import UserError
from mtpeft.methods import METHODS
from mtpeft.methods.base import Method


def bring_in(file: str, *, key: str = "method_modules") -> None:
    """Add the methods of a file to the registry, once; files beside it can be imported by it.

    Raises:
        UserError: the file is not there, can't be imported, holds no method, or one whose name is taken. Calls the
            configuration's key `key`.
    """
    path = Path(file).resolve()
    if not path.is_file() or path.suffix != ".py":
        raise UserError(f"'{key}' names '{file}', which is no Python file; write its path from where you are.")
    if any(method.module and Path(method.module).resolve() == path for method in METHODS.values()):
        return
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        module = importlib.import_module(path.stem)
    except Exception as error:
        raise UserError(f"'{key}' names '{file}', which can't be imported ({error}).") from error
    found = [value for value in vars(module).values() if isinstance(value, Method) and value not in METHODS.values()]
    if Path(module.__file__ or "").resolve() != path:
        raise UserError(f"'{key}' names '{file}', but there is another module '{path.stem}'; give it another name.")
    if not found:
        raise UserError(f"'{key}' names '{file}', which holds no Method; see workflow/examples/block_gates.py.")
    for method in found:
        if method.name in METHODS:
            raise UserError(f"'{key}' names '{file}', whose tuner '{method.name}' is there already; rename it.")
        METHODS[method.name] = replace(method, module=file)


def bring_in_for(options: Mapping[str, Any], *, cell: Path | None = None) -> None:
    """Add the methods that a job's options of its method, or of the stages of it, come from, and let peft know them.

    Raises:
        UserError: a file lies in the folder of the cell that names it: what came with a cell is never run.
    """
    for stage in (options, *options.get("stages", ())):
        if "module" in stage:
            if cell and cell.resolve() in Path(stage["module"]).resolve().parents:
                raise UserError(f"The cell {cell} names code in its own folder, {stage['module']}, which is not run.")
            bring_in(stage["module"])
            if register := METHODS[stage["tuner"]].register:
                register()

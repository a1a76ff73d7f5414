"""Methods from outside of the package: modules that the configuration names in `method_modules`.

Such a module is a Python file that holds one or several `Method`s. Its path travels with the settings of the jobs that
need it, under `module` of their method, so that every process finds it.
"""

import contextlib
import importlib
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from mtpeft.core.errors import UserError
from mtpeft.methods import METHODS
from mtpeft.methods.base import Method

MOST_SECONDS = 60
"""For the import of such a module, which every job of a cluster imports again."""


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
    module = _imported(path, f"'{key}' names '{file}'")
    found = [value for value in vars(module).values() if isinstance(value, Method) and value not in METHODS.values()]
    if Path(module.__file__ or "").resolve() != path:
        raise UserError(f"'{key}' names '{file}', but there is another module '{path.stem}'; give it another name.")
    if not found:
        raise UserError(f"'{key}' names '{file}', which holds no Method; see workflow/examples/block_gates.py.")
    for method in found:
        if method.name in METHODS:
            raise UserError(f"'{key}' names '{file}', whose tuner '{method.name}' is there already; rename it.")
        METHODS[method.name] = replace(method, module=file)


def _imported(path: Path, named: str) -> ModuleType:
    """The module of a file; what it prints goes to standard error, since standard output may be read by a program.

    Raises:
        UserError: it fails, ends the process, or does not end; its sentence begins with what names the file.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr), _limited(MOST_SECONDS):
            return importlib.import_module(path.stem)
    except SystemExit as error:
        raise UserError(f"{named}, which ends the process when it is imported; let it define methods alone.") from error
    except TimeoutError as error:
        raise UserError(
            f"{named}, which takes more than {MOST_SECONDS} seconds to import; let it define methods alone, and import "
            "what is heavy inside of the functions that need it."
        ) from error
    except Exception as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{named}, which can't be imported ({said}).") from error


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise TimeoutError after so many seconds; where a thread or another timer rules that out, there is no limit."""

    def stop(number: int, frame: object) -> None:
        raise TimeoutError

    if threading.current_thread() is not threading.main_thread() or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


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
            if register := METHODS[stage["method"]].register:
                register()

"""Register the adapters of this package with peft whenever peft is imported, without importing it before it is needed.

`import mtpeft` must stay cheap, since every Snakemake job parses files that import it, and must be enough for
`PeftModel.from_pretrained` to open any folder that the workflow wrote. So peft's own import is followed by ours.
"""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class _AfterPeft:  # no `importlib.abc.MetaPathFinder`, which takes a third of the time of `mtpeft --help` to import
    """Finds peft as ever, and lets its loader register adapters when it is done."""

    def __init__(self, register: Callable[[], None]) -> None:
        self.register = register

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if fullname != "peft":
            return None
        from importlib.util import find_spec

        sys.meta_path.remove(self)
        spec = find_spec("peft")
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_then_register(module: "ModuleType") -> None:
                execute(module)
                self.register()

            spec.loader.exec_module = execute_then_register
        return spec


def after_peft(register: Callable[[], None]) -> None:
    """Register adapters at once where peft is imported already, else as soon as it is."""
    if "peft" in sys.modules:
        register()
    elif not any(isinstance(finder, _AfterPeft) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterPeft(register))

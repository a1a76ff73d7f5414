"""Register the adapters of this package with peft whenever peft is imported, without importing it before it is needed.

`import mtpeft` must stay cheap, since every Snakemake job parses files that import it, and must be enough for
`PeftModel.from_pretrained` to open any folder that the workflow wrote. So peft's own import is followed by ours. An
adapter's module that is imported before peft has peft imported first: else it would import peft itself, half-made, and
the others, which follow, would miss what it has not defined yet.
"""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class _AfterPeft:  # no `importlib.abc.MetaPathFinder`, which takes a third of the time of `mtpeft --help` to import
    """Finds peft as ever, and lets its loader register adapters when it is done."""

    def __init__(self, register: Callable[[], None], is_adapter: Callable[[str], bool]) -> None:
        self.register, self.is_adapter = register, is_adapter

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if self.is_adapter(fullname):
            return self._peft_first(fullname)
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

    def _peft_first(self, fullname: str) -> "ModuleSpec | None":
        """Import peft, and with it the module that is asked for, which is not executed a second time."""
        from importlib import import_module
        from importlib.machinery import ModuleSpec

        import_module("peft")
        module = sys.modules.get(fullname)
        return ModuleSpec(fullname, _Imported(module)) if module else None


class _Imported:
    """Loads a module that is imported already."""

    def __init__(self, module: "ModuleType") -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: "ModuleSpec") -> "ModuleType":
        return self.module

    def exec_module(self, module: "ModuleType") -> None:
        module.__spec__ = self.spec


def after_peft(register: Callable[[], None], is_adapter: Callable[[str], bool]) -> None:
    """Register adapters at once where peft is imported already, else as soon as it is.

    Args:
        register: imports the modules of all adapters.
        is_adapter: whether a module, by its full name, is one of them.
    """
    if "peft" in sys.modules:
        register()
    elif not any(isinstance(finder, _AfterPeft) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterPeft(register, is_adapter))

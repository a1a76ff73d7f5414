"""Register what this package adds to peft and transformers when they are imported, and import neither before.

`import mtpeft` must stay cheap, since every Snakemake job parses files that import it, and must be enough for
`PeftModel.from_pretrained` and `AutoModelForSeq2SeqLM.from_pretrained` to open any folder that the workflow wrote. So
the import of such a library is followed by ours.
"""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class _AfterImport:  # no `importlib.abc.MetaPathFinder`, which takes a third of the time of `mtpeft --help` to import
    """Finds a module as ever, and lets its loader run a function when it is done."""

    def __init__(self, module: str, run: Callable[[], None]) -> None:
        self.module, self.run = module, run
        self.looks = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if fullname != self.module or self.looks:
            return None
        from importlib.util import find_spec

        self.looks = True
        try:
            spec = find_spec(fullname)
        finally:
            self.looks = False
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            # Whoever only asks whether the module is there, as transformers does of peft, imports nothing.
            def execute_then_run(module: "ModuleType") -> None:
                execute(module)
                sys.meta_path.remove(self)
                self.run()

            spec.loader.exec_module = execute_then_run
        return spec


class _FirstImport:
    """Has a library be imported before some modules of ours, and with it those modules."""

    def __init__(self, library: str, is_ours: Callable[[str], bool]) -> None:
        self.library, self.is_ours = library, is_ours

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if self.library in sys.modules or not self.is_ours(fullname):
            return None
        from importlib import import_module
        from importlib.machinery import ModuleSpec

        import_module(self.library)
        module = sys.modules.get(fullname)
        return ModuleSpec(fullname, _Imported(module)) if module else None


class _Imported:
    """Loads a module that is imported already, so that it is not executed a second time."""

    def __init__(self, module: "ModuleType") -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: "ModuleSpec") -> "ModuleType":
        return self.module

    def exec_module(self, module: "ModuleType") -> None:
        module.__spec__ = self.spec


def after_import(module: str, run: Callable[[], None]) -> None:
    """Run a function at once where a module is imported already, else as soon as it is."""
    if module in sys.modules:
        run()
    elif not any(isinstance(finder, _AfterImport) and finder.module == module for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport(module, run))


def import_first(library: str, is_ours: Callable[[str], bool]) -> None:
    """Have a library be imported before any of our modules that its import is followed by.

    Else such a module would import the library itself, half-made, and the others, which follow, would miss what it has
    not defined yet.

    Args:
        library: whose import `after_import` follows.
        is_ours: whether a module, by its full name, is one of those that are imported then.
    """
    if not any(isinstance(finder, _FirstImport) and finder.library == library for finder in sys.meta_path):
        sys.meta_path.insert(0, _FirstImport(library, is_ours))

"""Registries: every method, metric, figure, claim or source is one entry in a file of its own, found by its type.

A registry looks for its entries in the modules of one package, which it imports when it is asked for the first time.
Python files that the configuration names in `modules` add entries of any kind from outside of the package.
"""

import contextlib
import importlib
import importlib.util
import pkgutil
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Generic, Protocol, TypeVar

from mtpeft.core.errors import UserError

MOST_SECONDS = 60
"""Longest import of a module from outside, which every job of a cluster imports again."""


class Entry(Protocol):
    """An entry of a registry: a frozen dataclass."""

    @property
    def name(self) -> str:
        """The name by which the configuration refers to it."""
        ...

    @property
    def module(self) -> str:
        """The file that it comes from, or empty for an entry of the package."""
        ...


E = TypeVar("E", bound=Entry)
REGISTRIES: list["Registry"] = []
"""All registries of this process, to which a module from outside can add."""


class Registry(Mapping[str, E], Generic[E]):
    """The entries of one kind, by name.

    Args:
        kind: type of the entries.
        package: whose modules hold them; modules whose name ends in one of `skipped` are not looked at.
        word: what messages call an entry, such as `metric`. The entry of a folder is in the folder's module of that
            name if there is one, else in its `__init__`; where that holds none either, all its modules may.
    """

    def __init__(self, kind: type[E], package: str, *, word: str, skipped: tuple[str, ...] = ()) -> None:
        self.kind, self.package, self.word, self.skipped = kind, package, word, skipped
        self._own: dict[str, E] | None = None
        self._outside: dict[str, E] = {}
        REGISTRIES.append(self)

    @property
    def entries(self) -> Mapping[str, E]:
        """All entries: those of the package in the order of their names, then those from outside."""
        if self._own is None:
            found = [entry for module in self._modules() for entry in entries_in(module, self.kind)]
            self._own = {entry.name: entry for entry in sorted(found, key=lambda entry: entry.name)}
        return MappingProxyType(self._own | self._outside)

    def __getitem__(self, name: str) -> E:
        return self.entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, entry: E) -> None:
        """Add an entry from outside of the package."""
        self._outside[entry.name] = entry

    def forget_outside(self) -> None:
        """Forget the entries from outside, as tests want it."""
        self._outside.clear()

    def _modules(self, package: str = "") -> Iterator[ModuleType]:
        """Import the modules of a package that may hold entries."""
        folder = importlib.import_module(package or self.package)
        for found in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
            if found.name.endswith(self.skipped or ("\0",)):
                continue
            own = f"{found.name}.{self.word}"
            if found.ispkg and importlib.util.find_spec(own) is not None:
                yield importlib.import_module(own)
            elif found.ispkg and not entries_in(importlib.import_module(found.name), self.kind):
                yield from self._modules(found.name)
            else:
                yield importlib.import_module(found.name)


def entries_in(module: ModuleType, kind: type[E]) -> list[E]:
    """The entries of a kind that a module defines at its top, alone or in a tuple."""
    # Skip modules: looking at a lazily loaded one would load it.
    own = [value for value in vars(module).values() if not isinstance(value, ModuleType)]
    values = [value for named in own for value in (named if isinstance(named, tuple) else (named,))]
    return list({id(value): value for value in values if isinstance(value, kind)}.values())


def bring_in(file: str, *, key: str = "modules") -> None:
    """Add the entries of a Python file to their registries, once; it can import files that lie beside it.

    Raises:
        UserError: the file is not there, can't be imported, holds no entry, or one whose name is taken. The message
            calls the configuration's key `key`.
    """
    path = Path(file).resolve()
    if not path.is_file() or path.suffix != ".py":
        raise UserError(f"'{key}' names '{file}', which is no Python file; write its path from where you are.")
    known = [entry for registry in REGISTRIES for entry in registry.entries.values()]
    if any(entry.module and Path(entry.module).resolve() == path for entry in known):
        return
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    module = _imported(path, f"'{key}' names '{file}'")
    if Path(module.__file__ or "").resolve() != path:
        raise UserError(f"'{key}' names '{file}', but there is another module '{path.stem}'; give it another name.")
    found = [
        (registry, entry)
        for registry in REGISTRIES
        for entry in entries_in(module, registry.kind)
        if entry not in registry.entries.values()
    ]
    if not found:
        words = ", ".join(registry.word for registry in REGISTRIES)
        raise UserError(f"'{key}' names '{file}', which holds nothing to add ({words}); see workflow/examples.")
    for registry, entry in found:
        if entry.name in registry:
            raise UserError(
                f"'{key}' names '{file}', whose {registry.word} '{entry.name}' is there already; rename it."
            )
        registry.add(replace(entry, module=file))


def _imported(path: Path, named: str) -> ModuleType:
    """Import a file; what it prints goes to standard error, since a program may read standard output.

    Raises:
        UserError: the import fails, ends the process, or does not end; the message begins with `named`.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr), _limited(MOST_SECONDS):
            return importlib.import_module(path.stem)
    except SystemExit as error:
        raise UserError(f"{named}, which ends the process when it is imported; let it define things alone.") from error
    except TimeoutError as error:
        raise UserError(
            f"{named}, which takes more than {MOST_SECONDS} seconds to import; let it define things alone, and import "
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

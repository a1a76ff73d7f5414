"""Folders of the package import downwards only, so that a change in one can be understood without those above it."""

import ast
import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "workflow" / "mtpeft"
SHARED = (*("core", "isolated", "cluster", "forkserver", "cells", "models", "methods", "data", "metrics"),)
"""Each imports only from those before it, as do the two wings that stand on them and what joins these."""
ENGINE = ("decoding", "training")
STUDY = ("config", "analysis", "figures")
JOINED = ("steps", "front", "cli")
BELOW: dict[str, set[str]] = {
    **{name: set(SHARED[:place]) for place, name in enumerate(SHARED)},
    **{name: {*SHARED, *wing[:place]} for wing in (ENGINE, STUDY) for place, name in enumerate(wing)},
    **{name: {*SHARED, *ENGINE, *STUDY, *JOINED[:place]} for place, name in enumerate(JOINED)},
}
MODULES = sorted(file for file in PACKAGE.rglob("*.py") if file.parent != PACKAGE or not file.name.startswith("__"))


def imports_of(file: Path) -> list[str]:
    """Modules of the package that a file imports, at its top or inside of functions."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    named = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    named += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return [name for name in named if name.startswith("mtpeft.")]


def layer_of(file: Path) -> str:
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def test_every_folder_has_its_layer() -> None:
    assert {layer_of(file) for file in MODULES} == set(BELOW)


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_only_from_its_own_folder_and_from_those_below(file: Path) -> None:
    own = layer_of(file)
    assert [name for name in imports_of(file) if name.split(".")[1] not in {own, *BELOW[own]}] == []


def names_imported(file: Path) -> Iterator[tuple[str, str]]:
    """Modules of the project and the names that a file takes from them, at its top or inside of functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("mtpeft", "tests"):
            yield from ((node.module, alias.name) for alias in node.names)


def exists(module: str, name: str) -> bool:
    return hasattr(importlib.import_module(module), name) or importlib.util.find_spec(f"{module}.{name}") is not None


def test_every_name_that_is_imported_exists() -> None:
    files = [*MODULES, *(ROOT / "tests").rglob("*.py")]
    missing = [
        f"{file.relative_to(ROOT)}: {module}.{name}"
        for file in files
        for module, name in sorted(set(names_imported(file)))
        if not exists(module, name)
    ]
    assert missing == []


@pytest.mark.parametrize("folder", STUDY)
def test_the_study_loads_neither_torch_nor_transformers(folder: str) -> None:
    modules = [
        "mtpeft." + ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
        for file in MODULES
        if layer_of(file) == folder
    ]
    code = "import importlib, sys\n" + "\n".join(f"importlib.import_module({name!r})" for name in modules)
    heavy = "print(sorted({'torch', 'transformers', 'peft', 'snakemake'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{heavy}"],
        env={"PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def printed_by(code: str) -> str:
    """What a fresh Python prints that runs some code."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    [
        "methods.base_adapter",
        "methods.peft.sized_adapter",
        "methods.prompt_adapter",
        "decoding.translator",
        "models.student",
        "models.student_config",
    ],
)
def test_what_needs_peft_can_be_imported_before_it(module: str) -> None:
    """Importing peft imports all adapters, which import one another."""
    code = f"import mtpeft.{module} as imported, sys; print(imported is sys.modules['mtpeft.{module}'])"
    assert printed_by(code) == "True"


def test_whoever_asks_whether_peft_is_there_does_not_keep_its_adapters_from_being_registered() -> None:
    """Transformers asks it when it opens a model, before peft is imported."""
    code = (
        "import importlib.util, mtpeft; assert importlib.util.find_spec('peft'); import peft, peft.mapping; "
        "print('PREFIX' in peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING)"
    )
    assert printed_by(code) == "True"

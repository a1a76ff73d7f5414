"""The pins of all environments: exact, with hashes, and what pyproject.toml asks for."""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from mtpeft.isolated.install import hashes_of, pins_of

ROOT = Path(__file__).parents[2]
FILES = sorted(file.stem for file in (ROOT / "envs").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = sorted(PROJECT["project"]["optional-dependencies"])
PIN = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+")


def plain(requirement: str) -> str:
    """Name of a package as the index compares it."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def names(file: str) -> set[str]:
    return {plain(pin) for pin in pins_of(file)}


@pytest.mark.parametrize("file", FILES)
def test_every_pin_is_exact_and_stands_once(file: str) -> None:
    text = (ROOT / "envs" / f"{file}.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(("#", "-r ", "    --hash="))]
    assert lines
    assert [line for line in lines if not PIN.fullmatch(line.removesuffix(" \\"))] == []
    assert len(names(file)) == len(lines)


@pytest.mark.parametrize("file", [file for file in FILES if file != "torch"])
def test_every_pin_has_the_hashes_of_its_files(file: str) -> None:
    assert [pin for pin, hashes in hashes_of(file).items() if not hashes] == []


def test_torch_alone_has_none_and_is_the_one_whose_hashes_stand_beside() -> None:
    assert pins_of("torch") == [pin for pin in pins_of("torch-gpu") if pin.startswith("torch==")]
    assert hashes_of("torch") == {pins_of("torch")[0]: ()}


def test_conda_pins_are_those_of_pip() -> None:
    environment = yaml.safe_load((ROOT / "envs" / "workflow.yaml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert sorted(pip) == sorted([*pins_of("workflow"), *pins_of("torch")])


def test_comet_shares_the_torch_of_the_workflow() -> None:
    """Its builds for GPUs need libraries that the environment of COMET does not pin."""
    assert set(pins_of("torch")) < set(pins_of("comet"))


def test_a_package_has_one_version_beside_the_workflow() -> None:
    versions: dict[str, set[str]] = {}
    for file in ("workflow", "torch", "torch-gpu", "develop", *EXTRAS):
        for pin in pins_of(file):
            versions.setdefault(plain(pin), set()).add(pin.split("==")[1])
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("file", ["workflow", *EXTRAS, *PROJECT["dependency-groups"]])
def test_what_pyproject_names_is_pinned(file: str) -> None:
    named = PROJECT["dependency-groups"].get(file) or PROJECT["project"]["optional-dependencies"].get(file)
    named = named or PROJECT["project"]["dependencies"]
    assert {plain(requirement) for requirement in named} <= names(file) | names("torch")


def imported(file: Path) -> set[str]:
    """Top-level modules that a file imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_what_the_package_imports_is_named_in_pyproject() -> None:
    """A package that comes only because another one needs it now may be gone after the pins were renewed."""
    lists = (PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values())
    named = {plain(requirement) for requirements in lists for requirement in requirements}
    packages = packages_distributions()
    modules = set().union(*(imported(file) for file in (ROOT / "workflow").rglob("*.py")))
    known = {module: {plain(name) for name in packages[module]} for module in modules & packages.keys()}
    assert {module: names for module, names in known.items() if not names & (named | {"mtpeft"})} == {}


def test_tools_of_developers_are_pinned_beside_what_the_workflow_runs_on() -> None:
    assert names("workflow") & names("develop") == set()


def test_a_package_with_two_versions_is_refused() -> None:
    spec = importlib.util.spec_from_file_location("renew_pins", ROOT / "envs/renew_pins.py")
    renew_pins = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = renew_pins
    spec.loader.exec_module(renew_pins)
    text = f"one-name==1 ; python_version < '3.12' \\\n    --hash=sha256:{'0' * 64}\nOne_Name==2\n"
    with pytest.raises(ValueError, match="One_Name has two versions"):
        renew_pins.read_pins(text)
    (pin,) = renew_pins.read_pins(text.splitlines()[0]).values()
    assert pin.lines() == "one-name==1"


@pytest.mark.slow
def test_pins_are_written_from_pyproject(tmp_path: Path) -> None:
    """The index is asked, so that hashes of files which came later are new."""
    shutil.copytree(ROOT / "envs", tmp_path / "envs")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "envs/advise.txt").unlink()
    command = [sys.executable, str(tmp_path / "envs/renew_pins.py")]
    subprocess.run(command, check=True, env={**os.environ, "PATH": "/usr/bin:/bin"}, cwd=tmp_path)
    for file in FILES:
        written = (tmp_path / f"envs/{file}.txt").read_text(encoding="utf-8")
        assert PIN.findall(re.sub("--hash.*", "", written)) == pins_of(file), file
        assert {digest for hashes in hashes_of(file).values() for digest in hashes} <= set(
            re.findall("sha256:[0-9a-f]{64}", written)
        ), file
    assert (tmp_path / "envs/workflow.yaml").read_text() == (ROOT / "envs/workflow.yaml").read_text()

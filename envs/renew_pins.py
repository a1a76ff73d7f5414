"""Write the pins of all environments, with hashes, from what pyproject.toml names; `make pins` calls it.

Without `--upgrade` every version stays that satisfies pyproject.toml. With it the newest are taken, so that all tests
have to follow. uv finds the versions, for Linux and all Python versions that the project supports.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

ENVS = Path(__file__).parent
PROJECT = ENVS.parent / "pyproject.toml"
COMPILE = (
    *("pip", "compile", "--quiet", "--no-annotate", "--no-header"),
    "--generate-hashes",
    "--universal",
    *("--fork-strategy", "fewest"),
)
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)==([^\s;\\]+)")
HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")
ALONE = ("comet", "mtdata")
"""Groups of pyproject.toml with environments of their own; the others are installed beside the workflow."""
WRITTEN = "# `make pins` writes this file from pyproject.toml.\n"
HEADERS = {
    "workflow": "What the workflow runs on: what it names itself and what that needs, except torch.",
    "torch": "The version of torch, of whichever index pip is told to use. There is no hash, since its builds for\n"
    "# CPUs and for each version of CUDA lie in indices of their own; torch-gpu.txt has those of one build.",
    "torch-gpu": "The build of torch for GPUs that the package index has, with the libraries of CUDA that it loads.",
    "develop": "What tests and linters need besides.",
    "comet": "COMET and what it needs: an environment of its own, since it asks for older transformers. What the\n"
    "# workflow has in the very same version, such as torch, is shared with it.",
    "mtdata": "mtdata and what it needs: an environment of its own, since it asks for an older rich and portalocker.",
}


@dataclass(frozen=True)
class Pin:
    """An exact version of a package, and the hashes of its files, each as `sha256:...`."""

    name: str
    version: str
    hashes: tuple[str, ...]

    @property
    def key(self) -> str:
        """Name of the package as the index compares it."""
        return re.sub(r"[-_.]+", "-", self.name).lower()

    def lines(self) -> str:
        """Text in a file of requirements."""
        return " \\\n    ".join([f"{self.name}=={self.version}", *(f"--hash={digest}" for digest in self.hashes)])


Pins = Mapping[str, Pin]
"""Pins by the plain name of their packages."""


def read_pins(text: str) -> Pins:
    """Read a file of requirements; markers are left out, so that every pin holds on every machine.

    Raises:
        ValueError: a package has two versions.
    """
    pins: dict[str, Pin] = {}
    for block in re.split(r"\n(?=\S)", text):
        found = REQUIREMENT.match(block)
        if not found:
            continue
        pin = Pin(found[1], found[2], tuple(sorted(HASH.findall(block))))
        if pin.key in pins:
            raise ValueError(f"{pin.name} has two versions, and one is needed for all versions of Python")
        pins[pin.key] = pin
    return pins


def resolve(*wanted: str, keep: Pins, hold: Pins | None = None) -> Pins:
    """Let uv find a version of everything that some parts of pyproject.toml need.

    Args:
        wanted: options of uv that name the parts.
        keep: pins that stay where they satisfy the project.
        hold: pins that stay, or uv fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        held, output = Path(folder) / "held.txt", Path(folder) / "pins.txt"
        held.write_text(requirements(hold or {}), encoding="utf-8")
        output.write_text(requirements(keep), encoding="utf-8")
        files = ["--constraints", str(held), "--output-file", str(output)]
        uv = Path(sys.executable).with_name("uv")
        if not uv.exists():
            sys.exit("uv is not installed beside this Python; `make .venv/develop` installs it.")
        subprocess.run([str(uv), *COMPILE, *wanted, *files], check=True, cwd=PROJECT.parent)
        return read_pins(output.read_text(encoding="utf-8"))


def requirements(pins: Pins) -> str:
    """Return the lines of some pins, without hashes."""
    return "".join(f"{pin.name}=={pin.version}\n" for _, pin in sorted(pins.items()))


def is_of_torch(name: str) -> bool:
    """Say whether a package is torch, or of the libraries that its builds for GPUs load."""
    return name in ("torch", "triton") or name.startswith(("nvidia-", "cuda-"))


def without(pins: Pins, *others: Iterable[str]) -> Pins:
    """Return the pins of packages that are in none of the others."""
    return {key: pin for key, pin in pins.items() if not any(key in other for other in others)}


def write_pins(name: str, pins: Pins, *, include: Iterable[str] = ()) -> None:
    """Write the file of an environment, which begins with other files; packages keep the spelling that they had."""
    spelled = pins_of_files([name])
    header = HEADERS.get(name, f"Optional: the packages of `{name}` in pyproject.toml, besides envs/workflow.txt.")
    lines = [f"-r {other}.txt" for other in include] + [
        replace(pin, name=spelled.get(key, pin).name).lines() for key, pin in sorted(pins.items())
    ]
    (ENVS / f"{name}.txt").write_text(f"# {header}\n{WRITTEN}" + "".join(f"{line}\n" for line in lines), "utf-8")


def write_torch(pin: Pin) -> None:
    """Write the pin of torch alone, without a hash."""
    (ENVS / "torch.txt").write_text(f"# {HEADERS['torch']}\n{WRITTEN}{requirements({pin.key: pin})}", "utf-8")


def write_conda(pins: Pins) -> None:
    """Write the conda file, which repeats the pins of the workflow."""
    head = "# The pins of workflow.txt and torch.txt for `--software-deployment-method conda`.\n" + WRITTEN
    head += "name: mtpeft\nchannels: [conda-forge]\ndependencies:\n  - python=3.12\n  - pip\n  - pip:\n"
    lines = [f"      - {line}\n" for line in requirements(pins).splitlines()]
    (ENVS / "workflow.yaml").write_text(head + "".join(lines), encoding="utf-8")


def pins_of_files(names: Iterable[str]) -> Pins:
    """Return the pins of some environments as they stand."""
    files = [ENVS / f"{name}.txt" for name in names]
    return {key: pin for file in files if file.exists() for key, pin in read_pins(file.read_text("utf-8")).items()}


def renew(*, upgrade: bool) -> None:
    """Find the versions that go together, and share them out among the files."""
    extras = sorted(tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"])
    old = {} if upgrade else pins_of_files(["workflow", "torch-gpu", *extras, "develop"])
    project = str(PROJECT)
    everything = resolve(project, "--all-extras", "--group", "develop", keep=old)
    workflow = resolve(project, keep=everything, hold=everything)
    torch = {key: pin for key, pin in workflow.items() if is_of_torch(key)}
    write_pins("workflow", without(workflow, torch))
    write_pins("torch-gpu", torch)
    write_torch(torch["torch"])
    write_conda(pins_of_files(["workflow", "torch"]))
    beside = set(without(workflow, ["triton"]))
    for extra in extras:
        own = without(resolve(project, "--extra", extra, keep=everything, hold=everything), workflow)
        write_pins(extra, own)
        beside |= set(own)
    write_pins("develop", without(everything, beside), include=["workflow", *extras])
    for group in ALONE:
        kept = everything if upgrade else everything | pins_of_files([group])
        pins = resolve("--group", group, keep=kept, hold={"torch": everything["torch"]})
        write_pins(group, without(pins, without(torch, ["torch"])))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    renew(upgrade=parser.parse_args().upgrade)


if __name__ == "__main__":
    main()

"""Exact versions of what is installed beside the workflow, in environments of its own."""

from mtpeft.core.project import PROJECT

PINS = PROJECT / "envs"


def pins_of(environment: str) -> list[str]:
    """The pins of an environment by its name, one requirement each."""
    lines = (PINS / f"{environment}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pinned_version(environment: str, package: str) -> str:
    """The version of a package that an environment's pins name."""
    return dict(line.split("==") for line in pins_of(environment))[package]

"""Call a package in its own environment: in a process that sees no other packages."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mtpeft.core.errors import TryAgainError, UserError
from mtpeft.core.process import die_with_parent

PACKAGES = "packages"
# Without site-packages and without Python's environment variables; text is UTF-8 whatever the locale of the machine.
ISOLATED = ("-I", "-S", "-X", "utf8")


@dataclass(frozen=True)
class Program:
    """A program of this project that calls a package in its own environment.

    Attributes:
        name: what messages call the package.
        file: is called as `file PACKAGES ARGUMENTS COMMAND`, reads a request as JSON from standard input and writes the
            answer as JSON to standard output.
        environment: folder of the package's environment.
        variables: environment variables that it is started with, besides those of this process.
        arguments: that it takes before each command.
    """

    name: str
    file: Path
    environment: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()

    def call(self, *arguments: str) -> list[str]:
        """Return the command that starts it."""
        packages = self.environment.resolve() / PACKAGES
        return [sys.executable, *ISOLATED, str(self.file), str(packages), *self.arguments, *arguments]

    def answer(self, command: str, request: Mapping[str, Any], *, folder: Path) -> dict[str, Any]:
        """Run a command of the program in a folder; returns its answer.

        Raises:
            UserError: the package does not start, or the command has failed.
            TryAgainError: it was killed.
        """
        finished = subprocess.run(
            self.call(command),
            input=json.dumps(request),
            capture_output=True,
            text=True,
            cwd=folder,
            env={**os.environ, **self.variables},
            errors="replace",
            preexec_fn=partial(die_with_parent, os.getpid()),
            check=False,
        )
        if finished.returncode < 0:
            raise TryAgainError(f"{self.name} was killed by signal {-finished.returncode}: run again.")
        if finished.returncode != 0:
            last = (finished.stderr.strip().splitlines() or [f"exit code {finished.returncode}"])[-1]
            raise self.broken(last)
        return json.loads(finished.stdout)

    def broken(self, reason: str) -> UserError:
        """Return the error about an environment that does not work."""
        return UserError(
            f"{self.name} does not work in {self.environment} ({reason}): delete that folder and run again."
        )

"""Call a package in its own environment, in a process of its own that sees no other packages."""

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
# No site-packages and no variables of Python, and text is UTF-8 whatever the machine's locale says.
ISOLATED = ("-I", "-S", "-X", "utf8")


@dataclass(frozen=True)
class Program:
    """A file of ours that calls a package.

    Attributes:
        name: what people call the package.
        file: called as `file PACKAGES COMMAND`, with a request as JSON on standard input; the answer is JSON on
            standard output.
        environment: the folder of the package's environment.
        variables: that it is started with, besides those of this process.
    """

    name: str
    file: Path
    environment: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def call(self, *arguments: str) -> list[str]:
        """The command by which it is started."""
        packages = self.environment.resolve() / PACKAGES
        return [sys.executable, *ISOLATED, str(self.file), str(packages), *arguments]

    def answer(self, command: str, request: Mapping[str, Any], *, folder: Path) -> dict[str, Any]:
        """Run a command in a folder and return its answer.

        Raises:
            UserError: the package does not start, or the command failed.
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
        """What to tell of an environment that does not work."""
        return UserError(
            f"{self.name} does not work in {self.environment} ({reason}): delete that folder and run again."
        )

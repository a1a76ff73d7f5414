"""Call pip, with the index, the mirror and the proxy that it is configured for."""

import subprocess
import sys


def run_pip(*arguments: str) -> str | None:
    """Run a command of pip; returns None, or in its own words why it failed."""
    command = [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check"]
    finished = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if finished.returncode == 0:
        return None
    errors = [line for line in finished.stderr.splitlines() if line.startswith("ERROR:")]
    return errors[-1] if errors else f"exit code {finished.returncode}"

"""Write the page when a sweep has ended, in a process of its own: whatever happens there, the sweep ends as it did."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from mtpeft.config.study_file import DEFAULT_FILE
from mtpeft.core.files import PROJECT
from mtpeft.core.process import die_with_parent

PAGE = "index.html"
LONGEST_SECONDS = 1800
"""A page of thousands of cells takes minutes; one that takes longer is given up."""


def page_after_sweep(overlays: Sequence[Path]) -> Iterator[str]:
    """Write the page of a study file; yields a line where that fails."""
    files = map(str, overlays or [DEFAULT_FILE])
    command = [sys.executable, "-m", "mtpeft", "page", "--configfile", *files]
    places = [str(PROJECT / "workflow"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_SECONDS,
            preexec_fn=partial(die_with_parent, os.getpid()),
        )
    except KeyboardInterrupt:
        yield "the results page was not written, since it was stopped; `make page` writes it."
        return
    except (OSError, subprocess.TimeoutExpired) as error:
        yield f"the results page was not written ({error}); `make page` writes it."
        return
    if done.returncode:
        reason = next(reversed(done.stderr.strip().splitlines()), f"exit code {done.returncode}")
        yield f"the results page was not written ({reason}); `make page` writes it."

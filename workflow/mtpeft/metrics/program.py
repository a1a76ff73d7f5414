"""The program that runs in a metric's own environment, without the packages of the workflow: it loads and scores.

Called as `program.py PACKAGES FILE VARIABLE COMMAND`, with a request as JSON on standard input; the answer is JSON on
standard output. FILE is the metric's own part, which defines

- `PACKAGES`: names of the packages whose versions the scores depend on;
- `load(model)`: loads the model from its record, and keeps it for the next call;
- `score(model, samples, params)`: one number for each of the samples, which have `src`, `mt` and `ref`. It must not
  depend on what else is scored beside them.

Each imports packages when it is called. Where a process with a loaded model listens, which is this file called with the
command `keep NAME RECORD`, a command runs in a fork of it; VARIABLE is the environment variable that holds the NAME.
"""

import importlib.util
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import invalidate_caches
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from textwrap import shorten
from types import ModuleType
from typing import Any

WORKFLOW = Path(__file__).parents[2]
LONGEST = 200
"""Most characters of an error message."""
Request = dict[str, Any]
Answer = dict[str, Any]


class FailedError(Exception):
    """A model can't be used; the message says why."""


def versions_of_packages(metric: ModuleType, request: Request) -> Answer:
    """Versions of the packages that scores depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in metric.PACKAGES}


def score(metric: ModuleType, request: Request) -> Answer:
    """Score the sentences of some test sets, or of none, which shows whether a model can be loaded.

    The request has the record of the `model`, the `params`, and in `sets` a list of `src`, `mt` and `ref` by name. The
    answer has `scores`, a list by name, `device` and `versions`; or `failure`, and in `again` whether another try may
    help.
    """
    try:
        model = metric.load(request["model"])
        sets = request["sets"].items()
        scores = {name: checked(metric.score(model, own, request["params"]), own) for name, own in sets}
    except ImportError:
        raise  # the environment is to blame, and not the model
    except Exception as error:
        return {"failure": one_line(error), "again": lacks_memory(error)}
    return {"scores": scores, "device": device(), "versions": versions_of_packages(metric, request)}


def checked(found: Sequence[float], samples: Sequence[dict[str, str]]) -> list[float]:
    """The scores of one test set, if there is a finite number for each sentence."""
    scores = [float(each) for each in found]
    if len(scores) != len(samples):
        raise FailedError(f"it gives {len(scores)} scores for {len(samples)} sentences")
    if not all(map(isfinite, scores)):
        raise FailedError("it gives a sentence no finite score")
    return scores


def lacks_memory(error: BaseException) -> bool:
    """Whether there was too little memory, of the processor or of a GPU."""
    from mtpeft.core.out_of_memory import MESSAGES

    kinds = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return kinds or any(message in str(error) for message in MESSAGES)


def device() -> str:
    """The device on which torch computes, if the metric has loaded it."""
    torch = sys.modules.get("torch")
    return "cuda" if torch and torch.cuda.is_available() else "cpu"


def one_line(error: BaseException) -> str:
    """The message of an error on one line, shortened."""
    return shorten(str(error), LONGEST, placeholder=" …").rstrip(".") or type(error).__name__


def metric_of(file: str) -> ModuleType:
    """The metric's own part."""
    spec = importlib.util.spec_from_file_location("metric_program", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def preload(metric: ModuleType, record: Path) -> None:
    """Load the model of a record for forks to use; if it can't be loaded, each fork reports that."""
    invalidate_caches()  # the packages may have been installed since this process was started
    try:
        metric.load(json.loads(record.read_text(encoding="utf-8")))
    except Exception as error:
        print(one_line(error), file=sys.stderr)


COMMANDS: dict[str, Callable[[ModuleType, Request], Answer]] = {"versions": versions_of_packages, "score": score}


def answer(metric: ModuleType, arguments: Sequence[str]) -> None:
    """Run a command. What libraries print is kept from the answer."""
    with os.fdopen(os.dup(1), "w") as stream:
        os.dup2(2, 1)
        json.dump(COMMANDS[arguments[0]](metric, json.load(sys.stdin)), stream)
    sys.exit(0)


def keep(metric: ModuleType, name: str, record: str) -> None:
    """Keep a model loaded in this process, and run each command that asks for it in a fork."""
    from mtpeft.forkserver.client import origin
    from mtpeft.forkserver.server import become_command, serve_forks

    own = origin()
    become_command(serve_forks(name, partial(preload, metric, Path(record))), own, partial(answer, metric))


def run(metric: ModuleType, variable: str, arguments: Sequence[str]) -> None:
    """Run a command in this process, or one that needs a model in a fork of the process that has loaded it."""
    from mtpeft.forkserver.client import run_in_fork

    code = run_in_fork(arguments, variable) if arguments[0] == "score" else None
    answer(metric, arguments) if code is None else sys.exit(code)


def main(packages: str, file: str, variable: str, command: str, *arguments: str) -> None:
    """Run a command, or keep a model loaded for others."""
    # This Python is isolated: its path has the standard library alone.
    sys.path[:0] = [packages]
    sys.path.append(str(WORKFLOW))
    metric = metric_of(file)
    keep(metric, *arguments) if command == "keep" else run(metric, variable, (command, *arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])

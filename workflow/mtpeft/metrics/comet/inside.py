"""The program that runs in COMET's own environment, without the packages of the workflow: it loads a model and scores.

Called as `inside.py PACKAGES COMMAND`, with a request as JSON on standard input; the answer is JSON on standard output.
Where a process with a loaded model listens, which is this file called as `inside.py PACKAGES keep NAME MODEL`, the
command runs in a fork of it.
"""

import json
import os
import pickle
import platform
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from importlib import import_module, invalidate_caches
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from textwrap import shorten
from typing import Any

WORKFLOW = Path(__file__).parents[3]
PACKAGES = ("unbabel-comet", "torch", "transformers", "tokenizers", "pytorch-lightning", "numpy")
KEPT_VARIABLE = "MTPEFT_COMET"
"""Environment variable with the name under which a process with a loaded model listens."""
OUT_OF_MEMORY = "can't allocate memory"
"""What torch says of a processor's memory."""
LONGEST = 200
"""Most characters of an error message."""


class FailedError(Exception):
    """A model can't be used; the message says why."""


def versions_of_packages(request: dict[str, Any]) -> dict[str, Any]:
    """Versions of the packages that scores depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def score(request: dict[str, Any]) -> dict[str, Any]:
    """Score the sentences of some test sets, or of none, which shows whether a model can be loaded.

    The request has `checkpoint`, `batch_size`, `threads` and in `sets` a list of `src`, `mt` and `ref` by name. The
    answer has `scores`, a list by name, and `device`; or `failure`, and in `again` whether another try may help.
    """
    import_module("comet")  # where it can't be imported, the environment is to blame, and not the model
    import torch

    torch.set_num_threads(request["threads"])
    gpus = int(torch.cuda.is_available())
    predict = partial(predict_scores, size=request["batch_size"], gpus=gpus)
    try:
        model = load(request["checkpoint"])
        scores = {name: predict(model, samples) for name, samples in request["sets"].items()}
    except Exception as error:
        lacks_memory = isinstance(error, torch.OutOfMemoryError | MemoryError) or OUT_OF_MEMORY in str(error)
        return {"failure": one_line(error), "again": lacks_memory}
    return {"scores": scores, "device": "cuda" if gpus else "cpu"}


def predict_scores(model: Any, samples: list[dict[str, str]], *, size: int, gpus: int) -> list[float]:
    """Scores of the sentences of one test set, which must not depend on what else is scored beside it."""
    found = model.predict(samples, batch_size=size, gpus=gpus, progress_bar=False, num_workers=0).scores
    if not all(map(isfinite, found)):
        raise FailedError("it gives a sentence no finite score")
    return found


@lru_cache(maxsize=1)
def load(checkpoint: str) -> Any:
    """A model with all of its weights: COMET fills what a checkpoint lacks with random ones, and says nothing."""
    import comet
    import torch

    try:
        model = comet.load_from_checkpoint(checkpoint, local_files_only=True)
        weights = torch.load(checkpoint, weights_only=True, map_location="cpu", mmap=True)["state_dict"]
    except pickle.UnpicklingError:
        raise FailedError("it holds more than weights and plain values, and nothing else is unpickled") from None
    lacking = [name for name, _ in model.named_parameters() if name not in weights]
    if lacking:
        raise FailedError(f"it lacks weights, {len(lacking)} of them, such as {lacking[0]}")
    return model.eval()


def one_line(error: BaseException) -> str:
    """The message of an error on one line, shortened."""
    return shorten(str(error), LONGEST, placeholder=" …").rstrip(".") or type(error).__name__


def preload(model: Path) -> None:
    """Load the model of a record for forks to use; if it can't be loaded, each fork reports that."""
    invalidate_caches()  # the packages may have been installed since this process was started
    try:
        record = json.loads(model.read_text(encoding="utf-8"))
        checkpoint = Path(record["checkpoint"]).absolute()
        os.chdir(record["encoders"])
        load(str(checkpoint))
    except Exception as error:
        print(one_line(error), file=sys.stderr)


COMMANDS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"versions": versions_of_packages, "score": score}


def main(arguments: Sequence[str]) -> None:
    """Run a command. What libraries print is kept from the answer."""
    with os.fdopen(os.dup(1), "w") as answer:
        os.dup2(2, 1)
        json.dump(COMMANDS[arguments[0]](json.load(sys.stdin)), answer)
    sys.exit(0)


def keep(name: str, model: str) -> None:
    """Keep a model loaded in this process, and run each command that asks for it in a fork."""
    from mtpeft.forkserver.client import origin
    from mtpeft.forkserver.server import become_command, serve_forks

    own = origin()
    become_command(serve_forks(name, partial(preload, Path(model))), own, main)


def run(arguments: Sequence[str]) -> None:
    """Run a command in this process, or one that needs a model in a fork of the process that has loaded it."""
    from mtpeft.forkserver.client import run_in_fork

    code = run_in_fork(arguments, KEPT_VARIABLE) if arguments[0] == "score" else None
    main(arguments) if code is None else sys.exit(code)


if __name__ == "__main__":
    # This Python is isolated: its path has the standard library alone.
    sys.path[:0] = [sys.argv[1]]
    sys.path.append(str(WORKFLOW))
    keep(*sys.argv[3:]) if sys.argv[2] == "keep" else run(sys.argv[2:])

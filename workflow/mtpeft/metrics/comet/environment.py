"""Call COMET in its own environment, kept offline, and kept from unpickling anything but weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.core.errors import TryAgainError, UserError
from mtpeft.isolated.run import Program
from mtpeft.metrics.comet import inside

PROGRAM = Path(inside.__file__)
VARIABLES = {
    "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_ENDPOINT": "",
    "TOKENIZERS_PARALLELISM": "false",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}
"""No hub is asked, so it does not matter which one was named; the last two let forks tokenise, and have CUDA's matrix
products repeat themselves.
"""


Samples = Mapping[str, Sequence[Mapping[str, str]]]


def ask_for_scores(
    environment: Path, model: Mapping[str, Any], sets: Samples, *, batch_size: int, threads: int
) -> dict[str, Any]:
    """Scores of every sentence of some test sets, or of none, to see whether a model can be loaded.

    Args:
        environment: folder of COMET's environment.
        model: the record of the model.
        sets: sentences of each test set, as `src`, `mt` and `ref`.
        batch_size: sentences of a batch.
        threads: torch's threads.

    Returns:
        `scores` by test set, and the `device`.

    Raises:
        UserError: COMET does not start, or can't use the model.
        TryAgainError: there was too little memory.
    """
    checkpoint = Path(model["checkpoint"])
    request = {"checkpoint": str(checkpoint.absolute()), "sets": sets, "batch_size": batch_size, "threads": threads}
    found = comet_program(environment).answer("score", request, folder=Path(model["encoders"]))
    if found.get("again"):
        raise TryAgainError(
            f"COMET had too little memory ({found['failure']}): if it stays so, write a smaller 'comet.batch_size'."
        )
    if "failure" in found:
        raise UserError(
            f"COMET can't score with {checkpoint} ({found['failure']}): name in 'comet' a model that its version in "
            "envs/comet.txt reads, and in 'comet.encoder' what that was built on."
        )
    return found


def comet_program(environment: Path) -> Program:
    """COMET in the environment of a folder."""
    return Program("COMET", PROGRAM, environment, VARIABLES)

"""Install COMET into an environment of its own, and call it there, offline and without unpickling more than weights.

Packages that the workflow has in the same version are shared with it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.core import files
from mtpeft.core.errors import TryAgainError, UserError
from mtpeft.isolated.install import install_packages, libraries_of, link_packages, new_environment, shared_packages
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
BUILT = "torch"
"""The package that needs libraries which no pin names."""
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


def install_comet(params: Mapping[str, Any], *, record: Path) -> None:
    """Make the folder of the record: packages, and the record itself with the versions of those that scores depend on.

    Raises:
        UserError: pip could not get a package.
    """
    requirements = params["requirements"]
    shared = shared_packages(requirements)
    own = [requirement for requirement in requirements if requirement.split("==")[0] not in shared]
    names = [requirement.split("==")[0] for requirement in requirements]
    libraries = libraries_of(BUILT, names) if BUILT in shared else []
    with new_environment(record.parent) as made:
        install_packages("COMET", own, made)
        link_packages([*shared, *libraries], made)
        found = comet_program(made).answer("versions", {}, folder=made)
        files.write_record(made / record.name, {"params": params, "shared": sorted(shared), "versions": found})

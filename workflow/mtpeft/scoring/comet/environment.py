"""Call COMET in its own environment, kept offline, and kept from unpickling anything but weights."""

from pathlib import Path

from mtpeft.environments.run import Program

PROGRAM = Path(__file__).with_name("inside.py")
VARIABLES = {
    "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}
"""The third lets forks tokenise, the fourth has CUDA's matrix products repeat themselves."""
KEPT_VARIABLE = "MTPEFT_COMET"
"""Name under which a process with a loaded model listens."""


def comet_program(environment: Path) -> Program:
    """COMET in the environment of a folder."""
    return Program("COMET", PROGRAM, environment, VARIABLES)

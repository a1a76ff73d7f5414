"""Install a metric into an environment of its own, and call its program there."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtpeft.core.errors import TryAgainError, UserError
from mtpeft.core.files import new_folder, read_record, write_record
from mtpeft.core.section import Section
from mtpeft.forkserver.launcher import background_server
from mtpeft.isolated.install import install_packages, libraries_of, link_packages, shared_packages
from mtpeft.isolated.run import Program
from mtpeft.metrics import program
from mtpeft.metrics.base import Metric, own_environment_of
from mtpeft.metrics.own_environment import environment_record, model_record

Samples = Mapping[str, Sequence[Mapping[str, str]]]


def install_metric(metric: Metric, params: Mapping[str, Any], *, record: Path) -> None:
    """Make the folder of the record: packages, and the record itself with the versions of those that scores depend on.

    Raises:
        UserError: pip could not get a package, or the workflow has another version of what must be shared with it.
    """
    requirements = params["requirements"]
    shared = shared_packages(requirements)
    own = [requirement for requirement in requirements if requirement.split("==")[0] not in shared]
    names = [requirement.split("==")[0] for requirement in requirements]
    built = own_environment_of(metric).libraries_of
    if built in names and built not in shared:
        raise UserError(
            f"{metric.title} pins another version of {built} than the workflow has, whose libraries no pin names; pin "
            "the one that is installed, which envs/torch.txt or envs/workflow.txt names."
        )
    libraries = libraries_of(built, names) if built in shared else []
    with new_folder(record.parent) as made:
        install_packages(metric.title, own, made, hashes=own_environment_of(metric).hashes)
        link_packages([*shared, *libraries], made)
        found = program_of(metric, made).answer("versions", {}, folder=made)
        write_record(made / record.name, {"params": params, "shared": sorted(shared), "versions": found})


def program_of(metric: Metric, environment: Path) -> Program:
    """The program of a metric in the folder of its environment."""
    own = own_environment_of(metric)
    arguments = (str(own.program), server_variable(metric))
    return Program(metric.title, Path(program.__file__), environment, own.variables, arguments)


def server_variable(metric: Metric) -> str:
    """Environment variable with the name under which a process with the loaded model listens."""
    return f"MTPEFT_METRIC_{metric.name.upper()}"


def ask_for_scores(
    metric: Metric, environment: Path, *, model: Path, sets: Samples, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Scores of every sentence of some test sets, or of none, to see whether a model can be loaded.

    Args:
        metric: one with an environment of its own.
        environment: folder of the environment.
        model: the record of the model.
        sets: sentences of each test set, as `src`, `mt` and `ref`.
        params: what the scores depend on besides.

    Returns:
        `scores` by test set, the `device`, and the `versions` of packages.

    Raises:
        UserError: the program does not start, or can't use the model.
        TryAgainError: there was too little memory.
    """
    content = read_record(model)
    request = {"model": content, "sets": sets, "params": dict(params)}
    found = program_of(metric, environment).answer("score", request, folder=Path())
    if found.get("again"):
        raise TryAgainError(
            f"{metric.title} had too little memory ({found['failure']}): if it stays so, write smaller batches in the "
            f"section '{metric.name}'."
        )
    if "failure" in found:
        raise UserError(_failure(metric, content["name"], found["failure"]))
    return found


def _failure(metric: Metric, model: str, reason: str) -> str:
    own = own_environment_of(metric)
    if own.find_model is None:
        return f"{metric.title} can't score ({reason}): mend {own.program}."
    return (
        f"{metric.title} can't score with {model} ({reason}): name in '{metric.name}' a model that {own.package} "
        f"{own.version} reads, and what that was built on."
    )


@contextmanager
def model_process(metric: Metric, section: Section) -> Iterator[dict[str, str]]:
    """Keep a metric's model loaded beside a sweep, since it takes longer to load than to score a cell.

    Every cell has a job of its own, which fails, is resumed and goes stale by itself. During `make figures` it runs in
    a fork of one process, which loads the model when the first job comes; where there is none, as on a cluster, each
    job loads it. Yields the environment variables by which jobs find the process.
    """
    record = model_record(metric.name, own_environment_of(metric), section)
    own = program_of(metric, Path(environment_record(metric.name, own_environment_of(metric))).parent)
    with background_server(
        server_variable(metric),
        lambda name: own.call("keep", name, record),
        Path(f"logs/{metric.name}.log"),
        extra=own.variables,
    ) as variables:
        yield variables

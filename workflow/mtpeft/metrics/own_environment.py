"""The declaration of a metric that needs packages which the workflow can't have, such as COMET.

The metric's packages are installed into an environment of their own, and its program runs there (see
`mtpeft.metrics.program`). Three steps serve all such metrics: `install_metric`, `take_in_metric` for the model that
scores, and `score_with_metric` for each cell.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.cells import digest_of, name_of
from mtpeft.core.section import Section

if TYPE_CHECKING:
    import numpy as np

METRICS_FOLDER = "data/metrics"
PIN = re.compile(r"[\w.-]+==[\w.!+-]+")


@dataclass(frozen=True)
class MetricModel:
    """The model that a metric scores with, as it was found or fetched.

    Attributes:
        name: as the configuration names it; tables have it beside the scores.
        files: all files that it is made of. Its record holds their hashes.
        places: what the program must know to load it, as plain JSON.
        commits: the commit of each part that was fetched from a hub.
    """

    name: str
    files: tuple[Path, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    commits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OwnEnvironment:
    """The environment of a metric, its program, and the section of the configuration that asks for it.

    Attributes:
        requirements: exact pins of all packages, with all that these need, each as `name==version`. What the workflow
            has in the same version is shared with it. Scores depend on all of them.
        package: the one of them that scores.
        program: file of the program that loads the model and scores; `mtpeft.metrics.program` says what it defines.
        section: type of the section, which bears the metric's name in the configuration.
        section_help: what the section is for.
        mistakes: one sentence for each mistake in a section, before anything is fetched.
        model_params: from the section: what decides which model scores, as plain JSON.
        model_files: from the section: the user's own files that the model is made of.
        find_model: finds or fetches the model, from `model_params` and a folder for what is fetched.
        score_params: from the section: what else the scores depend on. `threads` is the number of torch's threads.
        variables: environment variables that the program is started with.
        libraries_of: a package that needs libraries which no pin names, such as torch with those of CUDA. The workflow
            must have it in the same version.
        hashes: of the files of each requirement, each as `sha256:...`, which pip checks. All requirements have some, or
            none has. No score depends on them.

    Raises:
        ValueError: a requirement is no exact pin, none pins the package, or some have hashes and others have none.
    """

    requirements: tuple[str, ...]
    package: str
    program: Path
    section: type[Section]
    section_help: str
    mistakes: Callable[[Any], Iterator[str]] = lambda section: iter(())
    model_params: Callable[[Any], dict[str, Any]] = lambda section: {}
    model_files: Callable[[Any], list[Path]] = lambda section: []
    find_model: Callable[[Mapping[str, Any], Path], MetricModel] | None = None
    score_params: Callable[[Any], dict[str, Any]] = lambda section: {}
    variables: Mapping[str, str] = field(default_factory=dict)
    libraries_of: str = ""
    hashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for requirement in self.requirements:
            if not PIN.fullmatch(requirement):
                raise ValueError(f"'{requirement}' is no exact pin, such as '{self.package}==1.0'")
        if self.package not in self.versions:
            raise ValueError(f"the requirements have no pin of '{self.package}'")
        without = [requirement for requirement in self.requirements if not self.hashes.get(requirement)]
        if self.hashes and without:
            raise ValueError(f"'{without[0]}' has no hash, and others have some; pip takes hashes for all or for none")

    @property
    def versions(self) -> dict[str, str]:
        """Pinned versions by package."""
        return dict(requirement.split("==") for requirement in self.requirements)

    @property
    def version(self) -> str:
        """The pinned version of the package that scores."""
        return self.versions[self.package]

    @property
    def pins_digest(self) -> str:
        """Digest of all pins."""
        return digest_of({}, *self.requirements)

    def scoring(self, section: Section) -> dict[str, Any]:
        """All that the scores depend on besides the model and the text."""
        return {self.package: self.version, "pins": self.pins_digest, **self.score_params(section)}

    def digest(self, section: Section) -> str:
        """Digest of how a cell is scored. Record files bear it, so that scores of two models never meet."""
        return digest_of(self.scoring(section), digest_of(self.model_params(section)))


def mean_score(sums: "np.ndarray") -> "np.ndarray":
    """Mean score of the sentences, for metrics that score a system so.

    Args:
        sums: sums of the sentences' scores, and their number: shape [..., 2].

    Returns:
        Scores: shape [...].
    """
    return sums[..., 0] / sums[..., 1]


def model_name(metric: str, environment: OwnEnvironment, section: Section) -> str:
    """Name of the folder of a metric's model."""
    return name_of(metric, digest_of(environment.model_params(section)))


def model_record(metric: str, environment: OwnEnvironment, section: Section) -> str:
    """Record of a metric's model, in its folder."""
    return f"{METRICS_FOLDER}/models/{model_name(metric, environment, section)}/model.json"


def environment_name(metric: str, environment: OwnEnvironment) -> str:
    """Name of the folder of a metric's environment: one with other pins is another one."""
    return name_of(metric, environment.pins_digest)


def environment_record(metric: str, environment: OwnEnvironment) -> str:
    """Record of a metric's environment, in its folder."""
    return f"{METRICS_FOLDER}/environments/{environment_name(metric, environment)}/installed.json"

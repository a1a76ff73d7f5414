"""A step of the workflow is declared once: its name, version, params, inputs and function.

The rule, the command `python -m mtpeft <name>`, the schema of the record and the check whether a record is current
follow from the declaration. Each step is a module of this package that ends with its `STEP`.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mtpeft.cells import DIMENSIONS, VERSION, Cell
from mtpeft.core.registry import Registry

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

Params = dict[str, Any]
"""Everything besides the input files on which the result of a job depends, as plain JSON."""
Labels = Mapping[str, str]
"""Labels of the catalogues that tell the jobs of a step apart, by the name of their wildcard."""
Inputs = Mapping[str, str | list[str]]
"""Input files by the name of the option that takes them."""
NO_INPUTS: Inputs = MappingProxyType({})


@dataclass(frozen=True)
class Step:
    """One step of the data flow.

    Attributes:
        name: of the step, its rule and its command.
        version: raised by hand when a change of code must make old results stale. Params may hold one of their own.
        of: names of the labels that tell its jobs apart; `DIMENSIONS` stand for a cell.
        params: params of a job, given the configuration and its labels, where a cell has those of the `DIMENSIONS`.
        inputs: input files of a job, given the same. Rules with inputs of their own leave it empty.
        run: does the work; its signature is the command line, and the first line of its docstring is the help text.
        makes: parameters of `run` that name what it writes; all other paths are read.
        record: path of its record with its wildcards in braces, by which a record is known to be of the step; empty for
            steps of cells, whose records are known by their cell, and for steps without records.
        optional: names of labels that `inputs` takes where the job has them.
        makes_it: whether this step makes the record of these labels, where several steps share its path.
        starts_slowly: whether it loads large libraries, so that the fork server should run it.
        module: file that it comes from, if it is not part of the package.
    """

    name: str
    version: int
    of: tuple[str, ...]
    params: Callable[..., Params]
    run: Callable[..., None]
    inputs: Callable[..., Inputs] = lambda configuration, *labels: NO_INPUTS
    makes: tuple[str, ...] = ("record",)
    record: str = ""
    optional: tuple[str, ...] = ()
    makes_it: Callable[["Configuration", Labels], bool] = lambda configuration, labels: True
    starts_slowly: bool = False
    module: str = field(default="", compare=False)

    @property
    def summary(self) -> str:
        """A sentence that describes the step."""
        return (inspect.getdoc(self.run) or "").split("\n")[0]

    def params_of(self, configuration: "Configuration", labels: Labels) -> Params:
        """Params of the job with these labels, with the version."""
        return {VERSION: self.version} | self.params(configuration, *self._arguments(labels))

    def inputs_of(self, configuration: "Configuration", labels: Labels) -> Inputs:
        """Input files of the job with these labels."""
        more = {name: labels[name] for name in self.optional if name in labels}
        return self.inputs(configuration, *self._arguments(labels), **more)

    def _arguments(self, labels: Labels) -> list[Any]:
        if self.of[: len(DIMENSIONS)] == DIMENSIONS:
            more = [labels[name] for name in self.of[len(DIMENSIONS) :]]
            return [Cell(*(labels[name] for name in DIMENSIONS)), *more]
        return [labels[name] for name in self.of]


STEPS: Registry[Step] = Registry(Step, "mtpeft.steps", word="step")


def flat(inputs: Inputs) -> list[str]:
    """All paths of named inputs."""
    return [path for paths in inputs.values() for path in ([paths] if isinstance(paths, str) else paths)]


def by_stem(files: list[Path]) -> dict[str, Path]:
    """Files by their names without the ending, such as those of test sets."""
    return {file.stem: file for file in files}

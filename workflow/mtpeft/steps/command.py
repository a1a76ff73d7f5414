"""The commands of the steps: their options follow from the signatures of their functions."""

import argparse
import inspect
import json
import shlex
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from mtpeft.cells import Cell, digest_of
from mtpeft.core.files import canonical, write_text
from mtpeft.core.provenance import Offload
from mtpeft.steps.devices import Devices
from mtpeft.steps.step import STEPS, Inputs, Labels, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

LONGEST_ARGUMENT = 32_768
"""Longest params or list of files, in bytes, that is passed as an argument.

A rule's command is one argument of its shell, and Linux takes at most 131,072 bytes in one.
"""
FROM_FILE = "@"
"""Stands before the path of a file that holds arguments, one per line."""
PARAMS_FOLDER = Path("results/params")
HELP = {
    "gpus": "processes, each with a GPU",
    "cells_per_gpu": "steps that share a GPU",
    "micro_batch_tokens": "padded tokens of a part of an update; 0: all",
    "sharded": "1: train whole models in shards (FSDP)",
    "gradient_checkpointing": "1: compute activations again for the gradient",
    "offload": "cpu or disk: keep the layers of the base model there until they run",
}


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", given: str) -> None:
    """Add one command per step, with options for the one that is given alone; the step that runs loads libraries."""
    for step in STEPS.entries.values():
        parser = commands.add_parser(step.name, description=step.summary, fromfile_prefix_chars=FROM_FILE)
        if step.name != given:
            continue
        parser.set_defaults(step=step)
        parser.add_argument(
            "--params", required=True, type=read_params, metavar="JSON", help="params, or a file of them"
        )
        for name, parameter in files_of(step).items():
            _add_option(parser, name, parameter)


def files_of(step: Step) -> Mapping[str, inspect.Parameter]:
    """Parameters of a step's function besides its params."""
    return {name: own for name, own in inspect.signature(step.run).parameters.items() if name != "params"}


def _add_option(parser: argparse.ArgumentParser, name: str, parameter: inspect.Parameter) -> None:
    kind, option = parameter.annotation, f"--{name.replace('_', '-')}"
    if kind is Devices:
        for own in (own for own in fields(Devices) if own.name in HELP):
            option = f"--{own.name.replace('_', '-')}"
            if isinstance(own.default, int):
                parser.add_argument(option, type=int, default=own.default, metavar="N", help=HELP[own.name])
            else:
                choices = [own.default, *get_args(Offload)]
                parser.add_argument(option, default=own.default, choices=choices, metavar="PLACE", help=HELP[own.name])
    elif kind is Cell:
        parser.add_argument(option, required=True, type=Cell.parse, metavar="LABELS", help="six labels, with /")
    elif get_origin(kind) is list:
        parser.add_argument(option, type=Path, nargs="*", default=[], metavar="FILE")
    else:
        required = parameter.default is inspect.Parameter.empty
        parser.add_argument(option, type=Path, required=required, metavar="FILE")


def read_params(argument: str) -> Params:
    """Params as a JSON object, or as the path of a file that holds one.

    Raises:
        argparse.ArgumentTypeError: they are neither.
    """
    try:
        text = argument if argument.startswith("{") else Path(argument).read_text(encoding="utf-8")
        content = json.loads(text)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"neither a JSON object nor a file that holds one ({error})") from None
    if not isinstance(content, dict):
        raise argparse.ArgumentTypeError("no JSON object")
    return content


def params_argument(configuration: "Configuration", step: Step, labels: Labels) -> str:
    """The params of a job for its command: one line of JSON or, where that is long, a file named by their digest."""
    params = step.params_of(configuration, labels)
    text = canonical(params)
    return text if len(text.encode()) <= LONGEST_ARGUMENT else _in_file(step, text, ".json")


def _in_file(step: Step, text: str, ending: str) -> str:
    """Write text to a file that is named by its digest, so that it changes where the text does; returns its path."""
    file = PARAMS_FOLDER / f"{step.name}-{digest_of({}, text)}{ending}"
    if not file.exists():
        write_text(file, f"{text}\n")
    return str(file)


def as_options(step: Step, inputs: Inputs) -> str:
    """Those of the named inputs of a step that its command takes, as `--name path` options for a shell, quoted.

    Where they are long, they stand in a file, and its path after an `@`.
    """
    known = files_of(step)
    named = {name: [paths] if isinstance(paths, str) else paths for name, paths in inputs.items()}
    words = [word for name, paths in named.items() if name.replace("-", "_") in known for word in (f"--{name}", *paths)]
    options = shlex.join(words)
    if len(options.encode()) <= LONGEST_ARGUMENT:
        return options
    return shlex.quote(FROM_FILE + _in_file(step, "\n".join(words), ".txt"))


def arguments_of(given: argparse.Namespace, words: list[str]) -> dict[str, Any]:
    """The parsed options of a step's command as arguments of its function."""
    found: dict[str, Any] = {}
    for name, parameter in files_of(given.step).items():
        if parameter.annotation is Devices:
            named = {own: getattr(given, own) for own in HELP}
            found[name] = Devices(**named, command=tuple(words))
        else:
            found[name] = getattr(given, name)
    return found


def files_read(given: argparse.Namespace) -> list[Path]:
    """The files that a step is given to read."""
    names = [name for name, own in files_of(given.step).items() if own.annotation not in (Devices, Cell)]
    return [file for name in names if name not in given.step.makes for file in _paths(getattr(given, name))]


def target_of(given: argparse.Namespace) -> Path:
    """The file or folder by which a job is known: its record, or the first that it makes."""
    names = [*(["record"] if "record" in given.step.makes else []), *given.step.makes]
    return _paths(getattr(given, names[0]))[0]


def _paths(value: Path | list[Path] | None) -> list[Path]:
    return value if isinstance(value, list) else [value] if value else []

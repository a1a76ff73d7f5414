"""An ordered list of methods, each trained on top of those before it (PT-PEFT, Kim et al. 2024, arXiv 2411.00029).

In the paper a prefix is trained first, and then the prefix together with the whole model, LoRA or adapters. The stages
are labels of `methods`, and when a job is told what to do it is told their options in the place of the labels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn

BETWEEN = ":"
"""Stands between the number of a stage and the name of a module, in the name of a place."""
BASE = "base"
"""The place of a last stage that trains the base model itself."""


class _Stages(TrainedMethodOptions):
    stages: list[str] = Field(min_length=2, description="Labels of `methods`, in the order in which they are trained.")
    sizes: list[PositiveInt] = Field(description="Size of every stage but the last, such as the length of a prefix.")
    rate_factors: list[PositiveFloat] = Field(description="What the learning rate is multiplied by in each stage.")


class StagedOptions(_Stages):
    """`method: staged`: the last stage meets the budget, with what the others leave of it."""

    method: Literal["staged"]


class StagedFullOptions(_Stages):
    """`method: staged_full`: the last stage trains the whole model."""

    method: Literal["staged_full"]


def stage_count(options: Mapping[str, Any]) -> int:
    """How many stages a method has."""
    return len(options.get("stages", (options,)))


def stage_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """Places of all stages: those of the last as they are, those of the others at their given size."""
    *earlier, last = options["stages"]
    fixed = [
        Site.of_one_size(_place(number, site.module), site.cost(size if site.grows else 1))
        for number, (stage, size) in enumerate(zip(earlier, options["sizes"], strict=True))
        for site in _registry()[stage["method"]].sites(shape, stage)
    ]
    number, method = len(earlier), _registry()[last["method"]]
    if method.trains == "all":
        return [*fixed, Site.of_one_size(_place(number, BASE), shape.total)]
    return [*fixed, *(replace(site, module=_place(number, site.module)) for site in method.sites(shape, last))]


def grow(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "Iterator[nn.Module]":
    """The model with the first stage, then with the first and the second, and so on; all of them are trained."""
    from mtpeft.methods.staged_adapter import StagedModel

    staged = StagedModel(model)
    given = [*options["sizes"], None]
    for number, (stage, size) in enumerate(zip(options["stages"], given, strict=True)):
        own = {
            module: size or found
            for module, found in (_of_stage(place, found, number) for place, found in sizes.items())
            if module
        }
        method = _registry()[stage["method"]]
        if method.trains == "all":
            staged.train_base()
        else:
            staged.add(lambda inner, names, method=method, stage=stage: method.apply(inner, names, stage), own)
        yield staged


def all_stages(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """The model with all its stages."""
    *_, last = grow(model, sizes, options)
    return last


def _registry() -> Mapping[str, Method]:
    # The registry holds this method, too.
    from mtpeft.methods import METHODS

    return METHODS


def _place(number: int, module: str) -> str:
    return f"{number}{BETWEEN}{module}"


def _of_stage(place: str, size: int, number: int) -> tuple[str, int]:
    """The module of a place, if that is of the stage."""
    stage, _, module = place.partition(BETWEEN)
    return (module if stage == str(number) and module != BASE else ""), size


STAGED = Method(
    options=StagedOptions,
    paper="Kim et al. 2024, Preserving Pre-trained Representation Space: On Effectiveness of Prefix-tuning for Large "
    "Multi-modal Models (arXiv 2411.00029).",
    places="where its stages are",
    trains="sized",
    size_name="size of the last stage",
    sites=stage_sites,
    apply=all_stages,
    grow=grow,
)

STAGED_FULL = Method(
    options=StagedFullOptions,
    paper="Kim et al. 2024, the same with full fine-tuning as its last stage (arXiv 2411.00029).",
    places="where its stages are, and everything",
    trains="point",
    sites=stage_sites,
    apply=all_stages,
    grow=grow,
    trains_base=True,
)

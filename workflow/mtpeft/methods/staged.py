"""An ordered list of methods, each trained on top of those before it (PT-PEFT, Kim et al. 2024, arXiv 2411.00029).

In the paper a prefix is trained first, and then the prefix together with the whole model, LoRA or adapters. In the
configuration the stages are labels of `methods`; the params of a cell have their options instead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, ValidatorFunctionWrapHandler, WrapValidator

from mtpeft.methods import METHODS
from mtpeft.methods.base import Method, MethodOptions, ModuleSizes, TargetModule, TrainedMethodOptions
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn

BETWEEN = ":"
"""Stands between the number of a stage and the name of a module, in the name of a target module."""
BASE = "base"
"""The target module of a last stage that trains the base model itself."""


def _label_or_options(given: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    return given if isinstance(given, MethodOptions) else handler(given)


class StageOptions(TrainedMethodOptions):
    """Options of a method with stages; `stages` holds labels in the configuration, and options in a cell."""

    stages: list[Annotated[str, WrapValidator(_label_or_options)]] = Field(
        min_length=2, description="Labels of `methods`, in the order in which they are trained."
    )
    sizes: list[PositiveInt] = Field(description="Size of every stage but the last, such as the length of a prefix.")
    rate_factors: list[PositiveFloat] = Field(description="What the learning rate is multiplied by in each stage.")


class StagedOptions(StageOptions):
    """`method: staged`: the last stage meets the budget, with what the others leave of it."""

    method: Literal["staged"]


class StagedFullOptions(StageOptions):
    """`method: staged_full`: the last stage trains the whole model."""

    method: Literal["staged_full"]


def stages_of(options: MethodOptions) -> Sequence[MethodOptions]:
    """Return the options of all stages of a method, which are its own where it has one stage."""
    return options.stages if isinstance(options, StageOptions) else [options]


def stage_targets(shape: ModelShape, options: StageOptions) -> Sequence[TargetModule]:
    """Return the target modules of the last stage as they are, and those of the others at their given size."""
    *earlier, last = options.stages
    fixed = [
        TargetModule.fixed(_name(number, target.module), target.cost(size if target.grows else 1))
        for number, (stage, size) in enumerate(zip(earlier, options.sizes, strict=True))
        for target in METHODS[stage.method].target_modules(shape, stage)
    ]
    number, method = len(earlier), METHODS[last.method]
    if method.trains == "full":
        return [*fixed, TargetModule.fixed(_name(number, BASE), shape.total)]
    own = method.target_modules(shape, last)
    return [*fixed, *(replace(target, module=_name(number, target.module)) for target in own)]


def apply_stages(model: "nn.Module", sizes: ModuleSizes, options: StageOptions) -> "Iterator[nn.Module]":
    """Yield the model with the first stage, then with the first and the second, and so on; all of them are trained."""
    from mtpeft.methods.staged_adapter import StagedModel

    staged = StagedModel(model)
    given = [*options.sizes, None]
    for number, (stage, size) in enumerate(zip(options.stages, given, strict=True)):
        method, own = METHODS[stage.method], _sizes_of_stage(sizes, number)
        if method.trains == "full":
            staged.train_base()
        else:
            own = {module: size or found for module, found in own.items()}
            staged.add(lambda inner, names, method=method, stage=stage: method.apply(inner, names, stage), own)
        yield staged


def apply_all_stages(model: "nn.Module", sizes: ModuleSizes, options: StageOptions) -> "nn.Module":
    """Return the model with all its stages."""
    *_, last = apply_stages(model, sizes, options)
    return last


def _name(number: int, module: str) -> str:
    return f"{number}{BETWEEN}{module}"


def _sizes_of_stage(sizes: ModuleSizes, number: int) -> dict[str, int]:
    """Return the sizes of the modules of a stage; those of the base model have none."""
    named = ((*name.split(BETWEEN, 1), size) for name, size in sizes.items())
    return {module: size for stage, module, size in named if stage == str(number) and module != BASE}


STAGED = Method(
    options=StagedOptions,
    paper="Kim et al. 2024, Preserving Pre-trained Representation Space: On Effectiveness of Prefix-tuning for Large "
    "Multi-modal Models (arXiv 2411.00029).",
    where="where its stages are",
    trains="budgeted",
    size_name="size of the last stage",
    target_modules=stage_targets,
    apply=apply_all_stages,
    apply_stages=apply_stages,
)

STAGED_FULL = Method(
    options=StagedFullOptions,
    paper="Kim et al. 2024, the same with full fine-tuning as its last stage (arXiv 2411.00029).",
    where="where its stages are, and everything",
    trains="fixed",
    target_modules=stage_targets,
    apply=apply_all_stages,
    apply_stages=apply_stages,
    trains_base=True,
)

"""Tuners of peft as rows of a table, and the methods that are made of them.

A row says what peft's own documentation says in prose: what a size costs beside a linear layer, and which keys of the
tuner's configuration a size stands for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import create_model

from mtpeft.methods.base import (
    LinearsOptions,
    Method,
    ModuleSizes,
    RankOptions,
    TargetModule,
    TrainedMethodOptions,
)
from mtpeft.methods.budget import count
from mtpeft.methods.new_entries import new_entry_parameters
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn

Options = Any
"""Options of one of these methods, whose type is made of its row."""
Keys = Mapping[str, Any]
"""Keys of peft's configuration of a tuner."""
ALL_LINEARS = "all linear layers"
"""Name of the only target module of tuners that share a size."""


class Widths(NamedTuple):
    """Inputs and outputs of a linear layer."""

    inputs: int
    outputs: int


@dataclass(frozen=True)
class PeftTuner:
    """A tuner of peft that stands beside linear layers.

    Attributes:
        name: its PeftType, which is the name of the method.
        paper: where it comes from.
        size_name: what the field calls its size; empty if it has none.
        options: options of the method, with type and field.
        keys: keys of peft's configuration that are the same everywhere.
        where: where it adds parameters, in words.
        starts_as_base: before the first update the model computes what the base does, to the bit.
        mergeable: what it trains can be written into the weights of the base model.
        more: further attributes of its method.
    """

    name: str
    paper: str
    size_name: str = ""
    options: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    keys: Keys = field(default_factory=dict)
    where: str = "beside each linear layer"
    starts_as_base: bool = True
    mergeable: bool = True
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SizedByLayer(PeftTuner):
    """A tuner with a size of its own for each linear layer.

    Attributes:
        target: the target module beside a layer of this name and these widths.
        keys_at: keys of peft's configuration at a size.
        patterns: keys that peft itself can set by module, each with the key that does so.
        stored_beside: number of values that are stored beside those that are trained, at a size.
    """

    target: Callable[[str, Widths, Options], TargetModule] = field(kw_only=True)
    keys_at: Callable[[int, Widths, Options], Keys] = field(kw_only=True)
    patterns: Mapping[str, str] = field(default_factory=dict)
    stored_beside: Callable[[int, Widths, Options], int] = field(default=lambda size, widths, options: 0)


@dataclass(frozen=True)
class SizedAsOne(PeftTuner):
    """A tuner with one size for all linear layers, since they share weights; a step of it is a step of all layers.

    Attributes:
        shared: the target module that stands for all layers of these widths.
        fixed_cost: number of parameters that a layer costs whatever the size is.
        keys_at: keys of peft's configuration at a size.
        fits: whether it can stand in a model; where it can't, it has nothing to train.
    """

    shared: Callable[[Sequence[Widths], Options], TargetModule] = field(kw_only=True)
    fixed_cost: Callable[[Widths], int] = field(default=lambda widths: 0)
    keys_at: Callable[[int, Sequence[Widths], Options], Keys] = field(kw_only=True)
    fits: Callable[[ModelShape], bool] = field(default=lambda shape: True)


def method_by_layer(tuner: SizedByLayer) -> Method:
    """Make the method of a tuner that has a size for each layer; those of size 0 are left alone."""

    def targets(shape: ModelShape, options: Options) -> Sequence[TargetModule]:
        linears = options.linears(shape)
        return options.sized([tuner.target(x.module, Widths(x.inputs, x.outputs), options) for x in linears])

    def insert(model: "nn.Module", sizes: ModuleSizes, options: Options) -> "nn.Module":
        from mtpeft.methods.peft.sized_adapter import insert_tuner

        by_module = {module: tuner.keys_at(size, _widths(model, module), options) for module, size in sizes.items()}
        return insert_tuner(model, tuner.name, tuner.keys, by_module, patterns=tuner.patterns)

    def stored(shape: ModelShape, options: Options, sizes: ModuleSizes) -> int:
        used = [(sizes[x.module], Widths(x.inputs, x.outputs)) for x in shape.linears if x.module in sizes]
        trained = count(targets(shape, options), sizes) + new_entry_parameters(shape)
        return trained + sum(tuner.stored_beside(size, widths, options) for size, widths in used)

    return replace(_method(tuner, targets, insert), stored_parameters=stored)


def method_as_one(tuner: SizedAsOne) -> Method:
    """Make the method of a tuner with one size for all layers."""

    def targets(shape: ModelShape, options: Options) -> Sequence[TargetModule]:
        if not tuner.fits(shape):
            return []
        widths = {linear.module: Widths(linear.inputs, linear.outputs) for linear in shape.linears}
        own = [TargetModule.fixed(module, tuner.fixed_cost(own)) for module, own in widths.items()]
        return [tuner.shared(list(widths.values()), options), *own]

    def insert(model: "nn.Module", sizes: ModuleSizes, options: Options) -> "nn.Module":
        from mtpeft.methods.peft.sized_adapter import insert_tuner

        modules = [module for module in sizes if module != ALL_LINEARS]
        keys = tuner.keys_at(sizes[ALL_LINEARS], [_widths(model, module) for module in modules], options)
        return insert_tuner(model, tuner.name, tuner.keys, dict.fromkeys(modules, keys))

    return _method(tuner, targets, insert)


def method_of_one_size(
    tuner: PeftTuner,
    targets: Callable[[ModelShape, Options], Sequence[TargetModule]],
    keys: Callable[["nn.Module", Sequence[str], Options], Keys] = lambda model, modules, options: {},
) -> Method:
    """Make the method of a tuner that has no size; `keys` are those that depend on the model and its target modules."""

    def insert(model: "nn.Module", sizes: ModuleSizes, options: Options) -> "nn.Module":
        from mtpeft.methods.peft.sized_adapter import insert_tuner

        same = {**tuner.keys, **keys(model, list(sizes), options)}
        return insert_tuner(model, tuner.name, same, {module: {} for module in sizes})

    return _method(tuner, targets, insert)


def _method(tuner: PeftTuner, targets: Any, insert: Any) -> Method:
    options = create_model(
        f"{tuner.name.title().replace('_', '')}Options",
        __base__=_base_of(tuner),
        __doc__=f"`method: {tuner.name}`.",
        method=(Literal[tuner.name], ...),
        **tuner.options,
    )
    return Method(
        options=options,
        paper=tuner.paper,
        where=tuner.where,
        copies_weights=True,  # none was tried on a quantised base
        mergeable=tuner.mergeable,
        trains="budgeted" if tuner.size_name else "fixed",
        size_name=tuner.size_name,
        target_modules=targets,
        apply=insert,
        starts_as_base=tuner.starts_as_base,
        **tuner.more,
    )


def _base_of(tuner: PeftTuner) -> type[TrainedMethodOptions]:
    if not isinstance(tuner, SizedByLayer):
        return TrainedMethodOptions
    return RankOptions if tuner.size_name == "rank" else LinearsOptions


def _widths(model: "nn.Module", module: str) -> Widths:
    linear = model.get_submodule(module)
    return Widths(linear.in_features, linear.out_features)

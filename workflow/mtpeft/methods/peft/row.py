"""Tuners of peft as rows of a table, and the methods that are made of them.

A row says what peft's own documentation says in prose: what a size costs beside a linear layer, and which keys of the
tuner's configuration a size stands for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import create_model

from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.methods.budget import count
from mtpeft.methods.new_entries import new_entry_numbers
from mtpeft.methods.target_modules import LinearsOptions, at_every_budget, chosen_linears
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn

Options = Mapping[str, Any]
Keys = Mapping[str, Any]
"""Keys of peft's configuration of a tuner."""
ALL_LINEARS = "all linear layers"
"""Name of the one place of tuners that share a size."""


class Widths(NamedTuple):
    """Inputs and outputs of a linear layer."""

    inputs: int
    outputs: int


@dataclass(frozen=True)
class PeftTuner:
    """A tuner of peft that stands beside linear layers.

    Attributes:
        name: its PeftType, which is the `tuner` of the configuration.
        paper: where it comes from.
        size_name: the field's name of its size.
        options: further keys of its entry in the configuration, with type and field.
        keys: keys of peft's configuration that are the same everywhere.
        places: where it puts what it trains, in words.
        starts_as_base: before the first update the model computes what the base model does, to the bit.
        mergeable: what it trains can be written into the base model's own weights.
        settle: what is done to the model after peft has put the tuner into it.
        more: further attributes of its method.
    """

    name: str
    paper: str
    size_name: str = ""
    options: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    keys: Keys = field(default_factory=dict)
    places: str = "beside each linear layer"
    starts_as_base: bool = True
    mergeable: bool = True
    settle: Callable[["nn.Module"], "nn.Module"] = lambda tuned: tuned
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SizedByLayer(PeftTuner):
    """A tuner with a size of its own for each linear layer.

    Attributes:
        site: the place beside a layer of this name and these widths.
        sized: keys of peft's configuration at a size.
        patterns: keys that peft itself can set by module, each with the key that does so.
        frozen: numbers that are stored beside those that are trained, at a size.
    """

    site: Callable[[str, Widths, Options], Site] = field(kw_only=True)
    sized: Callable[[int, Widths, Options], Keys] = field(kw_only=True)
    patterns: Mapping[str, str] = field(default_factory=dict)
    frozen: Callable[[int, Widths, Options], int] = field(default=lambda size, widths, options: 0)


@dataclass(frozen=True)
class SizedAsOne(PeftTuner):
    """A tuner with one size for all linear layers, since they share weights.

    Its single step is that of all layers together.

    Attributes:
        shared: the place that stands for all layers of these widths.
        alone: what a layer costs whatever the size is.
        sized: keys of peft's configuration at a size.
        fits: whether it can stand in a model; where it can't, it has nothing to train.
    """

    shared: Callable[[Sequence[Widths], Options], Site] = field(kw_only=True)
    alone: Callable[[Widths], int] = field(default=lambda widths: 0)
    sized: Callable[[int, Sequence[Widths], Options], Keys] = field(kw_only=True)
    fits: Callable[[ModelShape], bool] = field(default=lambda shape: True)


def method_by_layer(tuner: SizedByLayer) -> Method:
    """The method of a tuner that has a size for each layer; those of size 0 are left alone."""

    def sites(shape: ModelShape, options: Options) -> Sequence[Site]:
        linears = chosen_linears(shape, options)
        return at_every_budget([tuner.site(x.module, Widths(x.inputs, x.outputs), options) for x in linears], options)

    def insert(model: "nn.Module", sizes: Mapping[str, int], options: Options) -> "nn.Module":
        from mtpeft.methods.peft.sized_adapter import insert_tuner

        by_module = {module: tuner.sized(size, _widths(model, module), options) for module, size in sizes.items()}
        return tuner.settle(insert_tuner(model, tuner.name, tuner.keys, by_module, patterns=tuner.patterns))

    def stored(shape: ModelShape, options: Options, sizes: Mapping[str, int]) -> int:
        used = [(sizes[x.module], Widths(x.inputs, x.outputs)) for x in shape.linears if x.module in sizes]
        trained = count(sites(shape, options), sizes) + new_entry_numbers(shape)
        return trained + sum(tuner.frozen(*place, options) for place in used)

    return replace(_method(tuner, sites, insert), stored=stored)


def method_as_one(tuner: SizedAsOne) -> Method:
    """The method of a tuner with one size for all layers."""

    def sites(shape: ModelShape, options: Options) -> Sequence[Site]:
        linears = [(x.module, Widths(x.inputs, x.outputs)) for x in shape.linears]
        own = [Site.of_one_size(module, tuner.alone(widths)) for module, widths in linears]
        if not tuner.fits(shape):
            return []
        return [tuner.shared([widths for _, widths in linears], options), *own]

    def insert(model: "nn.Module", sizes: Mapping[str, int], options: Options) -> "nn.Module":
        from mtpeft.methods.peft.sized_adapter import insert_tuner

        modules = [module for module in sizes if module != ALL_LINEARS]
        keys = tuner.sized(sizes[ALL_LINEARS], [_widths(model, module) for module in modules], options)
        return insert_tuner(model, tuner.name, tuner.keys, dict.fromkeys(modules, keys))

    return _method(tuner, sites, insert)


def method_of_one_size(
    tuner: PeftTuner,
    sites: Callable[[ModelShape, Options], Sequence[Site]],
    keys: Callable[["nn.Module", Sequence[str], Options], Keys] = lambda model, modules, options: {},
) -> Method:
    """The method of a tuner that has no size; `keys` are those that depend on the model and on where it stands."""

    def insert(model: "nn.Module", sizes: Mapping[str, int], options: Options) -> "nn.Module":
        from mtpeft.methods.peft.sized_adapter import insert_tuner

        same = {**tuner.keys, **keys(model, list(sizes), options)}
        return insert_tuner(model, tuner.name, same, {module: {} for module in sizes})

    return _method(tuner, sites, insert)


def _method(tuner: PeftTuner, sites: Any, insert: Any) -> Method:
    options = create_model(
        f"{tuner.name.title().replace('_', '')}Options",
        __base__=LinearsOptions if isinstance(tuner, SizedByLayer) else TrainedMethodOptions,
        __doc__=f"`tuner: {tuner.name}`.",
        method=(Literal[tuner.name], ...),
        **tuner.options,
    )
    return Method(
        options=options,
        paper=tuner.paper,
        places=tuner.places,
        copies_weights=True,  # none was tried on a quantised base
        mergeable=tuner.mergeable,
        trains="sized" if tuner.size_name else "point",
        size_name=tuner.size_name,
        sites=sites,
        apply=insert,
        starts_as_base=tuner.starts_as_base,
        **tuner.more,
    )


def _widths(model: "nn.Module", module: str) -> Widths:
    linear = model.get_submodule(module)
    return Widths(linear.in_features, linear.out_features)

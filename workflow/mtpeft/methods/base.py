"""What the sweep knows of a method before any weight is loaded: its options, its sizes, its count of parameters."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, PositiveFloat, Tag

from mtpeft.cells import ALL, ANY, NATIVE
from mtpeft.core.section import Section, later
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    import torch
    from torch import nn


class SearchedRate(Section):
    """A search for the learning rate, made once per model, size, method and budget; see `rate_search`."""

    search: list[PositiveFloat] = Field(
        min_length=3, description="Rates to try; more are tried beyond an end of the list while the best lies there."
    )


RATE, RATES, SEARCH = "a rate", "rates by size", "a search"
"""Forms of a learning rate; the words stand in no configuration."""


def _form_of_rate(given: Any) -> str | None:
    """The form that the author of a learning rate has meant; None if two are mixed."""
    if isinstance(given, SearchedRate):
        return SEARCH
    if not isinstance(given, Mapping):
        return RATE
    if "search" not in given:
        return RATES
    return SEARCH if len(given) == 1 else None


LearningRate = Annotated[
    Annotated[PositiveFloat, Tag(RATE)]
    | Annotated[dict[str, PositiveFloat], Tag(RATES)]
    | Annotated[SearchedRate, Tag(SEARCH)],
    Discriminator(_form_of_rate, custom_error_type="two_forms", custom_error_message="both forms"),
]


class MethodOptions(Section):
    """Keys that an entry of `methods` may have whatever its tuner is."""


class TrainedMethodOptions(MethodOptions):
    """Keys of a method that trains something."""

    learning_rate: LearningRate = Field(
        description="Peak learning rate: a number, one number per size label (`default` for the others), or a search."
    )
    losses: list[Literal["unlikelihood", "length_normalised"]] = later(
        [],
        description="Losses of T-Few (arXiv 2205.05638) beside that of the target: wrong targets, which are those of "
        "other sources of the batch, are made less likely, token by token or as a whole.",
    )


@dataclass(frozen=True)
class Site:
    """One place where a method puts parameters: `fixed + step * size` of them, with `least <= size <= most`.

    A place that may be left out has a `least` of 0, and costs nothing at that size. Where parameters don't grow by a
    constant step, `prices` has those of all sizes from 1 on.
    """

    module: str
    fixed: int
    step: int
    most: int
    least: int = 1
    prices: tuple[int, ...] = ()

    def cost(self, size: int) -> int:
        """Parameters at a size."""
        if self.prices and size:
            return self.prices[size - 1]
        return self.fixed + self.step * size if size else 0

    @property
    def grows(self) -> bool:
        """Whether it has more than one size."""
        return bool(self.step or self.prices)

    @classmethod
    def of_one_size(cls, module: str, parameters: int) -> Self:
        """A place that costs the same whatever the budget is: its size is 1."""
        return cls(module=module, fixed=parameters, step=0, most=1)

    @classmethod
    def of_prices(cls, module: str, prices: tuple[int, ...], *, least: int = 0) -> Self:
        """A place that costs `prices[0]` at size 1, and so on."""
        return cls(module=module, fixed=0, step=0, most=len(prices), least=least, prices=prices)


@dataclass(frozen=True)
class Method:
    """An entry of the registry.

    Attributes:
        options: keys of its entry in the configuration; its `tuner` literal is the registry's name.
        paper: where it comes from.
        trains: `sized` methods meet a budget with a size hyperparameter, `point` methods have one size only, `all`
            trains every parameter, `nothing` trains none.
        size_name: the field's name of the size hyperparameter (`rank`, `bottleneck`).
        sites: for `sized` and `point`: the places that it trains, in closed form.
        apply: turns a loaded base model into the model to be trained; gets the size of every site. Where `trains` is
            `sized` or `point`, what is trained stands beside a frozen base, also where it takes a weight's place,
            unless `trains_base` says otherwise.
        free: dimensions of the cell that mean nothing for it and carry the label `any`.
        from_scratch: the base model's weights are thrown away.
        starts_as_base: before the first update the model computes what the base model does, to the bit.
        places: where it puts what it trains, in words.
        grow: for a method with stages, the model as it is in each of them; `apply` gives the last.
        trains_base: the base model itself is trained.
        copies_weights: it begins with whole weights of the base, which a quantised one does not have.
        mergeable: what it trains can be written into the base model's own weights.
        by_language: of a cell over several pairs it is told the `languages` of each side, since each has its own
            parameters.
        finish: turns the trained model into the one that is stored, where training needs more than that.
        stored: parameters that are stored at the given sizes, where they are not those that are trained.
        starts_with: parameters at the start of training at the given sizes, where those that were counted are its end.
        sizes_left: sizes of a finished model, where training decides which they are.
        register: lets peft know a tuner from outside of the package.
        version: is raised by hand when what the method trains changes, and makes its cells and searches stale.
        module: file that a method from outside of the package comes from.
        rate_factor: what the learning rate of a trained parameter is multiplied by, from its name and the options.
        decays: exceptions from the rule of `mtpeft.training.optimizer`, by a part of a parameter's name: scales
            that are matrices must not decay, and updates of a weight that are vectors may.
        hook: what it does around each update of a model that it was applied to.
    """

    options: type[MethodOptions]
    paper: str
    trains: Literal["sized", "point", "all", "nothing"]
    size_name: str = ""
    sites: Callable[[ModelShape, Mapping[str, Any]], Sequence[Site]] | None = None
    apply: Callable[["nn.Module", Mapping[str, int], Mapping[str, Any]], "nn.Module"] | None = None
    free: tuple[str, ...] = ()
    from_scratch: bool = False
    starts_as_base: bool = False
    places: str = ""
    grow: Callable[["nn.Module", Mapping[str, int], Mapping[str, Any]], "Iterator[nn.Module]"] | None = None
    trains_base: bool = False
    copies_weights: bool = False
    mergeable: bool = False
    by_language: bool = False
    finish: Callable[["nn.Module"], "nn.Module"] | None = None
    stored: Callable[[ModelShape, Mapping[str, Any], Mapping[str, int]], int] | None = None
    starts_with: Callable[[ModelShape, Mapping[str, Any], Mapping[str, int]], int] | None = None
    sizes_left: Callable[["nn.Module"], Mapping[str, int]] | None = None
    register: Callable[[], None] | None = None
    version: int = 1
    module: str | None = None
    rate_factor: Callable[[str, Mapping[str, Any]], float] | None = None
    decays: Mapping[str, bool] = field(default_factory=dict)
    hook: Callable[["nn.Module", Mapping[str, Any]], "UpdateHook"] | None = None

    @property
    def name(self) -> str:
        """The `tuner` under which the configuration asks for it."""
        return self.options.model_fields["method"].annotation.__args__[0]

    @property
    def budget_labels(self) -> tuple[str, ...] | None:
        """The one budget label that the method has, or None when it takes those of the study."""
        return {"sized": None, "point": (NATIVE,), "all": (ALL,), "nothing": (ANY,)}[self.trains]


class UpdateHook:
    """Called around each update, the first of which has the number 1; this one does nothing."""

    def before(self) -> None:
        """Add to the gradients of an update, before the weights move."""

    def after(self, update: int, updates: int) -> None:
        """Change weights that have moved; their gradients are still there."""

    def may_be_kept(self, update: int, updates: int) -> bool:
        """Whether the weights after so many updates may be those that are kept; others are not judged."""
        return True

    def memory(self) -> Mapping[str, "torch.Tensor"]:
        """What a run that goes on must know besides its weights."""
        return {}

    def remember(self, memory: Mapping[str, "torch.Tensor"]) -> None:
        """Go on from a memory."""

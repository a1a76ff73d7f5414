"""The type of a method: its options, what it trains of a model in closed form, and how it is put into one.

Nothing here loads torch, so that budgets are known before any weight is there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt, PrivateAttr

from mtpeft.cells import ALL, ANY, NATIVE
from mtpeft.core.section import Section, later
from mtpeft.models.architecture import Linear, ModelShape

if TYPE_CHECKING:
    import torch
    from torch import nn


class MethodOptions(Section):
    """Options that every method has; a subclass adds `method: Literal["its name"]` and its own."""


class StartFrom(Section):
    """Labels of the cell with whose weights a training begins; those that are left out are the labels of the cell."""

    method: str = Field(description="A label of `methods` that trains the same modules with the same options.")
    pair: str | None = Field(default=None, description="A label of `pairs`, or a group of them.")
    size: str | None = Field(default=None, description="A label of `sizes`.")
    budget: str | None = Field(default=None, description="A label of `budgets` with the same share.")
    seed: NonNegativeInt | None = None


class TrainedMethodOptions(MethodOptions):
    """Options of a method that trains something. Its learning rate is a key of the configuration alone."""

    start_from: StartFrom | None = later(
        None,
        description="Labels of another cell of the same base model, with whose weights training begins, as T-Few "
        "begins with a pre-trained (IA)3 (arXiv 2205.05638). The other cell is trained first.",
    )

    losses: list[Literal["unlikelihood", "length_normalised"]] = later(
        [],
        description="Further losses, of T-Few (arXiv 2205.05638): they make wrong targets, which are those of other "
        "sources of the batch, less likely, token by token or as a whole.",
    )


def _listed(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


ALL_LAYERS = "all"
MOST_USEFUL = ("query", "value")
"""Roles of the linear layers that do most: section 7.1 of Hu et al. 2021 (arXiv 2106.09685)."""
Layers = Literal["all", "query", "key", "value", "output", "feed_forward", "recurrence"]
"""All linear layers, or those of a role."""


class LinearsOptions(TrainedMethodOptions):
    """Options of a method that stands beside linear layers, with a size for each."""

    layers: Annotated[list[Layers], BeforeValidator(_listed)] | None = later(
        None,
        min_length=1,
        description="Roles of the linear layers to adapt, such as [query, value], or all. They are adapted at every "
        "budget; smaller budgets are refused. Empty: as many layers as the budget allows, queries and values first; "
        "the column `places` of the tables counts them.",
    )

    def linears(self, shape: ModelShape) -> Sequence[Linear]:
        """Return the linear layers of a model that `layers` names, queries and values first."""
        roles = self.layers or [ALL_LAYERS]
        in_order = sorted(shape.linears, key=lambda linear: linear.role not in MOST_USEFUL)
        return [linear for linear in in_order if ALL_LAYERS in roles or linear.role in roles]

    def sized(self, targets: Sequence["TargetModule"]) -> Sequence["TargetModule"]:
        """Return the same target modules, of which none may be left out if `layers` names them."""
        return [replace(own, min_size=max(1, own.min_size)) for own in targets] if self.layers else targets


class RankOptions(LinearsOptions):
    """Options of a method that adds a low-rank update to linear layers: its rank may be given in place of a budget."""

    rank: PositiveInt | None = later(
        None,
        description="Rank of every layer that `layers` names, or of all linear layers, in the place of a budget. The "
        "method then has one size; its share of the base model's parameters is in the record and in the tables.",
    )

    def sized(self, targets: Sequence["TargetModule"]) -> Sequence["TargetModule"]:
        """Return the same target modules, all of them at `rank` if it is given."""
        if self.rank is None:
            return super().sized(targets)
        return [replace(own, min_size=self.rank, max_size=self.rank) for own in targets]


ONE_PAIR: Mapping[str, Sequence[str]] = {"source": ("",), "target": ("",)}
"""Languages of the pairs of a cell that trains on one pair, where it does not matter which they are."""


class LanguageOptions(TrainedMethodOptions):
    """Options of a method that has parameters for each language.

    A cell on several pairs says which languages its pairs have on each side. No key of the configuration does.
    """

    _languages: Mapping[str, Sequence[str]] = PrivateAttr(default=ONE_PAIR)

    @property
    def is_by_language(self) -> bool:
        """Whether each language of a side has parameters of its own; an option of a method may say so."""
        return True

    @property
    def languages(self) -> Mapping[str, Sequence[str]]:
        """The language of each pair, by side (`source`, `target`)."""
        return self._languages

    def with_languages(self, languages: Mapping[str, Sequence[str]]) -> Self:
        """Return the same options for a cell whose pairs have these languages."""
        own = self.model_copy()
        own._languages = languages
        return own


@dataclass(frozen=True)
class TargetModule:
    """A module that a method adds parameters to, with what they cost.

    At a size (rank, bottleneck width, prefix length) between `min_size` and `max_size` it has `base + per_size * size`
    parameters. A module that may be left out has a `min_size` of 0, and costs nothing at that size. Where the cost
    does not grow by a constant, `costs` has it for each size from 1 on.
    """

    module: str
    base: int
    per_size: int
    max_size: int
    min_size: int = 1
    costs: tuple[int, ...] = ()

    def cost(self, size: int) -> int:
        """Return the number of parameters at a size."""
        if self.costs and size:
            return self.costs[size - 1]
        return self.base + self.per_size * size if size else 0

    @property
    def grows(self) -> bool:
        """Whether it has more than one size."""
        return bool(self.per_size or self.costs)

    @classmethod
    def fixed(cls, module: str, parameters: int) -> Self:
        """Make a target module that costs the same whatever the budget is: its only size is 1."""
        return cls(module=module, base=parameters, per_size=0, max_size=1)

    @classmethod
    def with_costs(cls, module: str, costs: tuple[int, ...], *, min_size: int = 0) -> Self:
        """Make a target module that costs `costs[0]` at size 1, `costs[1]` at size 2, and so on."""
        return cls(module=module, base=0, per_size=0, max_size=len(costs), min_size=min_size, costs=costs)


ModuleSizes = Mapping[str, int]
"""The size of each target module, by its name."""
Inputs = Mapping[str, "torch.Tensor"]
"""Inputs of a model with `labels`, as its batches have them."""


@dataclass(frozen=True)
class Method:
    """A method of fine-tuning, which is an entry of the registry `METHODS`.

    Attributes:
        options: type of its options; the literal of their field `method` is its name.
        paper: where it comes from.
        trains: a `budgeted` method meets a budget by its size, a `fixed` one has one size only, a `full` one trains
            every parameter, and `none` trains nothing.
        size_name: what the field calls its size, such as `rank` or `bottleneck`.
        target_modules: of a `budgeted` or `fixed` method: the modules that it adds parameters to, with their costs.
        apply: turns a loaded base model into the model to be trained, given the size of each target module. What a
            `budgeted` or `fixed` method trains stands beside a frozen base, also where it takes the place of a weight,
            unless `trains_base` says otherwise.
        ignores: dimensions of a cell that change nothing for it; they carry the label `any`.
        from_scratch: the weights of the base model are thrown away.
        starts_as_base: before the first update the model computes what the base model does, to the bit.
        where: where it adds parameters, in words.
        apply_stages: of a method with stages: yields the model as it is in each of them; `apply` gives the last.
        trains_base: the base model itself is trained.
        copies_weights: it needs the unquantised weights of the base model.
        mergeable: what it trains can be written into the weights of the base model.
        finish: turns the trained model into the one that is stored, where training needs more than that.
        stored_parameters: number of values that are stored at the given sizes, where it differs from those trained.
        parameters_at_start: number of parameters at the start of training, where the budget counts those at its end.
        sizes_at_end: the sizes of a finished model, where training decides which they are.
        version: is raised by hand when what the method trains changes, and makes its cells and searches stale.
        module: the file that a method from outside of the package comes from.
        rate_factor: what the learning rate is multiplied by for a parameter of this name.
        decays: exceptions from the rule of `mtpeft.training.optimizer`, by a part of a parameter's name: scales that
            are matrices must not decay, and updates of a weight that are vectors may.
        hook: makes the hook that is called before and after each update, from the model that it was applied to.
        fit: puts what is trained where it starts, from the model that it was applied to and sentence pairs of the
            training text, each alone and without padding; it comes to the same when a training is resumed.
        varies: the attributes that are others under some options, such as `starts_as_base`.
    """

    options: type[MethodOptions]
    paper: str
    trains: Literal["budgeted", "fixed", "full", "none"]
    size_name: str = ""
    target_modules: Callable[[ModelShape, Any], Sequence[TargetModule]] | None = None
    apply: Callable[["nn.Module", ModuleSizes, Any], "nn.Module"] | None = None
    ignores: tuple[str, ...] = ()
    from_scratch: bool = False
    starts_as_base: bool = False
    where: str = ""
    apply_stages: Callable[["nn.Module", ModuleSizes, Any], "Iterator[nn.Module]"] | None = None
    trains_base: bool = False
    copies_weights: bool = False
    mergeable: bool = False
    finish: Callable[["nn.Module"], "nn.Module"] | None = None
    stored_parameters: Callable[[ModelShape, Any, ModuleSizes], int] | None = None
    parameters_at_start: Callable[[ModelShape, Any, ModuleSizes], int] | None = None
    sizes_at_end: Callable[["nn.Module"], ModuleSizes] | None = None
    version: int = 1
    module: str = ""
    rate_factor: Callable[[str, Any], float] | None = None
    decays: Mapping[str, bool] = field(default_factory=dict)
    hook: Callable[["nn.Module"], "UpdateHook"] | None = None
    fit: Callable[["nn.Module", Any, Iterable["Inputs"]], None] | None = None
    varies: Callable[[Any], Mapping[str, Any]] | None = None

    def under(self, options: MethodOptions) -> "Method":
        """Return the method as it is under options.

        One whose rank is given has one size and meets no budget; one that starts from another cell starts as that.
        """
        changed = dict(self.varies(options)) if self.varies else {}
        if isinstance(options, RankOptions) and options.rank is not None:
            changed["trains"] = "fixed"
        if isinstance(options, TrainedMethodOptions) and options.start_from is not None:
            changed["starts_as_base"] = False
        return replace(self, **changed) if changed else self

    @property
    def name(self) -> str:
        """The name by which the configuration asks for it."""
        return self.options.model_fields["method"].annotation.__args__[0]

    @property
    def budget_labels(self) -> tuple[str, ...] | None:
        """The one budget label that the method has, or None when it takes those of the study."""
        return {"budgeted": None, "fixed": (NATIVE,), "full": (ALL,), "none": (ANY,)}[self.trains]

    @property
    def per_language(self) -> bool:
        """Whether it has, or may have, parameters for each language of the pairs of a cell."""
        return issubclass(self.options, LanguageOptions)


class UpdateHook:
    """Called before and after each update, of which the first has the number 1; this one does nothing."""

    def before(self) -> None:
        """Add to the gradients of an update, before the weights move."""

    def after(self, update: int, updates: int) -> None:
        """Change weights that have moved; their gradients are still there."""

    def may_be_kept(self, update: int, updates: int) -> bool:
        """Return whether the weights after this update may become those of the cell; others are not evaluated."""
        return True

    def memory(self) -> Mapping[str, "torch.Tensor"]:
        """Return what a resumed run must know besides its weights."""
        return {}

    def remember(self, memory: Mapping[str, "torch.Tensor"]) -> None:
        """Resume from a memory."""

"""The section `methods`: labels for methods of the registry with their options and their learning rate."""

import operator
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, reduce
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, create_model

from mtpeft.cells import JOIN, Cell, members_of
from mtpeft.config.learning_rates import LEARNING_RATE_FIELD, LearningRate, SearchedRate
from mtpeft.config.messages import named_twice
from mtpeft.config.model_shapes import model_shape
from mtpeft.config.pairs import pair_languages
from mtpeft.core.errors import UserError
from mtpeft.core.section import plain
from mtpeft.core.wording import unknown
from mtpeft.methods import METHODS, method_for, options_of
from mtpeft.methods.base import LanguageOptions, Method, MethodOptions, RankOptions, TargetModule, TrainedMethodOptions
from mtpeft.methods.budget import reach, reachable, targets_of
from mtpeft.methods.lora import SHIFTED, LoraOptions
from mtpeft.methods.staged import StageOptions
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration
    from mtpeft.config.studies import Study

ONE_PAIR = ""
"""In the place of any pair that is no group, where it does not matter which."""
EARLIER = ("budgeted", "fixed")
"""Kinds of methods (`trains`) that may be a stage before the last."""
LOST_IN_STAGES = {"rank", "initialisation", "b_rate"}
"""Keys of a method that a stage would not obey."""
IN_CONTEXT = "in_context"
"""A method that trains nothing and of which there are several, by the examples that it reads."""
LAST = {"staged": ("budgeted",), "staged_full": ("full",)}
"""Kinds of methods that may be the last stage, by the method that has the stages."""


def entry_type(methods: Iterable[Method]) -> Any:
    """Make the type of an entry of `methods`: one of the options, told apart by `method`, with a learning rate."""
    options = (_with_learning_rate(method.options) for method in methods)
    return Annotated[reduce(operator.or_, options), Field(discriminator="method")]


@cache
def _with_learning_rate(options: type[MethodOptions]) -> type[MethodOptions]:
    """Add the learning rate to the options of a method that trains something; params have it beside them."""
    if not issubclass(options, TrainedMethodOptions):
        return options
    return create_model(
        options.__name__,
        __base__=options,
        __doc__=options.__doc__,
        learning_rate=(LearningRate, LEARNING_RATE_FIELD),
    )


def method_options(configuration: "Configuration", method: str) -> dict[str, Any]:
    """Return the options of a method as params have them, without its learning rate.

    They have the file that the method comes from, if it is no part of the package, and its version, if that is not the
    first. Stages stand in them with their options, not with their labels.
    """
    options = plain(configuration.methods[method])
    options.pop("learning_rate", None)
    if module := METHODS[options["method"]].module:
        options["module"] = module
    if (version := METHODS[options["method"]].version) > 1:
        options["version"] = version
    if "stages" in options:
        options["stages"] = [method_options(configuration, stage) for stage in options["stages"]]
    return options


def with_languages(options: dict[str, Any], members: Collection[Mapping[str, str]]) -> dict[str, Any]:
    """Return options with the languages of the pairs of a group, if the method, or a stage, has parameters for each."""
    languages = {side: [languages[side] for languages in members] for side in ("source", "target")}
    own = options_of(options)
    by_language = {"languages": languages} if isinstance(own, LanguageOptions) and own.is_by_language else {}
    if "stages" in options:
        by_language["stages"] = [with_languages(stage, members) for stage in options["stages"]]
    return options | by_language


def method_targets(
    configuration: "Configuration", method: str, shape: ModelShape, pair: str = ONE_PAIR
) -> Sequence[TargetModule]:
    """Return the target modules of a method in a model, for a pair or a group; none for a method without a size."""
    options = method_options(configuration, method)
    if JOIN in pair:
        sides = [pair_languages(configuration, member) for member in members_of(pair)]
        options = with_languages(options, [dict(zip(("source", "target"), own, strict=True)) for own in sides])
    return targets_of(METHODS[options["method"]], shape, options_of(options))


def search_of(configuration: "Configuration", method: str) -> SearchedRate | None:
    """Return the search for the learning rate of a method, or None if its rate is written down."""
    rate = getattr(configuration.methods[method], "learning_rate", None)
    return rate if isinstance(rate, SearchedRate) else None


def is_budgeted(configuration: "Configuration", method: str) -> bool:
    """Return whether a label stands for a method that meets a budget."""
    return method in configuration.methods and method_for(configuration.methods[method]).trains == "budgeted"


def is_beside_base(configuration: "Configuration", method: str) -> bool:
    """Return whether a method, or a stage of it, trains something beside the base model."""
    return bool(_beside_base(configuration, method))


def merges(configuration: "Configuration", method: str) -> bool:
    """Return whether all that a method trains beside the base model can be written into it, and there is something.

    Parameters for each language are not: those of a single pair could be, but a group has several.
    """
    beside = _beside_base(configuration, method)
    return bool(beside) and all(entry.mergeable and not entry.per_language for entry in beside)


def _beside_base(configuration: "Configuration", method: str) -> list[Method]:
    """Return the methods that train something beside the base model: the one of a label, or some of its stages."""
    stages = getattr(configuration.methods[method], "stages", (method,))
    entries = [method_for(configuration.methods[stage]) for stage in stages]
    return [entry for entry in entries if entry.trains in ("budgeted", "fixed")]


def mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find labels that stand for another method in figures, learning rates of unknown sizes, and impossible stages."""
    for label, options in configuration.methods.items():
        yield from _reference_mistakes(label, options.method)
        yield from _rate_mistakes(configuration, label)
        yield from _stage_mistakes(configuration, label)
        yield from _start_mistakes(label, options)
        yield from named_twice(f"methods.{label}.losses", getattr(options, "losses", ()))


def _start_mistakes(label: str, options: MethodOptions) -> Iterator[str]:
    """Find LoRA whose start is taken off again, where lengths of weight vectors are trained beside it."""
    if isinstance(options, LoraOptions) and options.dora and options.initialisation in SHIFTED:
        yield (
            f"'methods.{label}' has 'dora' and the initialisation '{options.initialisation}', which begins with an "
            "update that is not zero; take one of the two out."
        )


def _reference_mistakes(label: str, method: str) -> Iterator[str]:
    """Find reference rows and full fine-tuning under other labels than those by which figures know them."""
    named = {name for name, method in METHODS.items() if method.trains in ("full", "none")}
    if label in named and label != method:
        yield f"'methods.{label}.method' is '{method}', but '{label}' is another method; choose another label."
    elif method in named - {"full", IN_CONTEXT} and label != method:
        yield f"'methods.{label}' is a reference row, which the figures know as '{method}'; give it that label."


def _rate_mistakes(configuration: "Configuration", method: str) -> Iterator[str]:
    """Find learning rates of unknown sizes, and searches that can't be made."""
    key, rate = f"methods.{method}.learning_rate", getattr(configuration.methods[method], "learning_rate", None)
    if isinstance(rate, dict):
        yield from unknown(key, sorted(set(rate) - {"default"}), configuration.sizes, "sizes")
    if isinstance(rate, SearchedRate):
        if len(set(rate.search)) < len(rate.search):
            yield f"'{key}.search' names a rate twice; write each once."
        if configuration.rate_search is None:
            yield (
                f"'{key}' asks for a search, but there is no 'rate_search'; write on which pair, "
                "'rate_search: {pair: …}'."
            )


def _stage_mistakes(configuration: "Configuration", label: str) -> Iterator[str]:
    """Find stages that are unknown, that can't be stages, or that lack a size or a factor of the learning rate."""
    options = configuration.methods[label]
    stages = getattr(options, "stages", None)
    if stages is None:
        return
    key = f"methods.{label}"
    yield from unknown(f"{key}.stages", stages, configuration.methods, "methods")
    if not set(stages) <= set(configuration.methods):
        return
    for name, wanted in (("sizes", len(stages) - 1), ("rate_factors", len(stages))):
        if len(getattr(options, name)) != wanted:
            what = "one for each stage but the last" if name == "sizes" else "one for each stage"
            yield f"'{key}.{name}' has {len(getattr(options, name))} entries; write {what}, {wanted} in all."
    names = [configuration.methods[stage].method for stage in stages]
    if len(set(names)) < len(names):
        yield f"'{key}.stages' has a method twice ({', '.join(names)}); what is stored could not be told apart."
    for number, (stage, name) in enumerate(zip(stages, names, strict=True)):
        kinds = LAST[options.method] if number == len(stages) - 1 else EARLIER
        if METHODS[name].trains not in kinds or not _can_be_a_stage(METHODS[name]):
            fits = [fit for fit, entry in METHODS.items() if entry.trains in kinds and _can_be_a_stage(entry)]
            yield (
                f"'{key}.stages' names '{stage}', whose method '{name}' can't stand there; "
                f"name one of {', '.join(fits)}."
            )
        elif losses := method_options(configuration, stage).get("losses"):
            yield f"'{key}.stages' names '{stage}', whose losses {losses} would be lost; write them in '{key}' itself."
        elif "network" in method_options(configuration, stage):
            yield f"'{key}.stages' names '{stage}', whose network is thrown away after training; name another one."
        elif lost := sorted(LOST_IN_STAGES & method_options(configuration, stage).keys()):
            yield f"'{key}.stages' names '{stage}', whose '{lost[0]}' a stage can't have; name one without it."


def _can_be_a_stage(method: Method) -> bool:
    """Return whether a method has nothing that a stage would lose: stages, two learning rates, or hooks of updates."""
    return not (method.apply_stages or method.hook or method.rate_factor)


def study_mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find methods and budgets of the studies that their models don't allow."""
    known = {model: model_shape(configuration, model) for model in configuration.models}
    for label, study in configuration.studies.items():
        key = f"studies.{label}"
        for block in study.blocks:
            yield from _frozen_mistakes(configuration, key, block)
            yield from _sharding_mistakes(configuration, key, block)
            for model in block.models:
                yield from _stages_beside_new_entries(configuration, key, block, shape=known[model], model=model)
            for model in block.models:
                if shape := known[model]:
                    yield from _shape_mistakes(configuration, key, block, shape=shape, model=model)


def _shape_mistakes(
    configuration: "Configuration", key: str, study: "Study", *, shape: ModelShape, model: str
) -> Iterator[str]:
    """Find stages, methods and budgets that don't fit a model of this shape; budgets only where the stages fit."""
    staged = list(_stages_in_a_model(configuration, study, shape=shape, model=model))
    yield from staged
    yield from _rank_mistakes(configuration, study, shape=shape, model=model)
    if not staged:
        yield from _nothing_to_train(configuration, key, study, shape=shape, model=model)
        yield from _out_of_reach(configuration, f"{key}.budgets", study, shape=shape, model=model)


def _rank_mistakes(configuration: "Configuration", study: "Study", *, shape: ModelShape, model: str) -> Iterator[str]:
    """Find ranks that some layer of a model has no room for."""
    for method in study.methods:
        options = options_of(method_options(configuration, method))
        if not isinstance(options, RankOptions) or options.rank is None:
            continue
        targets = METHODS[options.method].target_modules(shape, options.model_copy(update={"rank": None}))
        most = min((target.max_size for target in targets if target.grows), default=options.rank)
        if options.rank > most:
            yield f"'methods.{method}.rank' is {options.rank}; write at most {most}, which layers of '{model}' have."


def _frozen_mistakes(configuration: "Configuration", key: str, study: "Study") -> Iterator[str]:
    """Find methods that train the base model itself, where its precision keeps it frozen."""
    for model, method in product(study.models, study.methods):
        for frozen_by in _freezing_keys(configuration, model, method):
            yield (
                f"'{key}.methods' names '{method}', which needs the weights of the base model, but "
                f"'models.{model}.{frozen_by}' keeps it frozen; take one of the two out, or add an entry for the same "
                f"model without '{frozen_by}'."
            )


def _sharding_mistakes(configuration: "Configuration", key: str, study: "Study") -> Iterator[str]:
    """Find full fine-tuning in shards with losses that can't be computed on shards."""
    for model, method in product(study.models, study.methods):
        options = configuration.methods[method]
        losses = getattr(options, "losses", ())
        if losses and configuration.models[model].sharded and method_for(options).trains_base:
            yield (
                f"'{key}.methods' names '{method}', whose 'losses' can't be computed on shards, but "
                f"'models.{model}.sharded' asks for them; take one of the two out."
            )


def require_trainable(configuration: "Configuration", cell: Cell) -> None:
    """Refuse a cell that no study can have, but that a user may ask for by its path.

    Raises:
        UserError: its method trains the base model, whose precision keeps it frozen.
    """
    for frozen_by in _freezing_keys(configuration, cell.model, cell.method):
        raise UserError(
            f"The cell {cell.path} needs the weights of the base model, but 'models.{cell.model}.{frozen_by}' keeps it "
            "frozen; name a cell of an entry without that key."
        )


def _freezing_keys(configuration: "Configuration", model: str, method: str) -> list[str]:
    """Return the keys of a model that keep a method, or a stage of it, from training or copying its weights."""
    stages = getattr(configuration.methods[method], "stages", ())
    entries = [method_for(configuration.methods[label]) for label in (method, *stages)]
    trains_base = any(entry.trains_base for entry in entries)
    if not trains_base and not any(entry.copies_weights for entry in entries):
        return []
    entry = configuration.models[model]
    frozen_by = [key for key in entry.reduced_precision if trains_base or key == "quantised"]
    return [*frozen_by, *(["offload"] if entry.offload and trains_base else [])]


def _stages_beside_new_entries(
    configuration: "Configuration", key: str, study: "Study", *, shape: ModelShape | None, model: str
) -> Iterator[str]:
    """Find methods of several stages for a model whose vocabulary has new entries, or will have."""
    if not configuration.models[model].extend and not (shape and shape.new_entries):
        return
    for method in _staged(configuration, study):
        yield (
            f"'{key}.methods' names '{method}', but '{model}' has new entries in its vocabulary, which methods of "
            "one stage alone can train; take one of the two out."
        )


def _staged(configuration: "Configuration", study: "Study") -> list[str]:
    """Return the methods of a study that have several stages."""
    return [method for method in study.methods if hasattr(configuration.methods[method], "stages")]


def _stages_in_a_model(
    configuration: "Configuration", study: "Study", *, shape: ModelShape, model: str
) -> Iterator[str]:
    """Find stages that change the same modules of a model, and sizes of stages that it has no room for."""
    for method in _staged(configuration, study):
        options = options_of(method_options(configuration, method))
        yield from _sizes_out_of_reach(f"methods.{method}.sizes", options, shape=shape, model=model)
        yield from _shared_modules(f"methods.{method}.stages", configuration, method, shape=shape)


def _sizes_out_of_reach(key: str, options: StageOptions, *, shape: ModelShape, model: str) -> Iterator[str]:
    for stage, size in zip(options.stages, options.sizes, strict=False):
        targets = [target for target in METHODS[stage.method].target_modules(shape, stage) if target.grows]
        low = max((target.min_size for target in targets), default=size)
        high = min((target.max_size for target in targets), default=size)
        if not max(1, low) <= size <= high:
            yield f"'{key}' has {size} for '{stage.method}', which has {max(1, low)} to {high} in '{model}'."


def _shared_modules(key: str, configuration: "Configuration", method: str, *, shape: ModelShape) -> Iterator[str]:
    """Find stages at one module, which are one too many: most adapters take the place of what it computes."""
    taken: dict[str, str] = {}
    for label in configuration.methods[method].stages:
        options = options_of(method_options(configuration, label))
        targets = METHODS[options.method].target_modules
        modules = {target.module for target in targets(shape, options)} if targets else set()
        if both := sorted(modules & set(taken)):
            yield (
                f"'{key}' has '{taken[both[0]]}' and '{label}', which would both change {both[0]}; name stages that "
                "stand in different places, such as a prefix and LoRA."
            )
            return
        taken |= dict.fromkeys(modules, label)


def _nothing_to_train(
    configuration: "Configuration", key: str, study: "Study", *, shape: ModelShape, model: str
) -> Iterator[str]:
    """Find methods that have nothing to train in a model, such as BitFit in one without biases.

    A model without an encoder has no place for what stands on the source alone, nor for losses of whole targets.
    """
    one_stack = "encoder" not in shape.task.stacks
    why = ", which has neither an encoder nor cross-attention" if one_stack else ""
    for method in study.methods:
        adds = method_for(configuration.methods[method]).trains in ("fixed", "budgeted")
        if adds and not method_targets(configuration, method, shape):
            yield f"'{key}.methods' names '{method}', which has nothing to train in '{model}'{why}; take it out."
        if one_stack and getattr(configuration.methods[method], "losses", ()):
            yield (
                f"'{key}.methods' names '{method}', whose 'losses' need a model with an encoder, which '{model}' has "
                "not; take one of the two out."
            )


def _out_of_reach(
    configuration: "Configuration", key: str, study: "Study", *, shape: ModelShape, model: str
) -> Iterator[str]:
    sized = [name for name in study.methods if is_budgeted(configuration, name)]
    groups = [pair for pair in study.pairs if JOIN in pair]
    any_pair = [ONE_PAIR] if len(groups) < len(study.pairs) else []
    for method, pair in product(sized, [*any_pair, *groups]):
        targets = method_targets(configuration, method, shape, pair)
        if not targets:  # which is said elsewhere
            continue
        low, high = reach(targets)
        for budget in study.budgets:
            share = configuration.budgets[budget]
            if not low <= int(share * shape.total) <= high:
                on = f" on '{pair}'" if pair != ONE_PAIR else ""
                yield (
                    f"'{key}' asks for '{budget}' ({share:.3%} of '{model}'), which method '{method}' can't meet{on}: "
                    f"it reaches {reachable(targets, shape.total)}; change 'budgets.{budget}' or take one of the two "
                    "out."
                )

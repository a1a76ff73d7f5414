"""What can be wrong with a method that is an ordered list of other methods."""

from collections.abc import Iterator, Mapping
from typing import Any

from mtpeft.config.resolve import method_options
from mtpeft.config.schema import Configuration, Study
from mtpeft.core.wording import unknown
from mtpeft.methods import METHODS
from mtpeft.methods.base import Method
from mtpeft.models.architecture import ModelShape

EARLIER = ("sized", "point")
"""What a stage may train that is not the last."""
LAST = {"staged": ("sized",), "staged_full": ("all",)}
"""What the last one may train."""


def stage_mistakes(configuration: Configuration, label: str) -> Iterator[str]:
    """Stages that are not there, that can't be stages, or that lack a size or a factor."""
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


def _can_be_a_stage(method: Method) -> bool:
    """Whether nothing of it is lost: stages of its own, two rates, or what it does around every update."""
    return not (method.grow or method.hook or method.rate_factor)


def stages_beside_new_entries(
    configuration: Configuration, key: str, study: Study, *, shape: ModelShape | None, model: str
) -> Iterator[str]:
    """Stages in a model whose vocabulary has new entries, or will have."""
    if not configuration.models[model].extend and not (shape and shape.new_entries):
        return
    for method in _staged(configuration, study):
        yield (
            f"'{key}.methods' names '{method}', but '{model}' has new entries in its vocabulary, which methods of "
            "one stage alone can train; take one of the two out."
        )


def _staged(configuration: Configuration, study: Study) -> list[str]:
    return [method for method in study.methods if hasattr(configuration.methods[method], "stages")]


def stages_in_a_model(configuration: Configuration, study: Study, *, shape: ModelShape, model: str) -> Iterator[str]:
    """Stages that get in each other's way in a model, and sizes that it has no room for."""
    for method in _staged(configuration, study):
        options = method_options(configuration, method)
        yield from _sizes_out_of_reach(f"methods.{method}.sizes", options, shape=shape, model=model)
        yield from _shared_places(f"methods.{method}.stages", configuration, method, shape=shape)


def _sizes_out_of_reach(key: str, options: Mapping[str, Any], *, shape: ModelShape, model: str) -> Iterator[str]:
    for stage, size in zip(options["stages"], options["sizes"], strict=False):
        sites = [site for site in METHODS[stage["method"]].sites(shape, stage) if site.grows]
        least, most = (max(s.least for s in sites), min(s.most for s in sites)) if sites else (size, size)
        if not max(1, least) <= size <= most:
            yield f"'{key}' has {size} for '{stage['method']}', which has {max(1, least)} to {most} in '{model}'."


def _shared_places(key: str, configuration: Configuration, method: str, *, shape: ModelShape) -> Iterator[str]:
    """Most tuners take the place of what a module computes, so two of them at one module are one too many."""
    taken: dict[str, str] = {}
    for label in configuration.methods[method].stages:
        options = method_options(configuration, label)
        sites = METHODS[options["method"]].sites
        places = {site.module for site in sites(shape, options)} if sites else set()
        if both := sorted(places & set(taken)):
            yield (
                f"'{key}' has '{taken[both[0]]}' and '{label}', which would both change {both[0]}; name stages that "
                "stand in different places, such as a prefix and LoRA."
            )
            return
        taken |= dict.fromkeys(places, label)

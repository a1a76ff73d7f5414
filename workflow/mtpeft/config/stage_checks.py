"""What can be wrong with a method that is an ordered list of other methods."""

from collections.abc import Iterator

from mtpeft.config.resolve import method_options
from mtpeft.config.schema import Configuration
from mtpeft.config.sentences import unknown
from mtpeft.methods import METHODS

LAST = {"staged": ("sized", "point"), "staged_full": ("all",)}
"""What the last stage may train."""


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
    tuners = [configuration.methods[stage].tuner for stage in stages]
    if len(set(tuners)) < len(tuners):
        yield f"'{key}.stages' has a tuner twice ({', '.join(tuners)}); what is stored could not be told apart."
    for number, (stage, tuner) in enumerate(zip(stages, tuners, strict=True)):
        is_last = number == len(stages) - 1
        method = METHODS[tuner]
        if method.trains not in (LAST[options.tuner] if is_last else ("sized", "point")) or method.grow or method.hook:
            kind = LAST[options.tuner] if is_last else LAST["staged"]
            fits = [name for name, entry in METHODS.items() if entry.trains in kind and not (entry.grow or entry.hook)]
            yield (
                f"'{key}.stages' names '{stage}', whose tuner '{tuner}' can't stand there; "
                f"name one of {', '.join(fits)}."
            )
        elif method.finish and "network" in method_options(configuration, stage):
            yield f"'{key}.stages' names '{stage}', whose network is thrown away after training; name one without."

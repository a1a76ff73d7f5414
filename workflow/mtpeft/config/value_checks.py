"""Values whose type is right, but which nobody can have meant."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from mtpeft.config.schema import Configuration, Study
from mtpeft.core.wording import listed

LARGEST = 1_000_000_000
"""No count, seed or other number of a configuration is larger."""
LISTS = ("models", "pairs", "sizes", "methods", "budgets", "seeds", "also_score")


def number_mistakes(given: Any, read: Any, key: str = "") -> Iterator[str]:
    """True and false where a number is wanted, which pydantic takes for 1 and 0, and numbers beyond all use.

    Args:
        given: a part of the configuration as it was written.
        read: the same part with its types.
        key: of the part.
    """
    if isinstance(read, int | float) and not isinstance(read, bool):
        if isinstance(given, bool):
            yield f"'{key}' is {str(given).lower()}; write a number."
        elif abs(read) > LARGEST:
            yield f"'{key}' is {given}; write a number of at most {LARGEST:,}."
    for name, part in _parts(given):
        yield from number_mistakes(part, _part_of(read, name), f"{key}.{name}" if key else str(name))


def _parts(given: Any) -> list[tuple[Any, Any]]:
    if isinstance(given, Mapping):
        return list(given.items())
    return list(enumerate(given)) if isinstance(given, list | tuple) else []


def _part_of(read: Any, name: Any) -> Any:
    """What was read of a part; nothing where a type has put it somewhere else."""
    if isinstance(read, BaseModel):
        return getattr(read, str(name), None)
    if isinstance(read, Mapping):
        return read.get(name)
    return read[name] if isinstance(read, Sequence) and isinstance(name, int) and name < len(read) else None


def value_mistakes(configuration: Configuration) -> Iterator[str]:
    """Entries that stand twice, and numbers that do not fit each other."""
    for label, study in configuration.studies.items():
        places = (f"studies.{label}", *(f"studies.{label}.also.{number}" for number, _ in enumerate(study.also)))
        for place, written in zip(places, (study, *study.also), strict=True):
            for name in LISTS:
                yield from _named_twice(f"{place}.{name}", getattr(written, name, None) or ())
        yield from _alike(configuration, label, study)
    for label, model in configuration.models.items():
        if model.seen:
            for name in ("parallel", "monolingual"):
                yield from _named_twice(f"models.{label}.seen.{name}", getattr(model.seen, name))
        if model.pretrain:
            for name in ("pairs", "vocabulary_pairs"):
                yield from _named_twice(f"models.{label}.pretrain.{name}", getattr(model.pretrain, name))
    for label, corpus in configuration.corpora.items():
        yield from _named_twice(f"corpora.{label}.split.present_in", corpus.split.present_in)
    for label, options in configuration.methods.items():
        yield from _named_twice(f"methods.{label}.losses", getattr(options, "losses", ()))
    for label, finding in configuration.findings.items():
        for name in ("methods", "smaller"):
            yield from _named_twice(f"findings.{label}.{name}", getattr(finding, name, ()))
    yield from _too_many_evaluations(configuration)


def _named_twice(key: str, labels: Sequence[Any]) -> Iterator[str]:
    for label, count in Counter(labels).items():
        if count > 1:
            yield f"'{key}' names '{label}' {'twice' if count == 2 else f'{count} times'}; write it once."


def _alike(configuration: Configuration, label: str, study: Study) -> Iterator[str]:
    """Labels of one study that mean the same, so that its figure would show one system as two."""
    for name in ("budgets", "sizes"):
        catalogue, meant = getattr(configuration, name), {}
        for used in dict.fromkeys(used for block in study.blocks for used in getattr(block, name)):
            if used in catalogue:
                meant.setdefault(catalogue[used], []).append(used)
        for value, labels in meant.items():
            if len(labels) > 1:
                told = f"{value:.3%}" if name == "budgets" else f"{value.pairs} pairs with {value.updates} updates"
                yield f"'studies.{label}.{name}' names {listed(labels)}, which are all {told}; take out all but one."


def _too_many_evaluations(configuration: Configuration) -> Iterator[str]:
    evaluations = configuration.training.evaluations
    sizes = {size for study in configuration.studies.values() for block in study.blocks for size in block.sizes}
    for size in sorted(sizes & set(configuration.sizes)):
        if evaluations > (updates := configuration.sizes[size].updates):
            yield (
                f"'training.evaluations' is {evaluations}, but 'sizes.{size}.updates' is {updates}; the dev set can be "
                "decoded after an update at most once, so write fewer evaluations or more updates."
            )

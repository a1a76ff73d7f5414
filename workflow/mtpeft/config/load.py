"""Load config.yaml and the overlays over it, and check all of it before anything runs."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mtpeft.cells import JOIN, LABEL_PATTERN, LONGEST_LABEL, RESERVED, unsafe_label
from mtpeft.config import (
    corpora,
    decoding,
    findings,
    held_out,
    methods,
    metrics,
    model_languages,
    model_origins,
    models,
    pairs,
    rate_search,
    serving,
    start_from,
    studies,
    training,
)
from mtpeft.config.findings import CATALOGUE_OF, named_labels
from mtpeft.config.messages import number_mistakes, sentences
from mtpeft.config.schema import Configuration, configuration_type
from mtpeft.config.study_file import DEFAULT_FILE, study_name
from mtpeft.config.yaml_file import read_yaml
from mtpeft.core.errors import UserError
from mtpeft.core.files import found_path
from mtpeft.core.registry import bring_in

LABELLED = ("corpora", "pairs", "sizes", "models", "methods", "budgets", "studies", "findings")
"""Sections whose entries have labels."""
Check = Callable[[Configuration], Iterable[str]]
"""Finds mistakes, each told in one sentence."""


def load(overlays: Sequence[Path] = ()) -> Configuration:
    """Load config.yaml with overlays over it, in the order given, as Snakemake merges its `--configfile`s.

    Raises:
        UserError: a file can't be read, or there are mistakes; the message has one sentence for each.
    """
    merged: dict[str, Any] = {}
    for file in (DEFAULT_FILE, *overlays):
        merged = merge(merged, read_yaml(Path(file)))
    return validate(merged).named(study_name(overlays))


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two configurations as Snakemake does: mappings are merged, everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def without_empty(content: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the keys without a value: an overlay takes a key out by leaving it empty."""
    return {
        key: without_empty(value) if isinstance(value, Mapping) else value
        for key, value in content.items()
        if value is not None
    }


def without_orphans(content: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the findings that name a label which an overlay has taken out of its section."""
    given = content.get("findings")
    if not isinstance(given, Mapping):
        return dict(content)
    kept = {
        label: finding
        for label, finding in given.items()
        if not isinstance(finding, Mapping)
        or not any(_is_taken_out(content.get(CATALOGUE_OF[key]), named) for key, named in named_labels(finding))
    }
    return {**content, "findings": kept}


def _is_taken_out(catalogue: Any, label: Any) -> bool:
    return isinstance(catalogue, Mapping) and isinstance(label, str) and catalogue.get(label, label) is None


def _named_modules(content: Mapping[str, Any]) -> list[str]:
    """Return the named files of modules; anything but a list of texts is refused later, with other wrong types."""
    named = content.get("modules")
    return [file for file in named if isinstance(file, str)] if isinstance(named, list) else []


def validate(content: Mapping[str, Any]) -> Configuration:
    """Return the typed configuration.

    Raises:
        UserError: there are mistakes; the message has one sentence for each. Sections are checked against each other
            only where the types are right.
    """
    for file in _named_modules(content):
        bring_in(os.path.normpath(found_path(file)))
    kind = configuration_type()
    try:
        configuration = kind.model_validate(without_empty(without_orphans(content)))
    except ValidationError as error:
        raise UserError("\n".join(sentences(error.errors(), kind))) from None
    if found := list(number_mistakes(content, configuration)) or mistakes(configuration):
        raise UserError("\n".join(found))
    return configuration


def _label_mistakes(configuration: Configuration) -> Iterator[str]:
    """Find labels that can't be names of folders, or that mean something else there."""
    for section in LABELLED:
        for label in getattr(configuration, section):
            if not re.fullmatch(LABEL_PATTERN, label):
                yield unsafe_label(section, label)
            elif len(label) > LONGEST_LABEL:
                yield (
                    f"'{section}' has a label of {len(label)} characters, '{label[:20]}…', but folders and files are "
                    f"named by labels; write {LONGEST_LABEL} at most."
                )
            elif section == "pairs" and JOIN in label:
                yield f"'pairs' has the label '{label}', but a plus joins the pairs of a group; write another sign."
            elif label in RESERVED or (section == "studies" and label == studies.EFFICIENCY):
                yield f"'{section}' has the label '{label}', which has a meaning of its own; choose another one."


STAGES: tuple[tuple[Check, ...], ...] = (
    (_label_mistakes,),
    (model_origins.circles,),
    (
        corpora.mistakes,
        pairs.mistakes,
        corpora.pair_mistakes,
        models.mistakes,
        methods.mistakes,
        rate_search.mistakes,
    ),
    (corpora.hash_mistakes, start_from.mistakes),
    (metrics.mistakes,),
    (corpora.present_in_mistakes, studies.mistakes, training.study_mistakes),
    (model_languages.study_mistakes, methods.study_mistakes, decoding.mistakes, serving.mistakes),
    (held_out.mistakes,),
    (findings.mistakes,),
)
"""The checks of all sections. Those of a stage may rely on it that the stages before it have found nothing."""


def mistakes(configuration: Configuration) -> list[str]:
    """Return one sentence for each mistake that the first stage with mistakes finds."""
    found = (list(dict.fromkeys(chain.from_iterable(check(configuration) for check in stage))) for stage in STAGES)
    return next(filter(None, found), [])

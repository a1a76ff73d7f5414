"""Read config.yaml and the overlays over it, and check all of it before anything runs."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mtpeft.config.checks import complaints
from mtpeft.config.findings import CATALOGUE_OF, named_labels
from mtpeft.config.messages import number_mistakes, sentences
from mtpeft.config.schema import Configuration, configuration_type
from mtpeft.config.study_file import DEFAULT_FILE, study_name
from mtpeft.config.yaml_file import read_yaml
from mtpeft.core.errors import UserError
from mtpeft.core.files import found_path
from mtpeft.methods.outside import bring_in


def load(overlays: Sequence[Path] = ()) -> Configuration:
    """The project's config.yaml with overlays on top, in the order given, as Snakemake's `--configfile` has it."""
    merged: dict[str, Any] = {}
    for file in (DEFAULT_FILE, *overlays):
        merged = merge(merged, read_yaml(Path(file)))
    return validate(merged).named(study_name(overlays))


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings are merged, everything else is replaced: the rule that Snakemake follows for overlays."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def without_empty(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same without keys that have no value: an overlay can't remove a key, but it can leave it empty."""
    return {
        key: without_empty(value) if isinstance(value, Mapping) else value
        for key, value in content.items()
        if value is not None
    }


def without_orphans(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same without the findings that name a label which an overlay took out of its catalogue."""
    findings = content.get("findings")
    if not isinstance(findings, Mapping):
        return dict(content)
    kept = {
        label: finding
        for label, finding in findings.items()
        if not isinstance(finding, Mapping)
        or not any(_is_taken_out(content.get(CATALOGUE_OF[key]), named) for key, named in named_labels(finding))
    }
    return {**content, "findings": kept}


def _is_taken_out(catalogue: Any, label: Any) -> bool:
    return isinstance(catalogue, Mapping) and isinstance(label, str) and catalogue.get(label, label) is None


def _named_modules(content: Mapping[str, Any]) -> list[str]:
    """Files of methods from outside; what is no list of texts is refused with the rest of the form."""
    named = content.get("method_modules")
    return [file for file in named if isinstance(file, str)] if isinstance(named, list) else []


def validate(content: Mapping[str, Any]) -> Configuration:
    """The typed configuration.

    Raises:
        UserError: with one sentence per mistake, first those of form, then those between the parts.
    """
    for file in _named_modules(content):
        bring_in(os.path.normpath(found_path(file)))
    kind = configuration_type()
    try:
        configuration = kind.model_validate(without_empty(without_orphans(content)))
    except ValidationError as error:
        raise UserError("\n".join(sentences(error.errors(), kind))) from None
    if found := list(number_mistakes(content, configuration)) or list(complaints(configuration)):
        raise UserError("\n".join(found))
    return configuration

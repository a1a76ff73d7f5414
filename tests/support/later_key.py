"""Types of a configuration with one more key in every section, as if somebody had added it."""

import operator
from collections.abc import Callable
from functools import reduce
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from mtpeft.core.section import Section

KEY = "added_later"


def with_key(section: type[Section], key: Callable[[], Any], *, only: type[Section] | None = None) -> type[Section]:
    """A type of section that has the key, as have all sections in it.

    Args:
        section: the type to begin with.
        key: makes the pydantic field of the key.
        only: the one section that gets it; all of them if empty.
    """
    fields: dict[str, Any] = {KEY: (int, key())} if only in (None, section) else {}
    for name, field in section.model_fields.items():
        inner = _with_key(field.annotation, key, only)
        if inner is not field.annotation:
            fields[name] = (_annotated(inner, field), _default_of(field, inner))
    return create_model(section.__name__, __base__=section, **fields)


def sections_in(annotation: Any) -> set[type[Section]]:
    """All types of sections in a type."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        inner = (sections_in(field.annotation) for field in annotation.model_fields.values())
        return {annotation}.union(*inner)
    return set().union(*map(sections_in, get_args(annotation)))


def _with_key(annotation: Any, key: Callable[[], Any], only: type[Section] | None) -> Any:
    """A type with the key in the sections that it has; the same object where it has none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return with_key(annotation, key, only=only)
    arguments = get_args(annotation)
    changed = tuple(_with_key(argument, key, only) for argument in arguments)
    if all(new is old for new, old in zip(changed, arguments, strict=True)):
        return annotation
    origin = get_origin(annotation)
    if origin is Annotated:
        return reduce(lambda kind, extra: Annotated[kind, extra], changed[1:], changed[0])
    return reduce(operator.or_, changed) if origin in (Union, UnionType) else origin[changed]


def _annotated(annotation: Any, field: FieldInfo) -> Any:
    """A type with what validates it, such as what its unions are told apart by."""
    extras = [*field.metadata, *([field] if field.discriminator else [])]
    return reduce(lambda kind, extra: Annotated[kind, extra], extras, annotation)


def _default_of(field: FieldInfo, annotation: Any) -> FieldInfo:
    """The field with a default of the new type where the old one is a section."""
    return FieldInfo(
        default=annotation() if isinstance(field.default, Section) else field.default,
        description=field.description,
        exclude_if=field.exclude_if,
        discriminator=field.discriminator,
    )

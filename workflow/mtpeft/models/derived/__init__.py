"""Where base models come from: a file in this folder defines each source, and no other file is edited for a new one."""

from mtpeft.core.registry import Registry
from mtpeft.models.derived.base import ModelSource

MODEL_SOURCES: Registry[ModelSource] = Registry(ModelSource, "mtpeft.models.derived", word="source of models")


def source_of(entry: object) -> ModelSource:
    """Return the source of an entry of `models`: the one whose key it has.

    Raises:
        LookupError: it has none.
    """
    for source in MODEL_SOURCES.entries.values():
        if getattr(entry, source.name, None):
            return source
    raise LookupError(f"the entry names no source of a model ({', '.join(MODEL_SOURCES)})")

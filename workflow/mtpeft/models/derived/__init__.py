"""Sources of base models: each is defined by a file in this folder, and no other file is edited for a new one."""

from dataclasses import dataclass

from mtpeft.core.registry import Registry


@dataclass(frozen=True)
class ModelSource:
    """A way in which a base model comes to be: an entry of the registry.

    Attributes:
        name: key of an entry of `models` that asks for it.
        folder: folder beside the model's `base.json` that holds the model; None where the model stays where it lies.
        learns_vocabulary: its vocabulary is learnt from text before there is a model.
        module: file that an entry from outside of the package comes from.
    """

    name: str
    folder: str | None
    learns_vocabulary: bool = False
    module: str = ""

    @property
    def brings_tokenizer(self) -> bool:
        """Whether a step puts its tokenizer into the model's folder."""
        return self.folder is not None and not self.learns_vocabulary


MODEL_SOURCES: Registry[ModelSource] = Registry(ModelSource, "mtpeft.models.derived", word="source of models")


def model_source_of(entry: object) -> ModelSource:
    """Return the source of an entry of `models`: the one whose key it has.

    Raises:
        LookupError: it has none.
    """
    for source in MODEL_SOURCES.entries.values():
        if getattr(entry, source.name, None):
            return source
    raise LookupError(f"the entry names no source of a model ({', '.join(MODEL_SOURCES)})")

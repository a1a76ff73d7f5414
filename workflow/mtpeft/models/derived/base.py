"""The declaration of a source of base models."""

from dataclasses import dataclass


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

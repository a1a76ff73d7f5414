"""Base models that others have published: one revision of a model hub, or a folder on this machine."""

from mtpeft.models.derived import ModelSource

HUB = ModelSource(name="hub", folder="hub")
PATH = ModelSource(name="path", folder=None)

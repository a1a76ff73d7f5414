"""A model with several stages of a method: several peft models of one base, as one model.

Peft refuses to put anything inside of what it has put into a model before. So each stage is added, stored and taken
away while the others are lifted off the base, and names modules as the base does; in between all of them stand in
place, later ones around earlier ones where both have the same module.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from mtpeft.core import compat
from mtpeft.methods.base import ModuleSizes
from mtpeft.models.load import STAGE, STAGED_BASE

Apply = Callable[[nn.Module, ModuleSizes], PeftModel]


@dataclass(frozen=True)
class _Place:
    """A wrapper, with the module that holds it under a name."""

    parent: nn.Module
    name: str
    wrapper: BaseTunerLayer


@dataclass(frozen=True)
class _Stage:
    tuned: PeftModel
    places: Sequence[_Place]


class StagedModel(nn.Module):
    """A base model with the stages that were added so far; for all else it is the base model with their wrappers."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        # In a tuple, for torch would list modules that are attributes as this module's own parts.
        self._stages: tuple[_Stage, ...] = ()
        # Sinusoids are parameters, too, and stay as they are.
        self._learnt = tuple(parameter for parameter in model.parameters() if parameter.requires_grad)
        self.trains_base = False

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "model":
                raise
            return getattr(self.model, name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the model with all its stages."""
        return self.model(*args, **kwargs)

    def add(self, apply: Apply, sizes: ModuleSizes) -> None:
        """Add a stage of these sizes by module; what is trained already goes on being trained."""
        self._add(lambda model: apply(model, sizes))

    def open(self, folder: Path) -> None:
        """Add a stage as it was stored."""
        self._add(lambda model: PeftModel.from_pretrained(model, folder, local_files_only=True))

    def _add(self, build: Callable[[nn.Module], PeftModel]) -> None:
        with self._only():
            tuned = build(self.model)
            compat.forget_adapters(self.model)
            places = [
                _Place(parent, name, child)
                for parent in self.model.modules()
                for name, child in parent.named_children()
                if isinstance(child, BaseTunerLayer)
            ]
            _lift(places)
        self._stages = (*self._stages, _Stage(tuned, places))
        _put(places)

    def train_base(self) -> None:
        """Train the base model, too."""
        self.trains_base = True
        for parameter in self._learnt:
            parameter.requires_grad = True

    def save_pretrained(self, folder: Path) -> None:
        """Write the stages into folders, in order, and the base where it was trained."""
        for number, stage in enumerate(self._stages):
            with self._only(stage):
                stage.tuned.save_pretrained(folder / f"{STAGE}{number}")
        if self.trains_base:
            with self._only():
                self.model.save_pretrained(folder / STAGED_BASE)

    @contextmanager
    def disable_adapter(self) -> Iterator[None]:
        """Let the base model be as it is without any stage."""
        with self._stages[-1].tuned.disable_adapter():
            yield

    def unload(self) -> nn.Module:
        """Take all stages away and return the base model."""
        return self._end(lambda tuned: tuned.base_model.unload())

    def merge_and_unload(self) -> nn.Module:
        """Write all stages into the base model and return it.

        Raises:
            ValueError: one of them is no change of a weight.
        """
        return self._end(lambda tuned: tuned.base_model.merge_and_unload())

    def _end(self, end: Callable[[PeftModel], nn.Module]) -> nn.Module:
        stages, self._stages = self._stages, ()
        for stage in reversed(stages):
            _lift(stage.places)
        for stage in stages:
            _put(stage.places)
            end(stage.tuned)
        return self.model

    @contextmanager
    def _only(self, *kept: _Stage) -> Iterator[None]:
        """Leave these stages alone in the base model."""
        for stage in reversed(self._stages):
            _lift(stage.places)
        for stage in kept:
            _put(stage.places)
        yield
        for stage in reversed(kept):
            _lift(stage.places)
        for stage in self._stages:
            _put(stage.places)


def _lift(places: Sequence[_Place]) -> None:
    for place in places:
        setattr(place.parent, place.name, place.wrapper.base_layer)


def _put(places: Sequence[_Place]) -> None:
    for place in places:
        place.wrapper.base_layer = getattr(place.parent, place.name)
        setattr(place.parent, place.name, place.wrapper)

"""What a method does beside the updates."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class UpdateHook:
    """Called around each update, the first of which has the number 1; this one does nothing."""

    def before(self) -> None:
        """Add to the gradients of an update, before the weights move."""

    def after(self, update: int, updates: int) -> None:
        """Change weights that have moved; their gradients are still there."""

    def may_be_kept(self, update: int, updates: int) -> bool:
        """Whether the weights after so many updates may be those that are kept; others are not judged."""
        return True

    def memory(self) -> Mapping[str, "torch.Tensor"]:
        """What a run that goes on must know besides its weights."""
        return {}

    def remember(self, memory: Mapping[str, "torch.Tensor"]) -> None:
        """Go on from a memory."""

"""Which tokens of a causal model's input are of the source and which of the target, for modules that treat them apart.

A model that reads a prompt with nothing before it reads the source, and what it reads behind that is the target, as in
every search. In training both stand in one row, so that the trainer tells where prompts end.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    import torch
    from torch import nn

IsTarget = Union["torch.Tensor", bool]
"""Whether tokens are of the target: of each, shape (batch, length), or of all that are read."""


class TokenSides:
    """The sides of the tokens that a model reads at a time; modules of one model share it.

    Attributes:
        prompt_lengths: tokens of the prompt of each row, shape (batch), where targets stand behind them; None in a
            search.
        is_target: the answer for what is read now.
    """

    def __init__(self) -> None:
        self.prompt_lengths: torch.Tensor | None = None
        self.is_target: IsTarget = False

    def __call__(self, model: "nn.Module", given: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Look at what a model is given before it reads it, as a hook of torch."""
        import torch

        cache, tokens = named.get("past_key_values"), named.get("input_ids")
        if self.prompt_lengths is None or tokens is None:
            self.is_target = cache is not None and int(cache.get_seq_length()) > 0
            return
        places = torch.arange(tokens.shape[1], device=tokens.device)
        self.is_target = places[None] >= self.prompt_lengths.to(tokens.device)[:, None]


def sides_of_model(model: "nn.Module") -> TokenSides:
    """Return what knows the sides of the tokens of a model, which is put into it where there is none."""
    known = [hook for hook in model._forward_pre_hooks.values() if isinstance(hook, TokenSides)]
    if known:
        return known[0]
    sides = TokenSides()
    model.register_forward_pre_hook(sides, with_kwargs=True)
    return sides


def assign_prompt_lengths(modules: "Iterable[nn.Module]", lengths: "torch.Tensor | None") -> None:
    """Tell modules that treat the sides apart where the prompts of a batch end; None: it has no targets."""
    for sides in {id(own): own for module in modules if (own := getattr(module, "token_sides", None))}.values():
        sides.prompt_lengths = lengths

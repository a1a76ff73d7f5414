"""A network that makes the keys and values of a prefix while they are trained (Li & Liang 2021, arXiv 2101.00190).

The paper found a prefix that is trained as it is unstable, and passes a smaller matrix through a feed-forward network,
one for all layers of a stack. Here every attention module has a network of its own, so that a budget is met module by
module. After training what it makes is all that counts.
"""

import torch
from torch import nn


class PrefixNetwork(nn.Module):
    """out(tanh(hidden(vectors))): keys and values, (length, all heads) each, of vectors (length, inner)."""

    def __init__(self, length: int, inner: int, width: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(length, inner))
        self.hidden = nn.Linear(inner, inner)
        self.out = nn.Linear(inner, 2 * width)

    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of the prefix."""
        keys, values = self.out(torch.tanh(self.hidden(self.vectors))).chunk(2, dim=1)
        return keys, values

    @torch.no_grad()
    def start_at(self, *, key: torch.Tensor, own: float) -> None:
        """Begin with keys around a key, by a direction of their own each of this size, and with values of zero."""
        width = len(key)
        self.out.bias.zero_()
        self.out.weight[width:] = 0
        spread, _ = self.forward()
        self.out.weight[:width] *= own / spread.square().mean().sqrt()
        self.out.bias[:width] = key

"""Routers: they score the experts of a block for each token, from what the block reads.

`similarity` compares the input with the mean of an expert's rows in the first layer. `mlp` is a small network that has
learnt, on training sentences, which experts have the largest sums of positive activations. The third router of Zhang et
al. 2022, the oracle, sees these sums themselves; it has nothing to learn, and stands in `expert_layers.py`.
"""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from mtpeft.models.feed_forward import ROUTER_EPOCHS, ROUTER_WIDTH

BATCH = 512
LEARNING_RATE = 1e-3


class SimilarityRouter(nn.Module):
    """Scores are products of the input with the centres of experts, all of length 1: they order as cosines do."""

    def __init__(self, centres: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("centres", centres)

    @classmethod
    def of(cls, weight: torch.Tensor, units: torch.Tensor) -> "SimilarityRouter":
        """Make the router of a first layer.

        Args:
            weight: of the first layer: shape (units, width).
            units: of each expert: shape (experts, size).
        """
        return cls(functional.normalize(weight.float()[units].mean(1), dim=-1))

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Return scores of shape (tokens, experts) for inputs of shape (tokens, width)."""
        return functional.linear(given, self.centres)


class MlpRouter(nn.Module):
    """A network with one hidden layer of `ROUTER_WIDTH` units, whose activation is tanh."""

    def __init__(self, width: int, experts: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, ROUTER_WIDTH)
        self.scores = nn.Linear(ROUTER_WIDTH, experts)

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Return scores of shape (tokens, experts) for inputs of shape (tokens, width)."""
        return self.scores(torch.tanh(self.hidden(given)))


def train_mlp(given: torch.Tensor, sums: torch.Tensor, *, seed: int) -> MlpRouter:
    """Train a router to tell each expert's share of the positive activations, by cross-entropy with Adam.

    Args:
        given: inputs of a block: shape (tokens, width).
        sums: positive activations of each expert, summed over its units: shape (tokens, experts).
        seed: of the first weights and of the order of the tokens.
    """
    shares = sums / sums.sum(-1, keepdim=True).clamp_min(torch.finfo(sums.dtype).tiny)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        router = MlpRouter(given.shape[-1], sums.shape[-1])
        optimizer = torch.optim.Adam(router.parameters(), lr=LEARNING_RATE)
        for _ in range(ROUTER_EPOCHS):
            for rows in torch.randperm(len(given)).split(BATCH):
                loss = functional.cross_entropy(router(given[rows]), shares[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return router.eval()


def open_router(tensors: Mapping[str, torch.Tensor]) -> nn.Module | None:
    """Return the router whose weights these are; None for the oracle, which has none."""
    if not tensors:
        return None
    if "centres" in tensors:
        return SimilarityRouter(tensors["centres"])
    router = MlpRouter(tensors["hidden.weight"].shape[1], len(tensors["scores.weight"]))
    router.load_state_dict(dict(tensors))
    return router.eval()

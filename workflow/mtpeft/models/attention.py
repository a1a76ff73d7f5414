"""Where the attention modules of transformers keep what a tuner needs: the families name it differently."""

from collections.abc import Callable

from torch import nn

from mtpeft.core import compat


def is_attention(module: nn.Module) -> bool:
    """Whether a module is attention."""
    return hasattr(module, "k_proj") or hasattr(module, "k")


def key_projection(attention: nn.Module) -> nn.Linear:
    """The linear layer that makes keys."""
    return attention.k_proj if hasattr(attention, "k_proj") else attention.k


def is_key_projection(module: str) -> bool:
    """Whether a module of this name makes keys."""
    return module.rpartition(".")[2] in ("k_proj", "k")


def query_projection(attention: nn.Module) -> nn.Linear:
    """The linear layer that makes queries."""
    return attention.q_proj if hasattr(attention, "q_proj") else attention.q


def heads(attention: nn.Module) -> int:
    """Number of heads."""
    return attention.num_heads if hasattr(attention, "num_heads") else attention.n_heads


def eager_function(attention: nn.Module) -> Callable:
    """The attention function that the module's own family calls where no other is asked for."""
    return compat.eager_attention(attention)

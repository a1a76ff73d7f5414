"""Split the rows of new vocabulary entries from the frozen embeddings, so that any adapter can train them beside it.

Peft's `trainable_token_indices` exists for LoRA alone, and its `modules_to_save` copies whole matrices. Here the rows
are a small module, which `modules_to_save` takes for every adapter, and which is stored with the adapter.
"""

import torch
from peft import PeftModel
from torch import nn
from torch.nn import functional

from mtpeft.core import compat
from mtpeft.models.architecture import NEW_ENTRIES


class NewEntries(nn.Module):
    """Embeddings of new entries, in 32-bit floats, since they are trained: shape [entries, width]."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach().float(), requires_grad=weight.requires_grad)

    def forward(self, like: torch.Tensor) -> torch.Tensor:
        """Return the rows in the type of another tensor."""
        return self.weight.to(like.dtype)


class _Extended(nn.Module):
    """A module with the rows of the new entries, which the module `owner` holds where several share them."""

    def __init__(self, module: nn.Module, rows: torch.Tensor, *, owner: "_Extended | None" = None) -> None:
        super().__init__()
        self.base_module = module
        if owner is None:
            setattr(self, NEW_ENTRIES, NewEntries(rows))
        # In a tuple, for torch would list a module that is an attribute as one of this module's own parts.
        self._owner = (owner or self,)

    def rows(self, like: torch.Tensor) -> torch.Tensor:
        """Return the rows of the new entries."""
        return getattr(self._owner[0], NEW_ENTRIES)(like)

    @property
    def weight(self) -> torch.Tensor:
        """All rows of the matrix, whose number other code asks for."""
        return torch.cat([self.base_module.weight, self.rows(self.base_module.weight)])


class ExtendedEmbedding(_Extended):
    """Looks up tokens in the frozen matrix, and the last ones among the new rows."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return embeddings, scaled as the model scales its own: shape [batch, length, width]."""
        known = self.base_module.weight.shape[0]
        is_new = tokens >= known
        found = self.base_module(tokens.masked_fill(is_new, 0))
        new = functional.embedding((tokens - known).clamp(min=0), self.rows(found))
        return torch.where(is_new.unsqueeze(-1), new * getattr(self.base_module, "embed_scale", 1.0), found)


class ExtendedProjection(_Extended):
    """An output projection to the known entries, then to the new ones."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Return logits of shape [..., entries]."""
        return torch.cat([self.base_module(states), functional.linear(states, self.rows(states))], dim=-1)


def split_new_entries(model: nn.Module) -> None:
    """Take the rows of the new entries, of which the model's configuration says the number, out of its matrices.

    Whatever shares a matrix shares its rows.
    """
    count = getattr(model.config, NEW_ENTRIES)
    owners: dict[int, _Extended] = {}
    matrices = {id(module.weight) for module in (model.get_input_embeddings(), model.get_output_embeddings())}
    known: dict[int, nn.Parameter] = {}
    extended: dict[int, _Extended] = {}
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if id(child) in extended:
                setattr(parent, name, extended[id(child)])
            elif isinstance(child, nn.Embedding | nn.Linear) and id(child.weight) in matrices:
                matrix = child.weight
                known.setdefault(id(matrix), nn.Parameter(matrix.detach()[:-count].clone(), matrix.requires_grad))
                kind = ExtendedEmbedding if isinstance(child, nn.Embedding) else ExtendedProjection
                extended[id(child)] = kind(child, matrix[-count:], owner=owners.get(id(matrix)))
                owners.setdefault(id(matrix), extended[id(child)])
                setattr(parent, name, extended[id(child)])
    for wrapper in extended.values():
        wrapper.base_module.weight = known[id(wrapper.base_module.weight)]


def train_new_entries(tuned: PeftModel) -> None:
    """Train the rows and store them with the adapter that was put into the model."""
    compat.train_beside(tuned, NEW_ENTRIES)

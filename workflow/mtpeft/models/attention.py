"""Attention modules of transformers, whose parts have other names in each line of families."""

from torch import nn

from mtpeft.models.families.module_names import ALL_NAMES, ModuleNames


def module_names(attention: nn.Module) -> ModuleNames | None:
    """Return the names that an attention module's family uses; None of a module that is no attention."""
    return next((names for names in ALL_NAMES if hasattr(attention, names.key)), None)


def is_attention(module: nn.Module) -> bool:
    """Return whether a module is attention."""
    return module_names(module) is not None


def key_projection(attention: nn.Module) -> nn.Linear:
    """Return the linear layer that makes keys."""
    return getattr(attention, module_names(attention).key)


def query_projection(attention: nn.Module) -> nn.Linear:
    """Return the linear layer that makes queries."""
    return getattr(attention, module_names(attention).query)


def head_width(attention: nn.Module) -> int:
    """Return the width of a head."""
    return getattr(attention, module_names(attention).head_width)


def query_heads(attention: nn.Module) -> int:
    """Return the number of heads of queries."""
    return query_projection(attention).out_features // head_width(attention)


def key_heads(attention: nn.Module) -> int:
    """Return the number of heads of keys and of values, which are fewer where several heads of queries share one."""
    return key_projection(attention).out_features // head_width(attention)

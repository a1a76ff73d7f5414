"""Tuners of peft with a size of their own for each module, which most of them lack.

Peft's tuners read their size from a configuration that is one for all modules. Here a module reads it from a copy, in
which the keys that `keys_by_module` names for it are set. Where all modules have the same size it is not needed, and
peft's own type serves, so that the folder opens without this package.
"""

import copy
from collections.abc import Mapping
from dataclasses import field, make_dataclass
from typing import Any

from peft import PeftConfig, PeftModel, PeftType
from torch import nn

from mtpeft.core import compat
from mtpeft.methods.base_adapter import AdapterModel, insert_adapter, register
from mtpeft.methods.peft import tuners_with_sizes

SIZED = "SIZED_"
"""Prefix of the `peft_type` of a peft tuner with one size per module, such as `SIZED_LOHA`."""


class _KeysByModule(AdapterModel):
    """Gives each module its own keys of the configuration."""

    def config_of(self, config: PeftConfig, module: str) -> PeftConfig:
        """Return the configuration with the keys of a module."""
        own = copy.copy(config)
        vars(own).update(config.keys_by_module[module])
        return own


def register_sized(name: str) -> None:
    """Register a tuner of peft, by its PeftType, as one with a size for each module."""
    own, tuner = compat.registered_adapter(PeftType(name))
    with_keys = type(f"Sized{tuner.__name__}", (_KeysByModule, tuner), {})
    register(_config_with_sizes(own, name), with_keys, adapter_type=SIZED + name)


def _config_with_sizes(own: type[PeftConfig], name: str) -> type[PeftConfig]:
    def finish(config: PeftConfig) -> None:
        own.__post_init__(config)
        config.peft_type = SIZED + name

    keys = ("keys_by_module", dict[str, dict[str, Any]], field(default_factory=dict))
    return make_dataclass(f"Sized{own.__name__}", [keys], bases=(own,), namespace={"__post_init__": finish})


def config_with_sizes(name: str) -> type[PeftConfig]:
    """Return the type of configuration of a tuner of peft with a size for each module."""
    return compat.registered_adapter(SIZED + name)[0]


def insert_tuner(
    model: nn.Module,
    name: str,
    keys: Mapping[str, Any],
    by_module: Mapping[str, Mapping[str, Any]],
    *,
    patterns: Mapping[str, str] | None = None,
) -> PeftModel:
    """Put a tuner of peft beside modules.

    Args:
        model: the base model.
        name: PeftType of the tuner.
        keys: of its configuration, the same for all modules.
        by_module: those that differ.
        patterns: keys that the tuner itself can set by module, each with the key that does so.
    """
    config, _ = compat.registered_adapter(PeftType(name))
    first = next(iter(by_module.values()))
    if all(own == first for own in by_module.values()):
        return insert_adapter(model, config, by_module, **keys, **first)
    if patterns:
        own = {into: {module: set_to[key] for module, set_to in by_module.items()} for key, into in patterns.items()}
        same = {key: value for key, value in first.items() if key not in patterns}
        return insert_adapter(model, config, by_module, **keys, **same, **own)
    own = {module: dict(set_to) for module, set_to in by_module.items()}
    return insert_adapter(model, config_with_sizes(name), by_module, **keys, **first, keys_by_module=own)


for tuner in tuners_with_sizes():
    register_sized(tuner.name)

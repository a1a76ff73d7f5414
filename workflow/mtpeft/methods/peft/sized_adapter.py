"""Tuners of peft with a size of their own for each module, which most of them lack.

Peft's tuners read their size from a configuration that is one for all modules. Here a module reads it from a copy, in
which the keys that `keys_by_module` names for it are set. Where all modules have the same size it is not needed, and
peft's own type serves, so that the folder opens without this package.
"""

import copy
from collections.abc import Mapping
from dataclasses import field, make_dataclass
from typing import Any

from peft import PeftConfig, PeftModel, PeftType, get_peft_model, mapping
from peft.tuners.tuners_utils import BaseTuner
from torch import nn

from mtpeft.methods.base_adapter import SIZED, TunerType, register_as


class _KeysByModule:
    """Part of a tuner that gives each module its own keys."""

    def _create_and_replace(
        self, peft_config: PeftConfig, *place: Any, current_key: str, parameter_name: str | None = None
    ) -> None:
        own = copy.copy(peft_config)
        vars(own).update(peft_config.keys_by_module[current_key])
        more = {} if parameter_name is None else {"parameter_name": parameter_name}
        super()._create_and_replace(own, *place, current_key=current_key, **more)


def register_sized(name: str) -> None:
    """Make the tuner of peft that has this PeftType known as one with a size for each module."""
    peft_type = PeftType(name)
    own, tuner = mapping.PEFT_TYPE_TO_CONFIG_MAPPING[peft_type], mapping.PEFT_TYPE_TO_TUNER_MAPPING[peft_type]
    register_as(TunerType(SIZED + name), _config_with_sizes(own, name), _tuner_with_sizes(tuner))


def _config_with_sizes(own: type[PeftConfig], name: str) -> type[PeftConfig]:
    def finish(config: PeftConfig) -> None:
        own.__post_init__(config)
        config.peft_type = TunerType(SIZED + name)

    keys = ("keys_by_module", dict[str, dict[str, Any]], field(default_factory=dict))
    return make_dataclass(f"Sized{own.__name__}", [keys], bases=(own,), namespace={"__post_init__": finish})


def _tuner_with_sizes(tuner: type[BaseTuner]) -> type[BaseTuner]:
    return type(f"Sized{tuner.__name__}", (_KeysByModule, tuner), {})


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
    given = {"task_type": "SEQ_2_SEQ_LM", "target_modules": list(by_module), **keys}
    first = next(iter(by_module.values()))
    if all(own == first for own in by_module.values()):
        config = mapping.PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(name)](**given, **first)
    elif patterns:
        own = {into: {module: set_to[key] for module, set_to in by_module.items()} for key, into in patterns.items()}
        same = {key: value for key, value in first.items() if key not in patterns}
        config = mapping.PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(name)](**given, **same, **own)
    else:
        sized = mapping.PEFT_TYPE_TO_CONFIG_MAPPING[TunerType(SIZED + name)]
        config = sized(**given, **first, keys_by_module={module: dict(own) for module, own in by_module.items()})
    return get_peft_model(model, config)


for tuner_type in TunerType:
    if tuner_type.startswith(SIZED):
        register_sized(tuner_type.removeprefix(SIZED))

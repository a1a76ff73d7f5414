"""What our tuners share: their configuration, the wrapper around a module, and how wrappers get into a model.

It leans on private parts of `peft.tuners.tuners_utils` (`_create_and_replace`, `_replace_module`), so peft is pinned
exactly.
"""

import enum
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from peft import PeftConfig, mapping
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from torch import nn

SIZED = "SIZED_"
"""Begins the name of a tuner that is peft's own of the rest of the name, with a size for each module."""


class TunerType(str, enum.Enum):  # noqa: UP042 - peft compares with plain strings and formats the member itself
    """Values of `peft_type` in an `adapter_config.json` that we write."""

    ADALINK = "ADALINK"
    BOTTLENECK = "BOTTLENECK"
    BITFIT = "BITFIT"
    CONTEXT = "CONTEXT"
    DEPT = "DEPT"
    COPIES = "COPIES"
    DSEE = "DSEE"
    EMBEDDINGS = "EMBEDDINGS"
    LORA_EMBEDDINGS = "LORA_EMBEDDINGS"
    MAM = "MAM"
    PREFIX = "PREFIX"
    PROMPT = "PROMPT"
    PROMPT_NETWORK = "PROMPT_NETWORK"
    SEQUENCE_PREFIX = "SEQUENCE_PREFIX"
    SSF = "SSF"
    WIDE_NORM = "WIDE_NORM"
    SIZED_ADALORA = "SIZED_ADALORA"
    SIZED_DEFT = "SIZED_DEFT"
    SIZED_GLORA = "SIZED_GLORA"
    SIZED_GRALORA = "SIZED_GRALORA"
    SIZED_HIRA = "SIZED_HIRA"
    SIZED_HRA = "SIZED_HRA"
    SIZED_MISS = "SIZED_MISS"
    SIZED_OFT = "SIZED_OFT"
    SIZED_PEANUT = "SIZED_PEANUT"
    SIZED_PSOFT = "SIZED_PSOFT"
    SIZED_SHIRA = "SIZED_SHIRA"
    SIZED_SUPERTUNING = "SIZED_SUPERTUNING"
    SIZED_TINYLORA = "SIZED_TINYLORA"


@dataclass
class TargetedConfig(PeftConfig):
    """Which modules a tuner wraps; a subclass names its `tuner_type`."""

    tuner_type: ClassVar[TunerType]

    target_modules: list[str] | str | None = field(default=None, metadata={"help": "Modules to wrap."})
    exclude_modules: list[str] | str | None = field(default=None, metadata={"help": "Modules to leave alone."})
    modules_to_save: list[str] | None = field(default=None, metadata={"help": "Modules trained whole beside them."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = self.tuner_type


class WrapperLayer(nn.Module, BaseTunerLayer):
    """A module of the base with what adapters add to it, which a subclass holds in `adapter_layer_names`."""

    other_param_names = ()

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__()
        self.base_layer = base_layer
        self._disable_adapters = False
        self._active_adapter = adapter_name
        self.merged_adapters: list[str] = []

    def __getattr__(self, name: str) -> Any:
        # The rest of the model reads attributes of its modules, such as `embed_dim` or `num_embeddings`.
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "base_layer":
                raise
            return getattr(self.base_layer, name)


class TargetingTuner(BaseTuner):
    """Puts layers of ours in the place of the target modules."""

    target_module_mapping: dict[str, list[str]] = {}  # noqa: RUF012 - the name and type that peft reads

    def _replace_module(self, parent: nn.Module, child_name: str, new_module: nn.Module, child: nn.Module) -> None:
        if isinstance(new_module, BaseTunerLayer):
            super()._replace_module(parent, child_name, new_module, child)
        else:  # When unloading, peft's version copies `.weight`, which a whole layer does not have.
            setattr(parent, child_name, new_module)


class WrappingTuner(TargetingTuner):
    """Wraps the target modules; a subclass says with what in `wrapper`, and what an adapter adds in `add_to`."""

    wrapper: type[WrapperLayer] | tuple[type[WrapperLayer], ...]

    def wrap(
        self, target: nn.Module, adapter_name: str, *, parent: nn.Module, config: TargetedConfig, module: str
    ) -> WrapperLayer:
        """A wrapper around a module that has none yet."""
        return self.wrapper(target, adapter_name)

    @abstractmethod
    def add_to(self, layer: WrapperLayer, config: TargetedConfig, adapter_name: str, *, module: str) -> None:
        """Add an adapter to the wrapper of a module."""

    def _create_and_replace(
        self,
        peft_config: TargetedConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        parameter_name: str | None = None,
    ) -> None:
        wrapped = isinstance(target, self.wrapper)
        place = {"parent": parent, "config": peft_config, "module": current_key}
        layer = target if wrapped else self.wrap(target, adapter_name, **place)
        self.add_to(layer, peft_config, adapter_name, module=current_key)
        layer.set_adapter(layer.active_adapters, inference_mode=peft_config.inference_mode)
        if layer is not target:
            if adapter_name not in self.active_adapters:
                layer.requires_grad_(False)
            self._replace_module(parent, target_name, layer, target)


def register(config: type[PeftConfig], tuner: type[BaseTuner]) -> None:
    """Let `get_peft_model` and `PeftModel.from_pretrained` find the tuner by its configuration's `peft_type`."""
    register_as(config().peft_type, config, tuner)


def register_as(name: TunerType, config: type[PeftConfig], tuner: type[BaseTuner]) -> None:
    """The same under a name, for a configuration that can't be made of defaults."""
    mapping.PEFT_TYPE_TO_CONFIG_MAPPING[name] = config
    mapping.PEFT_TYPE_TO_TUNER_MAPPING[name] = tuner
    mapping.PEFT_TYPE_TO_PREFIX_MAPPING[name] = tuner.prefix

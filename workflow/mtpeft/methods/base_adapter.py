"""Adapters as peft has them: a configuration, a wrapper around each target module, and a class that puts these in.

Peft has no public way to add an adapter type. `AdapterModel` is the one class that overrides private functions of
peft's `BaseTuner`; all adapters derive from it. tests/core/test_compat.py fails where peft has changed them. They were
seen with peft 0.21.2.
"""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from peft import PeftConfig, PeftModel, get_peft_model
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from torch import nn

from mtpeft.core import compat
from mtpeft.models.families import task_of


def insert_adapter(model: nn.Module, config: type[PeftConfig], modules: Iterable[str], **keys: Any) -> PeftModel:
    """Put an adapter into a model.

    Args:
        model: the base model.
        config: type of the adapter's configuration, which decides which adapter it is.
        modules: names of the target modules.
        keys: further keys of the configuration.
    """
    task_type = task_of(model.config).adapter_task
    return get_peft_model(model, config(task_type=task_type, target_modules=list(modules), **keys))


def register(config: type[PeftConfig], adapter: type[BaseTuner], *, adapter_type: str = "") -> None:
    """Let `get_peft_model` and `PeftModel.from_pretrained` find an adapter, by the `peft_type` of its configuration.

    Args:
        config: type of the configuration.
        adapter: what puts the adapter into a model.
        adapter_type: value of `peft_type`, where it is no attribute of the configuration's class.
    """
    compat.register_adapter(adapter_type or config.adapter_type, config, adapter)


@dataclass
class AdapterConfig(PeftConfig):
    """The target modules of an adapter; a subclass says its `adapter_type`, which `adapter_config.json` stores."""

    adapter_type: ClassVar[str]

    target_modules: list[str] | str | None = field(default=None, metadata={"help": "Modules to wrap."})
    exclude_modules: list[str] | str | None = field(default=None, metadata={"help": "Modules to leave alone."})
    modules_to_save: list[str] | None = field(default=None, metadata={"help": "Modules trained whole beside them."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = self.adapter_type


class WrapperLayer(nn.Module, BaseTunerLayer):
    """A module of the base model with its adapters, which a subclass holds in `adapter_layer_names`."""

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

    def active_in(self, weights: Iterable[str]) -> list[str]:
        """Return the active adapters of which the layer holds weights, in their order."""
        return [name for name in self.active_adapters if name in weights]

    def removed(self) -> None:
        """Leave the base model as it was, when the wrapper is taken out of it."""


class NetworkLayer(WrapperLayer):
    """A wrapper whose vectors are made by a network while they are trained."""

    @abstractmethod
    def fold(self) -> None:
        """Replace the networks by the vectors that they make."""


def fold_networks(tuned: PeftModel) -> PeftModel:
    """Return the same model with its vectors, without the networks that made them while they were trained."""
    for layer in tuned.modules():
        if isinstance(layer, NetworkLayer):
            layer.fold()
    for config in tuned.peft_config.values():
        config.network = None
    return tuned


class AdapterModel(BaseTuner):
    """Puts an adapter into a model, through the functions that peft calls for each target module.

    It may stand before a class of peft's own in the bases of another, whose behaviour it then changes where a subclass
    overrides one of its public functions.
    """

    def check_targets(self, modules: Sequence[str]) -> None:
        """Check the target modules of a configuration.

        Raises:
            ValueError: the adapter can't be put there.
        """

    def config_of(self, config: PeftConfig, module: str) -> PeftConfig:
        """Return the configuration for one module."""
        return config

    def insert(
        self, target: nn.Module, config: Any, adapter_name: str, *, module: str, parent: nn.Module, name: str
    ) -> bool:
        """Put the adapter into one module, `name` of `parent`; returns False to leave it to peft's own class."""
        return False

    def _prepare_adapter_config(self, peft_config: PeftConfig, model_config: dict[str, Any]) -> PeftConfig:
        self.check_targets(peft_config.target_modules or ())
        return super()._prepare_adapter_config(peft_config, model_config)

    def _create_and_replace(
        self,
        peft_config: PeftConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        **more: Any,
    ) -> None:
        own = self.config_of(peft_config, current_key)
        if not self.insert(target, own, adapter_name, module=current_key, parent=parent, name=target_name):
            super()._create_and_replace(own, adapter_name, target, target_name, parent, current_key=current_key, **more)

    def _replace_module(self, parent: nn.Module, child_name: str, new_module: nn.Module, child: nn.Module) -> None:
        if isinstance(child, WrapperLayer) and not isinstance(new_module, BaseTunerLayer):
            # Peft's version copies `.weight` in unloading, which a whole layer does not have.
            child.removed()
            setattr(parent, child_name, new_module)
        else:
            super()._replace_module(parent, child_name, new_module, child)


class WrappingAdapter(AdapterModel):
    """Wraps the target modules; a subclass says with what in `wrapper`, and what an adapter adds in `add_to`."""

    target_module_mapping: dict[str, list[str]] = {}  # noqa: RUF012 - the name and type that peft reads
    wrapper: type[WrapperLayer] | tuple[type[WrapperLayer], ...]

    def wrap(
        self, target: nn.Module, adapter_name: str, *, parent: nn.Module, config: AdapterConfig, module: str
    ) -> WrapperLayer:
        """Return a wrapper around a module that has none yet."""
        return self.wrapper(target, adapter_name)

    @abstractmethod
    def add_to(self, layer: WrapperLayer, config: AdapterConfig, adapter_name: str, *, module: str) -> None:
        """Add an adapter to the wrapper of a module."""

    def insert(
        self, target: nn.Module, config: AdapterConfig, adapter_name: str, *, module: str, parent: nn.Module, name: str
    ) -> bool:
        """Wrap the module, unless it is wrapped already, and add the adapter."""
        wrapped = isinstance(target, self.wrapper)
        place = {"parent": parent, "config": config, "module": module}
        layer = target if wrapped else self.wrap(target, adapter_name, **place)
        self.add_to(layer, config, adapter_name, module=module)
        layer.set_adapter(layer.active_adapters, inference_mode=config.inference_mode)
        if layer is not target:
            if adapter_name not in self.active_adapters:
                layer.requires_grad_(False)
            self._replace_module(parent, name, layer, target)
        return True

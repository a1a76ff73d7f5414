"""The mix-and-match adapter: prefixes and parallel adapters in one (He et al. 2021, arXiv 2110.04366)."""

from dataclasses import dataclass, field

from torch import nn

from mtpeft.methods.adapter_adapter import BottleneckConfig, BottleneckLayer, BottleneckModel
from mtpeft.methods.base_adapter import WrapperLayer, register
from mtpeft.methods.prefix_adapter import PrefixLayer


@dataclass
class MamConfig(BottleneckConfig):
    """Configuration of mix-and-match: which attention modules get prefixes; all others get adapters."""

    adapter_type = "MAM"

    layer_norm: bool = field(default=False, metadata={"help": "A layer norm stands before the down-projection."})
    parallel: bool = field(default=True, metadata={"help": "Adapters read the input of their module."})
    length_pattern: dict[str, int] = field(default_factory=dict, metadata={"help": "Length of a prefix by module."})


class MamModel(BottleneckModel):
    """Puts prefixes and parallel adapters into a model."""

    prefix = "mam_"
    tuner_layer_cls = wrapper = (PrefixLayer, BottleneckLayer)

    def wrap(
        self, target: nn.Module, adapter_name: str, *, parent: nn.Module, config: MamConfig, module: str
    ) -> WrapperLayer:
        """Return a wrapper for a prefix or for an adapter."""
        if module in config.length_pattern:
            return PrefixLayer(target, adapter_name)
        return super().wrap(target, adapter_name, parent=parent, config=config, module=module)

    def add_to(self, layer: WrapperLayer, config: MamConfig, adapter_name: str, *, module: str) -> None:
        """Add a prefix of the length, or an adapter of the width, that the patterns name."""
        if isinstance(layer, PrefixLayer):
            layer.add_adapter(adapter_name, length=config.length_pattern[module])
        else:
            super().add_to(layer, config, adapter_name, module=module)


register(MamConfig, MamModel)

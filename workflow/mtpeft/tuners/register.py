"""Make a tuner known to peft.

`peft.utils.register_peft_method` refuses names that are not in peft's own enum, so the three public tables of
`peft.mapping` that it would fill are filled here.
"""

from peft import PeftConfig, mapping
from peft.tuners.tuners_utils import BaseTuner

from mtpeft.tuners.types import TunerType


def register(config: type[PeftConfig], tuner: type[BaseTuner]) -> None:
    """Let `get_peft_model` and `PeftModel.from_pretrained` find the tuner by its configuration's `peft_type`."""
    register_as(config().peft_type, config, tuner)


def register_as(name: TunerType, config: type[PeftConfig], tuner: type[BaseTuner]) -> None:
    """The same under a name, for a configuration that can't be made of defaults."""
    mapping.PEFT_TYPE_TO_CONFIG_MAPPING[name] = config
    mapping.PEFT_TYPE_TO_TUNER_MAPPING[name] = tuner
    mapping.PEFT_TYPE_TO_PREFIX_MAPPING[name] = tuner.prefix

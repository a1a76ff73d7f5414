"""The registry of methods: one entry per tuner that the configuration can ask for."""

from mtpeft.methods.adapter import ADAPTER
from mtpeft.methods.base import Method
from mtpeft.methods.full import FULL, SCRATCH
from mtpeft.methods.lora import LORA
from mtpeft.methods.reference import NONE, RETRIEVAL

METHODS: dict[str, Method] = {method.name: method for method in (FULL, ADAPTER, LORA, NONE, SCRATCH, RETRIEVAL)}

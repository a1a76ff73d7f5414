"""The registry of methods: one entry per tuner that the configuration can ask for."""

from mtpeft.methods.adapter import ADAPTER
from mtpeft.methods.base import Method
from mtpeft.methods.bitfit import BITFIT
from mtpeft.methods.embeddings import EMBEDDING_MATRIX
from mtpeft.methods.from_peft import FROM_PEFT
from mtpeft.methods.full import FULL, SCRATCH
from mtpeft.methods.layernorm import LAYERNORM
from mtpeft.methods.lora import LORA
from mtpeft.methods.prefix import PREFIX
from mtpeft.methods.reference import NONE, RETRIEVAL

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        *(FULL, ADAPTER, LORA, PREFIX, BITFIT, LAYERNORM, EMBEDDING_MATRIX),
        *FROM_PEFT,
        *(NONE, SCRATCH, RETRIEVAL),
    )
}

"""The registry of methods: one entry per tuner that the configuration can ask for."""

from mtpeft.methods.adalink import ADALINK
from mtpeft.methods.adapter import ADAPTER
from mtpeft.methods.base import Method
from mtpeft.methods.bitfit import BITFIT
from mtpeft.methods.dept import DEPT
from mtpeft.methods.embeddings import EMBEDDING_MATRIX
from mtpeft.methods.full import FULL, SCRATCH
from mtpeft.methods.layernorm import LAYERNORM
from mtpeft.methods.lora import LORA
from mtpeft.methods.p_tuning import P_TUNING
from mtpeft.methods.prefix import PREFIX
from mtpeft.methods.prompt import PROMPT
from mtpeft.methods.reference import NONE, RETRIEVAL

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        FULL,
        ADAPTER,
        LORA,
        PREFIX,
        PROMPT,
        P_TUNING,
        DEPT,
        ADALINK,
        BITFIT,
        LAYERNORM,
        EMBEDDING_MATRIX,
        NONE,
        SCRATCH,
        RETRIEVAL,
    )
}

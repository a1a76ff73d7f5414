"""The registry of methods: one entry per tuner that the configuration can ask for."""

from mtpeft.methods.adalink import ADALINK
from mtpeft.methods.adapter import ADAPTER
from mtpeft.methods.base import Method
from mtpeft.methods.bitfit import BITFIT
from mtpeft.methods.context import CONTEXT_BITFIT, CONTEXT_IA3, CONTEXT_LORA
from mtpeft.methods.dept import DEPT
from mtpeft.methods.dsee import DSEE
from mtpeft.methods.embeddings import EMBEDDING_MATRIX
from mtpeft.methods.full import FULL, SCRATCH
from mtpeft.methods.layernorm import LAYERNORM
from mtpeft.methods.lora import LORA
from mtpeft.methods.mam import MAM
from mtpeft.methods.p_tuning import P_TUNING
from mtpeft.methods.part import PART
from mtpeft.methods.peft import FROM_PEFT
from mtpeft.methods.prefix import PREFIX
from mtpeft.methods.prompt import PROMPT
from mtpeft.methods.reference import NONE, RETRIEVAL
from mtpeft.methods.sequence_prefix import SEQUENCE_PREFIX
from mtpeft.methods.ssf import SSF
from mtpeft.methods.staged import STAGED, STAGED_FULL

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        FULL,
        PART,
        EMBEDDING_MATRIX,
        ADAPTER,
        MAM,
        LORA,
        DSEE,
        PREFIX,
        SEQUENCE_PREFIX,
        PROMPT,
        P_TUNING,
        DEPT,
        ADALINK,
        BITFIT,
        LAYERNORM,
        SSF,
        *FROM_PEFT,
        CONTEXT_LORA,
        CONTEXT_IA3,
        CONTEXT_BITFIT,
        STAGED,
        STAGED_FULL,
        NONE,
        SCRATCH,
        RETRIEVAL,
    )
}

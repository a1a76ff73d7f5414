"""Names of our tuners, as peft wants them: members of a string enum of our own."""

import enum

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

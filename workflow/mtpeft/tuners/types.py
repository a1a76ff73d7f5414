"""Names of our tuners, as peft wants them: members of a string enum of our own."""

import enum


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

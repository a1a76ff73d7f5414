"""Tuners of peft that can't be asked for, each with the reason and what to write instead."""

REFUSED: dict[str, str] = {
    "LORA": "is 'lora' here; write 'lora'",
    "LN_TUNING": "is 'layernorm' here; write 'layernorm'",
    "PREFIX_TUNING": "reaches the decoder alone, and with half of its parameters no layer; write 'prefix'",
    "PROMPT_TUNING": "trains twice the vectors that it uses in such a model; write 'prompt'",
    "P_TUNING": "trains twice the vectors that it uses in such a model; write 'p_tuning'",
    "MULTITASK_PROMPT_TUNING": "needs several tasks at once; write 'prompt'",
    "CARTRIDGE": "trains twice the vectors that it uses in such a model; write 'prefix'",
    "CPT": "works in models without an encoder alone; write 'prompt'",
    "ADAPTION_PROMPT": "works in models without an encoder alone; write 'prefix'",
    "TRAINABLE_TOKENS": "fails in Marian models and stores tied rows several times; write 'embeddings', or give the "
    "model new entries with 'extend'",
    "BOFT": "is OFT with a factor for each output where its GPU code can't be compiled, and holds each rotation twice; "
    "write 'OFT'",
    "LILY": "translates otherwise with a cache than without; write 'UNILORA' or 'VBLORA', which share weights too",
    "POLY": "can't translate: it refuses to be told the task; write 'lora'",
    "XLORA": "mixes adapters that were trained before; write 'lora'",
    "SHADOW": "fails in models with an encoder; write 'adapter'",
    "ADAMSS": "needs scikit-learn, which the workflow does not install; write 'PSOFT', which trains in subspaces too",
    "OSF": "trains nearly all of each matrix, whatever the budget is; write 'full' or 'SUPERTUNING'",
}

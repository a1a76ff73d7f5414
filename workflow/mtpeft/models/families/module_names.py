"""Names that families of models in transformers give to the modules that methods look for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModuleNames:
    """Names of modules and attributes, each the last part of a module's full name but that of the embeddings.

    Attributes:
        embeddings: the embedding matrix, under the first of the names that share it.
        query, key, value: linear layers of an attention module.
        head_width: attribute of an attention module that says how wide a head is.
        opening: the first linear layer of a feed-forward block, where the block is no module of its own.
        closing: the last linear layer of a feed-forward block.
    """

    embeddings: str
    query: str
    key: str
    value: str
    head_width: str
    opening: str | None
    closing: str


BART_NAMES = ModuleNames(
    embeddings="model.shared",
    query="q_proj",
    key="k_proj",
    value="v_proj",
    head_width="head_dim",
    opening="fc1",
    closing="fc2",
)
"""Those of the families that descend from BART: mBART, M2M-100, NLLB-200 and Marian."""
T5_NAMES = ModuleNames(
    embeddings="shared",
    query="q",
    key="k",
    value="v",
    head_width="key_value_proj_dim",
    opening=None,
    closing="wo",
)
"""Those of T5, mT5 and MADLAD-400."""
LLAMA_NAMES = ModuleNames(
    embeddings="model.embed_tokens",
    query="q_proj",
    key="k_proj",
    value="v_proj",
    head_width="head_dim",
    opening=None,
    closing="down_proj",
)
"""Those of the decoder-only families: Llama, Mistral, Qwen and Gemma."""
ALL_NAMES = (BART_NAMES, T5_NAMES, LLAMA_NAMES)


def is_last_of_block(module: str) -> bool:
    """Return whether a module of this name is the last linear layer of a feed-forward block."""
    return module.rpartition(".")[2] in {names.closing for names in ALL_NAMES}


def is_key_projection(module: str) -> bool:
    """Return whether a module of this name makes the keys of an attention module."""
    return module.rpartition(".")[2] in {names.key for names in ALL_NAMES}

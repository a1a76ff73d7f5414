"""Llama (Touvron et al. 2023, arXiv 2302.13971) and decoder-only families of its shape: Mistral, Qwen2 and Qwen3.

Qwen2 (Yang et al. 2024, arXiv 2407.10671) has biases of queries, keys and values; Qwen3 (Yang et al. 2025,
arXiv 2505.09388) norms the heads of queries and keys instead. Mistral (Jiang et al. 2023, arXiv 2310.06825) has none of
that.
"""

from mtpeft.models.families.decoder_only import Extras, by_key, decoder_only

FAST = "PreTrainedTokenizer"
"""Class that a tokenizer of no family in particular names, which is that of its tokenizer.json."""
OF_A_FILE = (FAST, "TokenizersBackend")
ATTENTION_BIAS = by_key("attention_bias")

LLAMA = decoder_only(
    "llama",
    "Llama",
    "llama",
    (*OF_A_FILE, "LlamaTokenizer"),
    Extras(query_bias=ATTENTION_BIAS, output_bias=ATTENTION_BIAS, block_bias=by_key("mlp_bias")),
)
MISTRAL = decoder_only(
    "mistral", "Mistral", "mistral", (*OF_A_FILE, "LlamaTokenizer", "MistralCommonTokenizer"), Extras()
)
QWEN2 = decoder_only("qwen2", "Qwen2", "qwen2", (*OF_A_FILE, "Qwen2Tokenizer"), Extras(query_bias=lambda config: True))
QWEN3 = decoder_only(
    "qwen3",
    "Qwen3",
    "qwen3",
    (*OF_A_FILE, "Qwen2Tokenizer"),
    Extras(query_bias=ATTENTION_BIAS, output_bias=ATTENTION_BIAS, head_norms=True, head_width=128),
)

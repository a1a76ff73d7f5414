"""Gemma (Gemma Team 2024, arXiv 2403.08295), Gemma 2 (arXiv 2408.00118) and the text models of Gemma 3 (2503.19786).

From the second on, norms also follow attention and the feed-forward block, and Gemma 3 norms the heads of queries and
keys. Norms multiply by one plus their weight, and embeddings are scaled where they are looked up.
"""

from dataclasses import replace

from mtpeft.models.families.decoder_only import AROUND_BLOCKS, Extras, by_key, decoder_only

TOKENIZERS = ("GemmaTokenizer", "PreTrainedTokenizer", "TokenizersBackend")
ATTENTION_BIAS = by_key("attention_bias")
FIRST = Extras(query_bias=ATTENTION_BIAS, output_bias=ATTENTION_BIAS, head_width=256, tied=True)
SECOND = replace(FIRST, norms=(*AROUND_BLOCKS, "pre_feedforward_layernorm", "post_feedforward_layernorm"))

GEMMA = decoder_only("gemma", "Gemma", "gemma", TOKENIZERS, FIRST)
GEMMA2 = decoder_only("gemma2", "Gemma 2", "gemma2", TOKENIZERS, SECOND)
GEMMA3 = decoder_only("gemma3", "Gemma 3 (text)", "gemma3_text", TOKENIZERS, replace(SECOND, head_norms=True))

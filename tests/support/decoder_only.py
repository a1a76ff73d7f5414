"""Tiny decoder-only checkpoints with tokenizers in the formats of the real ones.

Llama 3 and Qwen have a byte-level BPE, Mistral and Gemma one as sentencepiece makes it, with bytes for what it lacks.
"""

import json
from pathlib import Path
from typing import Any

from mtpeft.core.files import write_record
from support.model import SPANISH_ENGLISH

NAMED = ("<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|end|>")
"""Special tokens, the first of the vocabulary."""
CHAT = (
    "{{ bos_token }}{% for message in messages %}<|{{ message.role }}|>\n{{ message.content | trim }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
"""A chat template, whose answers end with another token than texts do."""


def _bpe(folder: Path, *, chat_template: str | None = None, byte_fallback: bool = False) -> None:
    """Write a byte-level BPE as Llama 3 and Qwen have it, or one as of sentencepiece, with bytes for what it lacks."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    alphabet = [f"<0x{byte:02X}>" for byte in range(256)] if byte_fallback else []
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>" if byte_fallback else None, byte_fallback=byte_fallback))
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=[*NAMED, *alphabet],
        initial_alphabet=[] if byte_fallback else sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    if byte_fallback:
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("(?=▁)"), "isolated")
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator((side for row in SPANISH_ENGLISH for side in row), trainer)
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    written = json.loads(tokenizer.to_str())
    # Bytes are entries of the vocabulary, which text can't name.
    written["added_tokens"] = [token for token in written["added_tokens"] if token["content"] in NAMED]
    write_record(folder / "tokenizer.json", written)
    described = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}
    write_record(folder / "tokenizer_config.json", described)
    if chat_template is not None:
        (folder / "chat_template.jinja").write_text(chat_template, encoding="utf-8")


def _byte_bpe(folder: Path) -> None:
    _bpe(folder)


def _byte_fallback_bpe(folder: Path) -> None:
    _bpe(folder, byte_fallback=True)


def _chat_bpe(folder: Path) -> None:
    _bpe(folder, chat_template=CHAT)


def _chat_fallback_bpe(folder: Path) -> None:
    _bpe(folder, chat_template=CHAT, byte_fallback=True)


SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
"""No model of these has a token for padding."""
TWO_ENDS = {"eos_token_id": [2, 5]}
UNTIED = {**SIZES, "tie_word_embeddings": False}
TIED = {**SIZES, "tie_word_embeddings": True}
OWN_HEADS = {**SIZES, "head_dim": 12}
WINDOWS = {**OWN_HEADS, "query_pre_attn_scalar": 12, "sliding_window": 6, "pad_token_id": 0}
DECODER_ONLY = {
    "llama": ({"model_type": "llama", **UNTIED}, _byte_bpe),
    "mistral": ({"model_type": "mistral", **UNTIED, "sliding_window": 6}, _byte_fallback_bpe),
    "qwen2": ({"model_type": "qwen2", **TIED, **TWO_ENDS}, _chat_bpe),
    "qwen3": ({"model_type": "qwen3", **TIED, **OWN_HEADS, **TWO_ENDS}, _chat_bpe),
    "gemma": ({"model_type": "gemma", **OWN_HEADS, "pad_token_id": 0}, _byte_fallback_bpe),
    "gemma2": ({"model_type": "gemma2", **WINDOWS}, _byte_fallback_bpe),
    "gemma3": ({"model_type": "gemma3_text", **WINDOWS, **TWO_ENDS}, _chat_fallback_bpe),
}
"""Keys of the config.json, and what writes the tokenizer, by name."""

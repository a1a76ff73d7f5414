"""Turn the sentence pairs of a pair into token arrays, exactly as the model's own tokenizer does."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.corpus.tsv import read_pairs
from mtpeft.models.languages import require_code
from mtpeft.tokens.arrays import write_arrays

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer in a model's folder; nothing is fetched."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def encode_pair(settings: Mapping[str, Any], *, tokenizer: Path, parts: Mapping[Path, Path]) -> None:
    """Write the token arrays of each part: [language] x … </s> on both sides, cut to the model's positions.

    Args:
        settings: `source` and `target` language, `vocabulary` for messages, `max_positions`.
        tokenizer: folder of the model's tokenizer.
        parts: text of each part, and where its arrays go.
    """
    loaded = load_tokenizer(tokenizer)
    for text, arrays in parts.items():
        rows = read_pairs(text)
        source, target = (
            encode(
                loaded, sentences, settings[side], vocabulary=settings["vocabulary"], longest=settings["max_positions"]
            )
            for side, sentences in (("source", [x.source for x in rows]), ("target", [x.target for x in rows]))
        )
        write_arrays(arrays, source, target)


def encode(
    tokenizer: "PreTrainedTokenizerBase", sentences: Sequence[str], language: str, *, vocabulary: str, longest: int
) -> list[list[int]]:
    """Tokens of sentences in a language, with the language's token first and </s> last, and no other special ones.

    Spaces at the ends are dropped, as sentencepiece does.

    Raises:
        UserError: the model has no token for the language.
    """
    if not sentences:
        return []
    tokenizer.src_lang = require_code(language, tokenizer.get_vocab(), vocabulary=vocabulary)
    rows = tokenizer([sentence.strip() for sentence in sentences], truncation=True, max_length=longest)["input_ids"]
    # Text such as the tag </s> must not end a sentence, nor may es_XX change its language.
    as_text = dict.fromkeys(tokenizer.all_special_ids, tokenizer.unk_token_id)
    return [[row[0], *(as_text.get(token, token) for token in row[1:-1]), row[-1]] for row in rows]


def text_of(tokenizer: "PreTrainedTokenizerBase", hypotheses: Sequence[Sequence[int]]) -> list[str]:
    """Text of each sequence of tokens, without special ones."""
    return [tokenizer.decode(tokens, skip_special_tokens=True) for tokens in hypotheses]

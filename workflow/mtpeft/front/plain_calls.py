"""How a model is called by transformers alone: in lines of Python on a page, and in the check that they are right.

A sequence-to-sequence model writes a hypothesis. A causal model goes on with its prompt, which stands at the beginning
of what it writes, and its limit of length counts the prompt as well.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtpeft.decoding.search import EXTRA_TOKENS
from mtpeft.models.tasks import CAUSAL, SEQUENCE_TO_SEQUENCE, Task

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

    from mtpeft.front.export_page import Use


@dataclass(frozen=True)
class PlainCall:
    """How models of a task are called.

    Attributes:
        begins: keys of generation_config.json that say what a hypothesis begins with.
        lines: of a page, which translate `text`.
        translated: does the same as they do.
        read_at_most: tokens that the tokenizer reads; None where it must not cut what it reads.
    """

    begins: Callable[["Use"], Mapping[str, Any]]
    lines: Callable[["Use"], tuple[str, ...]]
    translated: Callable[["nn.Module", "PreTrainedTokenizerBase", str, "Use"], str]
    read_at_most: Callable[["Use"], int | None]


def written_limit(use: "Use", length: str, *, extra: int) -> str:
    """`Use.limit` as an expression in Python."""
    ratio = use.search.max_length_ratio
    return f"min(int({ratio!r} * {length}) + {EXTRA_TOKENS + extra}, {use.special_tokens.max_length - 1 + extra})"


def written_source(use: "Use") -> str:
    """Return the text that is read as an expression in Python."""
    return f"{use.prompt!r} + text" if use.prompt else "text"


def _decoder_begins(use: "Use") -> dict[str, Any]:
    start, *forced = use.special_tokens.begin
    return {
        "decoder_start_token_id": start,
        "forced_bos_token_id": forced[0] if forced else None,
        "max_length": use.special_tokens.max_length + 1,
    }


def _translated(model: "nn.Module", tokenizer: "PreTrainedTokenizerBase", sentence: str, use: "Use") -> str:
    tokens = tokenizer(use.prompt + sentence, return_tensors="pt", truncation=True).to(model.device)
    output = model.generate(**tokens, max_length=use.limit(tokens.input_ids.shape[1], extra=2))
    return tokenizer.decode(output[0][use.first_word :], skip_special_tokens=True)


def _lines(use: "Use") -> tuple[str, ...]:
    words = f"output[0][{use.first_word}:]" if use.first_word else "output[0]"
    return (
        f'tokens = tokenizer({written_source(use)}, return_tensors="pt", truncation=True)',
        f"output = model.generate(**tokens, max_length={written_limit(use, 'tokens.input_ids.shape[1]', extra=2)})",
        f"print(tokenizer.decode({words}, skip_special_tokens=True))",
    )


def _continued(model: "nn.Module", tokenizer: "PreTrainedTokenizerBase", sentence: str, use: "Use") -> str:
    frame, around = use.tokenizer.frame, use.special_tokens.around_source
    assert frame is not None
    prompt = frame.before + sentence + frame.after
    tokens = tokenizer(prompt, add_special_tokens=not frame.is_chat, return_tensors="pt").to(model.device)
    length = tokens.input_ids.shape[1]
    output = model.generate(**tokens, max_new_tokens=use.limit(length - around, extra=1))
    return tokenizer.decode(output[0][length:], skip_special_tokens=True).strip()


def _continuing_lines(use: "Use") -> tuple[str, ...]:
    frame = use.tokenizer.frame
    assert frame is not None
    words = written_limit(use, f"(length - {use.special_tokens.around_source})", extra=1)
    return (
        f"prompt = {frame.before!r} + text + {frame.after!r}",
        f'tokens = tokenizer(prompt, add_special_tokens={not frame.is_chat}, return_tensors="pt")',
        "length = tokens.input_ids.shape[1]",
        f"output = model.generate(**tokens, max_new_tokens={words})",
        "print(tokenizer.decode(output[0][length:], skip_special_tokens=True).strip())",
    )


PLAIN_CALLS: Mapping[Task, PlainCall] = {
    SEQUENCE_TO_SEQUENCE: PlainCall(_decoder_begins, _lines, _translated, lambda use: use.special_tokens.max_length),
    CAUSAL: PlainCall(lambda use: {}, _continuing_lines, _continued, lambda use: None),
}

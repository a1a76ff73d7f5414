"""Examples in the prompt of a causal model, for in-context learning.

In a chat template each example is a message of the user and its answer; otherwise it is the prompt as it is written,
with the translation behind it, on lines above the prompt of the source. What stands around the sentences is what the
template itself writes for so many messages. Special tokens in a sentence are text, as without examples.
"""

from collections.abc import Collection, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from mtpeft.models.prompt_frame import PromptFrame, read_tokens, with_specials_as_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def encode_example_turns(
    pretrained: "PreTrainedTokenizerBase",
    frame: PromptFrame,
    examples: Sequence[tuple[str, str]],
    sentence: str,
    *,
    special: Collection[int],
) -> list[int]:
    """Return the tokens of a prompt with examples before its source, however long it is.

    Args:
        pretrained: tokenizer of the model.
        frame: what stands around the sentences.
        examples: source and target of each.
        sentence: source that is to be translated.
        special: tokens that are no text.

    Raises:
        UserError: the chat template does not write such messages.
    """
    around = frame.texts_around(len(examples))
    first, behind = around[0], around[1:]
    texts = [text.strip() for text in (*chain.from_iterable(examples), sentence)]
    whole = first + "".join(chain.from_iterable(zip(texts, behind, strict=True)))
    (row,) = read_tokens(pretrained, frame, [whole])

    def specials(text: str) -> int:
        return sum(token in special for token in pretrained(text, add_special_tokens=False)["input_ids"])

    places = [place for place, token in enumerate(row) if token in special]
    inside = [specials(text) for text in texts]
    if not sum(inside):
        return list(row)
    of_frame = [specials(text) for text in around]
    # What the tokenizer itself puts before a text belongs to the frame.
    of_frame[0] += max(0, len(places) - sum(of_frame) - sum(inside))
    is_text = [False] * of_frame[0]
    for own, after in zip(inside, of_frame[1:], strict=True):
        is_text += [True] * own + [False] * after
    return with_specials_as_text(pretrained, row, {place for place, own in zip(places, is_text, strict=True) if own})

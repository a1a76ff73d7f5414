"""The prompt of a causal model: text and special tokens around a source sentence, and what ends a target.

Prompt and target are tokenised apart, in training as in decoding. A model that has a chat template gets the prompt as
the message of a user, and its target is the answer. Otherwise the prompt is read as it is written.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mtpeft.core.errors import UserError
from mtpeft.models.conversation import conversation, lines, parts_around
from mtpeft.models.families.prompts import has_sentence, written_prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SENTENCE, ANSWER = "A1B2C3", "X7Y8Z9"
"""Stand for the sentence, and for its translation, while a template is filled in."""
SHOT = "Q7{}W9"
"""Stands for the source of an example by its number, and with the next number for its target."""
PLAIN = "Translate from {source} to {target}.\n{source}: {text}\n{target}:"
"""What a model without a chat template reads."""
MESSAGE = "Translate the following text from {source} to {target}. Answer with the translation alone.\n\n{text}"
"""What the user of a model with a chat template says."""
TEMPLATE_OPTIONS = {"enable_thinking": False, "date_string": "26 Jul 2024"}
"""What templates ask for: Qwen3's whether the model may think first, and Llama's the day, which is otherwise today."""
WIDEST_CHARACTER = 64
"""Tokens than which no character has more; a sentence that is cut off at a character misses so many at most."""


@dataclass(frozen=True)
class PromptFrame:
    """What stands around a source sentence, and what a target begins and ends with.

    Attributes:
        before: text before the sentence, in which a chat template writes special tokens.
        after: text behind it.
        is_chat: a chat template has been filled in, which writes all special tokens itself.
        target_begins: space before a target, where the prompt ends with none.
        end: token that ends a target.
        texts_around: gives for a number of examples what stands before, between and behind their sentences and the
            source, in this order; it may raise a UserError.
        specials: number of special tokens before the sentence, and behind it.
    """

    before: str
    after: str
    is_chat: bool
    target_begins: str
    end: int
    texts_around: Callable[[int], tuple[str, ...]] = field(repr=False, compare=False)
    specials: tuple[int, int] = (0, 0)


def prompt_frame(
    pretrained: "PreTrainedTokenizerBase",
    languages: tuple[str, str],
    *,
    prompt: str | None,
    chat_template: bool | str | None,
    stops: Sequence[int],
    special: Collection[int],
    model: str,
) -> PromptFrame:
    """Return what stands around the sentences of a pair.

    Args:
        pretrained: tokenizer of the model.
        languages: BCP 47 tags of source and target.
        prompt: with places for the languages and the sentence, which otherwise stands at its end; None: a common one.
        chat_template: whether that of the tokenizer is used, or the name of one of several; None: where there is one.
        stops: tokens that end a hypothesis.
        special: tokens that are no text.
        model: label of the model.

    Raises:
        UserError: a chat template is asked for and there is none of this name, it does not take the message of a user,
            or no token is known to end a target.
    """
    named = pretrained.chat_template is not None if chat_template is None else chat_template
    text = prompt if prompt is not None else MESSAGE if named else PLAIN
    text = text if has_sentence(text) else f"{text}{{text}}"
    written = request = written_prompt(text, *languages, text=SENTENCE)
    end, render = pretrained.eos_token_id, _chat(pretrained, named, model=model) if named else None
    if render:
        message = {"role": "user", "content": written}
        written = render([message], add_generation_prompt=True)
        behind = render([message, {"role": "assistant", "content": ANSWER}]).rpartition(ANSWER)[2]
        ends = [token for token in pretrained(behind, add_special_tokens=False)["input_ids"] if token in stops]
        end = ends[0] if ends else end
    if end is None:
        raise UserError(f"The tokenizer of '{model}' has no 'eos_token', so that no translation would end; name it.")
    before, found, after = written.partition(SENTENCE)
    if not found or SENTENCE in after:
        raise UserError(
            f"The chat template of '{model}' does not write what a user says once; write `chat_template: false` under "
            f"'models.{model}', and a 'prompt'."
        )
    spaced = bool(named) or not written or written[-1].isspace() or _writes_space(pretrained)
    begins = "" if spaced else " "

    def texts_around(shots: int) -> tuple[str, ...]:
        places = [SHOT.format(number) for number in range(2 * shots)]
        turns = [
            (request.replace(SENTENCE, own), answer) for own, answer in zip(places[::2], places[1::2], strict=True)
        ]
        filled = conversation(render, turns, request) if render else lines(turns, request, begins=begins)
        return parts_around(filled, [*places, SENTENCE], model=model)

    frame = PromptFrame(before, after, bool(named), begins, end, texts_around)
    first, whole = (
        sum(token in special for token in read_tokens(pretrained, frame, [part])[0])
        for part in (before, before + after)
    )
    return replace(frame, specials=(first, whole - first))


def encode_sources(
    pretrained: "PreTrainedTokenizerBase",
    frame: PromptFrame,
    sentences: Sequence[str],
    *,
    special: Collection[int],
    max_length: int,
) -> list[list[int]]:
    """Return the tokens of whole prompts; a sentence that is too long is cut off at a character.

    Raises:
        UserError: the prompt alone is longer than `max_length`.
    """

    def tokens_of(own: Sequence[str]) -> list[list[int]]:
        rows = read_tokens(pretrained, frame, [frame.before + sentence + frame.after for sentence in own])
        return [_without_specials(pretrained, row, special, kept=frame.specials) for row in rows]

    rows = tokens_of(sentences) if sentences else []
    for number, row in enumerate(rows):
        if len(row) > max_length:
            rows[number] = _cut(lambda own: tokens_of([own])[0], sentences[number], max_length=max_length)
    return rows


def encode_targets(
    pretrained: "PreTrainedTokenizerBase",
    frame: PromptFrame,
    sentences: Sequence[str],
    *,
    special: Collection[int],
    max_length: int,
) -> list[list[int]]:
    """Return the tokens of targets, each with the one that ends it."""
    if not sentences:
        return []
    texts = [frame.target_begins + sentence if sentence else "" for sentence in sentences]
    rows = pretrained(texts, add_special_tokens=False)["input_ids"]
    plain = (_without_specials(pretrained, row, special, kept=(0, 0)) for row in rows)
    return [[*row[: max_length - 1], frame.end] for row in plain]


def _chat(pretrained: "PreTrainedTokenizerBase", named: bool | str, *, model: str) -> Callable[..., str]:
    """Return the function that fills in the chat template."""
    chosen = named if isinstance(named, str) else None
    known = list(pretrained.chat_template) if isinstance(pretrained.chat_template, dict) else []
    if pretrained.chat_template is None or (chosen and chosen not in known):
        has = (
            f"templates of the names {', '.join(known)}" if known else "none" if named is True else "no names for them"
        )
        raise UserError(
            f"'models.{model}.chat_template' is {str(named).lower()}, but its tokenizer has {has}; write false, and a "
            "'prompt'."
        )

    def render(messages: Sequence[Mapping[str, str]], **options: Any) -> str:
        try:
            return pretrained.apply_chat_template(
                list(messages), chat_template=chosen, tokenize=False, **TEMPLATE_OPTIONS, **options
            )
        except Exception as error:  # whatever a template makes of a message
            raise UserError(
                f"'models.{model}.chat_template' is {str(named).lower()}, but the tokenizer's can't be filled in "
                f"({type(error).__name__}: {next(iter(str(error).splitlines()), '')}); write false, and a 'prompt'."
            ) from error

    return render


def read_tokens(pretrained: "PreTrainedTokenizerBase", frame: PromptFrame, texts: Sequence[str]) -> list[list[int]]:
    """Return the tokens of texts that have all that a frame writes; those that the tokenizer itself adds are theirs."""
    return pretrained(list(texts), add_special_tokens=not frame.is_chat)["input_ids"]


def _writes_space(pretrained: "PreTrainedTokenizerBase") -> bool:
    """Return whether a tokenizer reads every text as if a space stood before it, as sentencepiece does by default."""
    tokens = pretrained("a", add_special_tokens=False)["input_ids"]
    return bool(tokens) and pretrained.convert_ids_to_tokens(tokens[0]).startswith("▁")


def _without_specials(
    pretrained: "PreTrainedTokenizerBase", row: Sequence[int], special: Collection[int], *, kept: tuple[int, int]
) -> list[int]:
    """Write special tokens of a sentence as the text that they are there, so that no sentence ends its own prompt.

    Args:
        pretrained: the tokenizer.
        row: tokens.
        special: tokens that are no text.
        kept: number of the first special tokens, and of the last ones, that are those of the prompt.
    """
    places = [place for place, token in enumerate(row) if token in special]
    return with_specials_as_text(pretrained, row, set(places[kept[0] : len(places) - kept[1]]))


def with_specials_as_text(
    pretrained: "PreTrainedTokenizerBase", row: Sequence[int], inside: Collection[int]
) -> list[int]:
    """Write the special tokens at some places of a row as the letters that they are made of."""
    made: list[int] = []
    for place, token in enumerate(row):
        # Its first character apart from the others is no special token.
        text = pretrained.convert_ids_to_tokens(token) if place in inside else ""
        made += (
            [
                piece
                for part in (text[:1], text[1:])
                for piece in pretrained(part, add_special_tokens=False)["input_ids"]
            ]
            if place in inside
            else [token]
        )
    return made


def _cut(tokens_of: Callable[[str], list[int]], sentence: str, *, max_length: int) -> list[int]:
    """Return the tokens of the longest beginning of a sentence that fits."""
    fits, too_long = 0, len(sentence)
    if len(tokens_of("")) > max_length:
        raise UserError(
            f"The prompt alone has more than {max_length} tokens, which is half of what the model reads; write a "
            "shorter 'prompt'."
        )
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        fits, too_long = (middle, too_long) if len(tokens_of(sentence[:middle])) <= max_length else (fits, middle)
    return tokens_of(sentence[:fits])

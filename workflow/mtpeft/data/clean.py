"""Clean the text of a pair of languages: sentence pairs with an id that is the same in all languages of the corpus."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtpeft.core import files
from mtpeft.core.warnings import warn
from mtpeft.data import tsv
from mtpeft.data.cleaning_options import Cleaning
from mtpeft.data.filters import KEYS, Sides, first_filter
from mtpeft.data.language_identification import side_warnings
from mtpeft.data.markup import MASKED, same_masks, stripped
from mtpeft.data.normalisation import FORM, normalised_line
from mtpeft.data.sentences import aligned_sentences
from mtpeft.data.similarity import normalised
from mtpeft.data.sources import source_of
from mtpeft.data.sources.base import Languages, Message
from mtpeft.data.split import GIVEN

ID_DIGITS = 16
EXAMPLES, EXAMPLE_CHARACTERS = 3, 200
"""Number of sentence pairs that the record shows for each filter and way of cleaning, and most characters of each."""
MUCH = 0.1
"""Share of the training text above which a warning says that a filter removes it."""


@dataclass
class Cleaned:
    """Sentence pairs that stay, and counts and examples of what was removed and changed.

    Attributes:
        given: lines of dev and test, in their order.
        sentences: sentence pairs of the training text.
        messages: how many messages or lines were read.
        candidates: how many sentence pairs the filters have seen.
        taken: how many pairs each filter has removed.
        examples: some of these pairs.
        changed: how many messages each way of cleaning has changed.
        changes: some of these messages, before and after.
    """

    given: list[tsv.CleanPair] = field(default_factory=list)
    sentences: list[Message] = field(default_factory=list)
    messages: int = 0
    candidates: int = 0
    taken: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Sequence[str]]] = field(default_factory=lambda: defaultdict(list))
    changed: Counter[str] = field(default_factory=Counter)
    changes: dict[str, list[Sequence[str]]] = field(default_factory=lambda: defaultdict(list))

    def take(self, reason: str, texts: Sequence[str], count: int = 1) -> None:
        """Count a pair that a filter removes."""
        self.taken[reason] += count
        _show(self.examples[reason], texts)

    def change(self, way: str, before: Sequence[str], after: Sequence[str]) -> None:
        """Count a message that a way of cleaning changes."""
        self.changed[way] += 1
        _show(self.changes[way], [*before, *after])


def clean_pair(params: Mapping[str, Any], *, archives: Sequence[Path], output: Path, record: Path) -> None:
    """Write the clean sentence pairs of one pair of languages, and a record of what was changed and removed.

    The id of a training sentence is the hash of its normalised text in the language ``written_in``, so that it is the
    same for every pair of the corpus; a further pair with this text has a number behind it. Dev and test text given by
    the user keeps all its lines in their order, repeated ones too, so that scores on it can be compared with those of
    others. All text is a `normalised_line`.

    Args:
        params: `source`, `target` and `written_in` languages, `clean` with the options that differ from what is usual
            for the kind of text, and a description of the text under the name of its source.
        archives: files that were downloaded for it.
        output: where the sentence pairs go.
        record: where the record goes.

    Raises:
        UserError: the text can't be read.
    """
    source = source_of(params)
    languages = Languages(params["source"], params["target"], params["written_in"])
    cleaning, ui_strings = source.kind.cleaning.changed(params["clean"]), source.kind.ui_strings
    cleaned = clean_messages(
        source.read(params, languages, archives), languages.sides, cleaning=cleaning, ui_strings=ui_strings
    )
    rows = _with_ids(cleaned.sentences, cleaning)
    cleaned.take("duplicates", [], len(cleaned.sentences) - len(rows))
    warnings = list(_warnings(cleaned, languages, ui_strings=ui_strings))
    if not ui_strings:
        warnings += side_warnings([(row.source, row.target) for row in rows], languages.sides)
    tsv.write_cleaned(output, [*cleaned.given, *rows])
    summary = {
        "params": params,
        "normalised": FORM,
        "inputs": {path.name: files.sha256_of(path) for path in [*archives, *source.files(params)]},
        "messages": cleaned.messages,
        "sentences": len(cleaned.given) + len(cleaned.sentences),
        "taken": cleaned.taken,
        "examples": cleaned.examples,
        "changed": {
            way: {"messages": count, "examples": cleaned.changes[way]} for way, count in cleaned.changed.items()
        },
        "rows": len(cleaned.given) + len(rows),
        "parts": Counter(row.part for row in [*cleaned.given, *rows]),
        "warnings": warnings,
        "sha256": files.sha256_of(output),
    }
    files.write_record(record, summary)
    warn(warnings)


def clean_messages(
    messages: Iterator[Message], languages: Sequence[str], *, cleaning: Cleaning, ui_strings: bool
) -> Cleaned:
    """Clean messages and filter their sentence pairs; repeated pairs stay in.

    Args:
        messages: of one pair of languages.
        languages: of source and target.
        cleaning: options.
        ui_strings: whether the messages are UI strings, which can have several lines.
    """
    cleaned = Cleaned()
    places: Counter[str] = Counter()
    for message in messages:
        cleaned.messages += 1
        if message.part in GIVEN:
            places[message.part] += 1
            _keep_given(message, f"{message.part}-{places[message.part]:06}", cleaned)
        elif not all(text.strip() for text in message[1:]):
            cleaned.candidates += 1
            cleaned.take("empty", message[2:])
        elif ui_strings or any((cleaning.markup, cleaning.placeholders, cleaning.sentences)):
            _clean_message(message, cleaning, languages, cleaned)
        else:
            _clean_line(message, cleaning, languages, cleaned)
    return cleaned


def sentence_id(text: str) -> str:
    """Compute the id of a sentence: the first 16 hexadecimal digits of the SHA-256 of its normalised text."""
    return hashlib.sha256(normalised(text).encode("utf-8")).hexdigest()[:ID_DIGITS]


def _keep_given(message: Message, key: str, cleaned: Cleaned) -> None:
    """Keep a line of a dev or test set, unless a side is blank."""
    sides = [normalised_line(text) for text in message[2:]]
    if not all(sides):
        cleaned.take(f"blank_{message.part}", message[2:])
        return
    _note_form(message[2:], cleaned)
    cleaned.given.append(tsv.CleanPair(key, message.part, *sides))


def _clean_line(message: Message, cleaning: Cleaning, languages: Sequence[str], cleaned: Cleaned) -> None:
    """Filter a line of prose, which stays one line and is not changed but for its `normalised_line`."""
    written, source, target = (normalised_line(text) for text in message[1:])
    _note_form(message[2:], cleaned)
    _filter(Message(message.part, written, source, target), cleaning, languages, cleaned)


def _clean_message(message: Message, cleaning: Cleaning, languages: Sequence[str], cleaned: Cleaned) -> None:
    """Clean markup and placeholders of a message, cut it into sentences, and filter these, as the options say."""
    masks, texts = stripped(message[1:], markup=cleaning.markup, placeholders=cleaning.placeholders)
    if cleaning.placeholders and not same_masks(texts):
        cleaned.candidates += 1
        cleaned.take("placeholders", message[2:])
        return
    before = [normalised_line(text) for text in message[2:]]
    plain = [normalised_line(text) for text in texts[1:]]
    differs = before != [normalised_line(masks.restored(text)) for text in plain]
    if cleaning.markup and differs:
        cleaned.change("markup", before, plain if not cleaning.placeholders else masks.numbered(plain))
    masked = any(MASKED.search(text) for text in plain)
    if cleaning.placeholders and (masked or (differs and not cleaning.markup)):
        cleaned.change("placeholders", before, masks.numbered(plain))
    parts = aligned_sentences(texts) if cleaning.sentences else [tuple(texts)]
    if not parts:
        cleaned.candidates += 1
        cleaned.take("sentences_differ", before)
    if len(parts) > 1:
        cleaned.change("sentences", before, [" | ".join(side) for side in list(zip(*parts, strict=True))[1:]])
    for part in parts:
        numbered = masks.numbered(part) if cleaning.placeholders else part
        _filter(Message(message.part, *map(normalised_line, numbered)), cleaning, languages, cleaned)


def _filter(sentence: Message, cleaning: Cleaning, languages: Sequence[str], cleaned: Cleaned) -> None:
    cleaned.candidates += 1
    reason = first_filter(Sides(sentence.source, sentence.target, languages), cleaning)
    if reason is None:
        cleaned.sentences.append(sentence)
    else:
        cleaned.take(reason, sentence[2:])


def _note_form(texts: Sequence[str], cleaned: Cleaned) -> None:
    """Count a line that NFC changes, white space aside."""
    sides = [" ".join(text.split()) for text in texts]
    if sides != (normal := [normalised_line(text) for text in texts]):
        cleaned.change("nfc", sides, normal)


def _show(examples: list[Sequence[str]], texts: Sequence[str]) -> None:
    if texts and len(examples) < EXAMPLES:
        examples.append([text[:EXAMPLE_CHARACTERS] for text in texts])


def _warnings(cleaned: Cleaned, languages: Languages, *, ui_strings: bool) -> Iterator[str]:
    """Warn of filters that remove much; UI strings are repeated so often that their duplicates are no news."""
    pair = "-".join(languages.sides)
    for reason, count in cleaned.taken.items():
        if reason.startswith("blank_"):
            yield (
                f"{count} lines of the given {reason.removeprefix('blank_')} set of {pair} have no text on one side "
                "and are left out; scores on it can't be compared with those of others."
            )
        elif count > MUCH * cleaned.candidates and not (reason == "duplicates" and ui_strings):
            decides = f"clean.{KEYS[reason]} decides, and " if reason in KEYS else ""
            yield (
                f"the filter '{reason}' takes {count:,} of {cleaned.candidates:,} training pairs of {pair} "
                f"({count / cleaned.candidates:.0%}); {decides}clean.json shows some."
            )


def _with_ids(sentences: Sequence[Message], cleaning: Cleaning) -> list[tsv.CleanPair]:
    """Make rows sorted by id; of repeated sentences, `duplicates` says how many stay.

    Where one pair stays of a sentence, it is the most frequent wording.
    """
    wordings: dict[str, Counter[Message]] = {}
    for sentence in sentences:
        wordings.setdefault(sentence_id(sentence.written), Counter())[sentence] += 1
    if cleaning.duplicates == "sentences":
        return [tsv.CleanPair(key, *_preferred(wordings[key])) for key in sorted(wordings)]
    rows = []
    for key in sorted(wordings):
        ordered = sorted(wordings[key], key=lambda wording: (-wordings[key][wording], wording))
        if cleaning.duplicates == "keep":
            ordered = [wording for wording in ordered for _ in range(wordings[key][wording])]
        for number, wording in enumerate(ordered):
            unique = f"{key}-{number}" if number else key
            rows.append(tsv.CleanPair(unique, wording.part, wording.source, wording.target))
    return rows


def _preferred(wordings: Counter[Message]) -> tuple[str, str, str]:
    """Choose the most frequent wording in the language written in, then of its translations; equals in text order."""
    written = Counter()
    for wording, count in wordings.items():
        written[wording.written] += count
    best = min(wordings, key=lambda w: (-written[w.written], w.written, -wordings[w], w))
    return best.part, best.source, best.target

"""Make one pair's text clean: sentence pairs with a key that is the same in all languages."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft import records
from mtpeft.corpus import tsv
from mtpeft.corpus.filters import first_filter
from mtpeft.corpus.markup import same_masks, stripped
from mtpeft.corpus.messages import Message, file_messages, input_paths, wheel_messages
from mtpeft.corpus.mtdata.messages import dataset_messages
from mtpeft.corpus.sentences import aligned_sentences
from mtpeft.corpus.similarity import normalised

ID_DIGITS = 16


def clean_pair(settings: Mapping[str, Any], *, archives: Sequence[Path], output: Path, record: Path) -> None:
    """Write the clean sentence pairs of one pair of languages, one row per sentence key, and what each filter took.

    The text is that of the archives of wheels or datasets, or of the user's files. A sentence's id is the hash of its
    normalised text in the language ``written_in``, so that it is the same for every pair of the corpus. Training text
    is filtered and its placeholders become tokens; dev and test text given by the user stays as it is, but for blank
    lines and repetitions, so that scores on it can be compared with those of others.
    """
    messages = list(_messages(settings, archives))
    taken: Counter[str] = Counter()
    sentences: list[Message] = []
    for message in messages:
        if message.part in ("dev", "test"):
            sentences += _keep_given(message, taken)
        else:
            sentences += _clean_message(message, settings, taken)
    rows = _one_per_id(sentences)
    taken["duplicates"] = len(sentences) - len(rows)
    tsv.write_cleaned(output, rows)
    summary = {
        "settings": settings,
        "inputs": {path.name: records.sha256_of(path) for path in input_paths(settings, archives)},
        "messages": len(messages),
        "sentences": len(sentences),
        "taken": taken,
        "rows": len(rows),
        "parts": Counter(row.part for row in rows),
        "sha256": records.sha256_of(output),
    }
    records.write_record(record, summary)


def _messages(settings: Mapping[str, Any], archives: Sequence[Path]) -> Iterator[Message]:
    if "wheels" in settings:
        return wheel_messages(settings, archives)
    return dataset_messages(settings, archives) if "mtdata" in settings else file_messages(settings)


def sentence_id(text: str) -> str:
    """First 16 hexadecimal digits of the SHA-256 of the normalised text."""
    return hashlib.sha256(normalised(text).encode("utf-8")).hexdigest()[:ID_DIGITS]


def _keep_given(message: Message, taken: Counter[str]) -> list[Message]:
    sides = [" ".join(text.split()) for text in message[1:]]
    if not all(normalised(side) for side in sides):
        taken["empty"] += 1
        return []
    return [Message(message.part, *sides)]


def _clean_message(message: Message, settings: Mapping[str, Any], taken: Counter[str]) -> list[Message]:
    """The sentences of a message that pass the filters; a line of a dataset or of the user's files stays one."""
    if not all(text.strip() for text in message[1:]):
        taken["empty"] += 1
        return []
    masks, texts = stripped(message[1:])
    if not same_masks(texts):
        taken["placeholders"] += 1
        return []
    parts = aligned_sentences(texts) if "wheels" in settings else [tuple(" ".join(text.split()) for text in texts)]
    if not parts:
        taken["sentences_differ"] += 1
    limits = {**settings["clean"], "languages": (settings["source"], settings["target"])}
    sentences = []
    for part in parts:
        written, source, target = masks.numbered(part)
        reason = first_filter(source, target, limits)
        if reason is None:
            sentences.append(Message(message.part, written, source, target))
        else:
            taken[reason] += 1
    return sentences


def _one_per_id(sentences: Sequence[Message]) -> list[tsv.CleanPair]:
    """One row per id, sorted by id: test before dev before training, then the most frequent wording of it."""
    wordings: dict[str, Counter[Message]] = {}
    for sentence in sentences:
        wordings.setdefault(sentence_id(sentence.written), Counter())[sentence] += 1
    return [tsv.CleanPair(key, *_preferred(wordings[key])) for key in sorted(wordings)]


def _preferred(wordings: Counter[Message]) -> tuple[str, str, str]:
    """The most frequent wording in the language written in, then of its translations; equals in text order."""
    written = Counter()
    for wording, count in wordings.items():
        written[wording.written] += count
    order = ["test", "dev", "train", ""]
    best = min(wordings, key=lambda w: (order.index(w.part), -written[w.written], w.written, -wordings[w], w))
    return best.part, best.source, best.target

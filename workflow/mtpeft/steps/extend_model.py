"""Extend a base model: new entries of its vocabulary, for languages and for pieces of text."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mtpeft.cells import label_of
from mtpeft.core.files import publish_folder, read_record, sha256_of, write_record
from mtpeft.data.tsv import read_pairs
from mtpeft.models.derived.extend import EXTEND, copy_extended, new_languages, new_pieces
from mtpeft.models.families import read_json
from mtpeft.models.local import record_folder
from mtpeft.models.tokenizer import EXTENSION, Extension, Side, load_tokenizer


def extend_model(settings: Mapping[str, Any], *, base: Path, texts: Sequence[Path], record: Path) -> None:
    """Write the extended model into `extended/`, and its `base.json` beside that.

    Args:
        settings: `languages`, by BCP 47 tag the one that each is like, or None for the mean of all; `pieces`, how many;
            `sides`, which side of each text they are learnt from.
        base: `base.json` of the model.
        texts: training text of pairs.
        record: where the record goes.

    Raises:
        UserError: the model knows a language already or names none by tokens, or the text is too small.
    """
    origin = read_record(base)
    folder, target = Path(origin["folder"]), record.parent / EXTEND.folder
    key = f"models.{label_of(record.parent.name)}.extend"
    first = read_json(folder / "config.json")["vocab_size"]
    languages, rows = new_languages(settings["languages"], folder, key=key, first=first)
    text = _read_text(settings["sides"], texts, folder)
    learnt = new_pieces(text, folder, entries=settings["pieces"])
    pieces = dict(enumerate(learnt, first + len(rows)))
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    copy_extended(folder, temporary, [*rows, *learnt])
    written = {
        "languages": {tag: asdict(language) for tag, language in languages.items()},
        "pieces": {str(entry): list(replaced) for entry, replaced in pieces.items()},
    }
    write_record(temporary / EXTENSION, written)
    publish_folder(temporary, target)
    described = {
        "model": origin["model"],
        "base_sha256": sha256_of(base),
        "texts": {str(file): sha256_of(file) for file in texts},
        "new_languages": len(rows),
        "new_pieces": len(learnt),
        "tokens_before": sum(map(len, text)),
        "tokens_after": sum(len(Extension({}, pieces).shortened(row)) for row in text),
    }
    record_folder(settings, target, key=key, record=record, origin=described, exposure=origin["exposure"])


def _read_text(sides: Sequence[Side], texts: Sequence[Path], folder: Path) -> list[list[int]]:
    """Sentences of one side of each text as the tokenizer has them, without special tokens."""
    tokenizer = load_tokenizer(folder)
    rows = []
    for side, text in zip(sides, texts, strict=True):
        sentences = [getattr(pair, side) for pair in read_pairs(text)]
        given = {"text_target": sentences} if side == "target" else {"text": sentences}
        rows += tokenizer(**given, add_special_tokens=False)["input_ids"]
    special = {*tokenizer.all_special_ids}
    return [[token for token in row if token not in special] for row in rows]

"""Extend the vocabulary of a base model by tokens of languages and by pieces of the text of pairs."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mtpeft.cells import label_of
from mtpeft.config.schema import Configuration
from mtpeft.core.files import publish_folder, read_record, sha256_of, write_record
from mtpeft.data.tsv import read_pairs
from mtpeft.models.config_json import EXTENDED
from mtpeft.models.derived.extend import copy_extended, new_languages, new_pieces
from mtpeft.models.families import read_json
from mtpeft.models.local import record_folder
from mtpeft.models.tokenizer import EXTENSION, Extension, Side, load_tokenizer
from mtpeft.steps.base_models import base_file, extend_params, train_text
from mtpeft.steps.step import Inputs, Params, Step


def inputs(configuration: Configuration, model: str) -> Inputs:
    """The model that is extended, and the training text from which new pieces are learnt."""
    extension = configuration.models[model].extend
    pairs = extension.pieces.pairs if extension.pieces else []
    return {
        "base": base_file(configuration, extension.model),
        "texts": [train_text(configuration, pair) for pair in pairs],
    }


def run(params: Params, *, base: Path, texts: list[Path], record: Path) -> None:
    """Add entries to the vocabulary of another base model, into `extended/` beside the record.

    Args:
        params: `languages`, by BCP 47 tag the one that each is like, or None for the mean of all; `pieces`, how many;
            `sides`, which side of each text they are learnt from.
        base: `base.json` of the model.
        texts: training text of pairs.
        record: where the record goes.

    Raises:
        UserError: the model knows a language already or names none by tokens, or the text is too small.
    """
    origin = read_record(base)
    folder, target = Path(origin["folder"]), record.parent / EXTENDED
    key = f"models.{label_of(record.parent.name)}.extend"
    first = read_json(folder / "config.json")["vocab_size"]
    languages, rows = new_languages(params["languages"], folder, key=key, first=first)
    text = _read_text(params["sides"], texts, folder)
    learnt = new_pieces(text, folder, entries=params["pieces"])
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
    record_folder(params, target, key=key, record=record, origin=described, exposure=origin["exposure"])


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


STEP = Step("extend_model", 1, ("model",), extend_params, run, inputs, record="base.json", starts_slowly=True)

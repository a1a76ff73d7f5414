"""Add entries to the vocabulary of a base model: tokens for languages that it never saw, and pieces of new text.

The tokenizer stays as it is (see `mtpeft.tokens.extension`). Every tensor that has a number or a row for each entry
gets one for each new entry: the mean of those that it stands for. A bias of zero would let new entries win every step
of a model that has learnt to hold the others down.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from mtpeft.cells import label_of
from mtpeft.corpus.tsv import read_pairs
from mtpeft.errors import UserError
from mtpeft.languages import match
from mtpeft.models.describe import EXTENDED
from mtpeft.models.families import family_in, read_json
from mtpeft.models.local import record_folder
from mtpeft.models.shapes import NEW_ENTRIES
from mtpeft.records import publish_folder, read_record, sha256_of, write_record
from mtpeft.tokens.codec import Side, load_tokenizer, names_in
from mtpeft.tokens.extension import EXTENSION, Extension, NewLanguage
from mtpeft.tokens.new_pieces import learn_pieces

SIZES = ("vocab_size", "decoder_vocab_size")
"""Keys of a config.json that say how many entries there are."""


Row = tuple[int, ...]
"""Entries whose rows have the mean with which the row of a new one begins."""


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
    folder, target = Path(origin["folder"]), record.parent / EXTENDED
    key = f"models.{label_of(record.parent.name)}.extend"
    first = read_json(folder / "config.json")["vocab_size"]
    languages, rows = _new_languages(settings["languages"], folder, key=key, first=first)
    text = _read_text(settings["sides"], texts, folder)
    learnt = _learn(text, folder, entries=settings["pieces"])
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


def copy_extended(folder: Path, target: Path, rows: Sequence[Row]) -> None:
    """Copy a model into another folder, with new entries after the last ones of its vocabulary."""
    config = read_json(folder / "config.json")
    places = entry_dimensions(config)
    entries = config["vocab_size"] + len(rows)
    sizes = {name: entries for name in SIZES if config.get(name) is not None}
    for file in filter(Path.is_file, folder.iterdir()):
        if file.suffix == ".safetensors":
            save_file(_extended(file, rows, places), target / file.name, {"format": "pt"})
        else:
            shutil.copyfile(file, target / file.name)
    write_record(target / "config.json", {**config, **sizes, NEW_ENTRIES: len(rows)})


def entry_dimensions(config: Mapping[str, Any]) -> dict[str, int]:
    """Tensors of a model that have a dimension with a place for each entry of the vocabulary, and which it is.

    They are those that grow when there is one entry more.
    """
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    shapes = []
    for more in (0, 1):
        sizes = {name: config["vocab_size"] + more for name in SIZES if config.get(name) is not None}
        with torch.device("meta"):
            model = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model(**{**config, **sizes}))
        shapes.append({name: tensor.shape for name, tensor in model.state_dict().items()})
    plain, larger = shapes
    return {
        name: next(place for place, size in enumerate(shape) if size != larger[name][place])
        for name, shape in plain.items()
        if shape != larger[name]
    }


def _place_of(name: str, places: Mapping[str, int]) -> int | None:
    """The dimension of a tensor in a file, which may lack the first part of its name in the model."""
    return next((place for known, place in places.items() if known == name or known.endswith(f".{name}")), None)


def _extended(file: Path, rows: Sequence[Row], places: Mapping[str, int]) -> dict[str, torch.Tensor]:
    """Tensors of a file, with what is new the mean of some that are there."""
    tensors = {}
    with safe_open(file, framework="pt") as stream:
        for name in stream.keys():  # noqa: SIM118 - it is no mapping
            tensor = stream.get_tensor(name)
            place = _place_of(name, places)
            if rows and place is not None:
                replaced = (tensor.index_select(place, torch.tensor(row)).float() for row in rows)
                new = torch.stack([entries.mean(dim=place) for entries in replaced], dim=place)
                tensor = torch.cat([tensor, new.to(tensor.dtype)], dim=place)
            tensors[name] = tensor.contiguous()
    return tensors


def _new_languages(
    wanted: Mapping[str, str | None], folder: Path, *, key: str, first: int
) -> tuple[dict[str, NewLanguage], list[Row]]:
    """New languages with their tokens, and what the rows of those begin as."""
    family, tokenizer = family_in(folder), load_tokenizer(folder)
    names = names_in(family, tokenizer)
    if wanted and names is None:
        raise UserError(f"'{key}.languages': {family.title} has no token for any language; take the key out.")
    tokens = {name: tokenizer.convert_tokens_to_ids((family.token or str)(name)) for name in names or ()}
    known = {name: names[name] for name, token in tokens.items() if token not in (None, tokenizer.unk_token_id)}
    languages, rows = {}, []
    for tag, like in wanted.items():
        if name := match(tag, known):
            raise UserError(f"'{key}.languages' names '{tag}', which the model knows as '{name}'; take it out.")
        stand_in = match(like, known) if like else next(iter(known))
        if stand_in is None:
            raise UserError(f"'{key}.languages.{tag}.like' is '{like}', which the model does not know; name another.")
        languages[tag] = NewLanguage(id=first + len(rows), stand_in=stand_in)
        rows.append((tokens[stand_in],) if like else tuple(tokens[name] for name in known))
    return languages, rows


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


def _learn(text: Sequence[Sequence[int]], folder: Path, *, entries: int) -> list[Row]:
    if not entries:
        return []
    tokenizer = load_tokenizer(folder)
    return learn_pieces(text, tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))), entries=entries)

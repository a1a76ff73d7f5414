"""Read the entries of a vocabulary from the files of a folder, without the libraries that use them."""

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from mtpeft.core.files import read_json_object

SENTENCEPIECE_SPECIALS = 3
"""<unk>, <s> and </s>, which sentencepiece counts among its pieces."""
SENTENCEPIECE = ("sentencepiece.bpe.model", "spiece.model")


def added_entries(folder: Path) -> set[str]:
    """Return the entries that were added to a vocabulary, by the small files of its tokenizer."""
    described = [read_json(folder / name) for name in ("tokenizer_config.json", "special_tokens_map.json")]
    added = [token for config in described for token in _added(config)]
    return {*added, *read_json(folder / "added_tokens.json")}


def all_entries(folder: Path) -> Collection[str]:
    """Return all entries of a vocabulary: those of its list, or else the pieces of its sentencepiece model."""
    files = [folder / name for name in ("tokenizer.json", "vocab.json", *SENTENCEPIECE)]
    return _all_entries(folder, tuple(file.stat().st_mtime_ns for file in files if file.is_file()))


def has_any_entry(folder: Path, entries: Collection[str]) -> bool:
    """Return whether a vocabulary has one of some entries; its small files are read first."""
    return not (added_entries(folder).isdisjoint(entries) and set(all_entries(folder)).isdisjoint(entries))


def read_json(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file of a model's folder; it is empty where the file is not there.

    Raises:
        UserError: it can't be read, is not UTF-8 or no JSON, names a key twice, or holds no object.
    """
    return read_json_object(file) if file.is_file() else {}


@lru_cache(maxsize=8)
def _all_entries(folder: Path, changed: tuple[int, ...]) -> frozenset[str]:
    return frozenset([*added_entries(folder), *_listed(folder), *read_json(folder / "vocab.json")])


def _listed(folder: Path) -> Iterator[str]:
    """Yield the entries of `tokenizer.json`, or the pieces of a sentencepiece model."""
    if listed := read_json(folder / "tokenizer.json"):
        yield from (token["content"] for token in listed.get("added_tokens") or ())
        entries = (listed.get("model") or {}).get("vocab") or ()
        # A unigram vocabulary is a list of entries with their scores, the others map entries to numbers.
        yield from entries if isinstance(entries, Mapping) else (entry for entry, *_ in entries)
        return
    for file in (folder / name for name in SENTENCEPIECE if (folder / name).is_file()):
        from sentencepiece import SentencePieceProcessor

        pieces = SentencePieceProcessor(model_file=str(file))
        yield from map(pieces.id_to_piece, range(pieces.get_piece_size()))


def _added(config: Mapping[str, Any]) -> list[str]:
    lists = [
        config.get(key) or () for key in ("extra_special_tokens", "additional_special_tokens", "added_tokens_decoder")
    ]
    added = [token for tokens in lists for token in (tokens.values() if isinstance(tokens, Mapping) else tokens)]
    return [token["content"] if isinstance(token, dict) else token for token in added]

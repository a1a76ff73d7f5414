"""Tell whether a training read the text and the base model that the configuration of now stands for.

Both reach a cell as files, so its own settings say nothing of them. What is compared is the chain of records above it:
each holds the settings of its step and hashes of what the step read, from the wheels to the token arrays.

A file that is gone from a folder that is there breaks the chain: Snakemake removes what a step has made before it runs
the step again, and would make the file and all that follows from it anew. Where the whole folder is gone, somebody has
removed it to save space, and results hold by what is left of the chain.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.analysis.file_cache import changed_at, known_digest, known_record
from mtpeft.cells import Cell
from mtpeft.config.corpora import downloads_of, test_sets
from mtpeft.config.corpus_settings import (
    clean_settings,
    parts_settings,
    split_settings,
    user_files,
)
from mtpeft.config.folders import base_file, download_record, pair_folder, split_file
from mtpeft.config.models import origin_of
from mtpeft.config.paths import other_splits, test_set, training_files
from mtpeft.config.schema import Configuration
from mtpeft.config.settings import base_settings

Hashes = Mapping[str, str]
Record = Mapping[str, Any]
NOTHING: Record = {}


def made_from_these(configuration: Configuration, cell: Cell, hashes: Hashes) -> bool:
    """Whether files with these hashes, `inputs` of a cell's record, are what the cell would be trained from now."""
    files = training_files(configuration, cell)
    base = files.pop("base", None)
    labels = [f"_{pair}" for pair in cell.members] if cell.is_group else [""]
    read = all(
        _is(file, hashes.get(f"{name.replace('-', '_')}{label}_sha256"))
        for name, own in files.items()
        for label, file in zip(labels, own, strict=True)
    )
    text = read and all(_text_holds(configuration, pair) for pair in cell.members)
    return text and (base is None or _base_holds(configuration, cell, hashes))


def scored_on_these(configuration: Configuration, pair: str, hashes: Hashes) -> bool:
    """Whether test sets with these hashes, by name, are those that a pair would be scored on now; older records name
    none, and hold while the text does.
    """
    named = {*hashes} in (set(), {*test_sets(configuration, pair)})
    read = named and all(_is(test_set(configuration, pair, name), digest) for name, digest in hashes.items())
    return read and _text_holds(configuration, pair)


def _is(file: str, digest: str | None) -> bool:
    """Whether a file is the one with a hash; a row that trains nothing keeps none."""
    now = known_digest(file)
    return was_removed(file) if now is None else digest in (None, now)


def was_removed(file: str) -> bool:
    """Whether the whole folder of a file is gone, to save space."""
    return not Path(file).parent.is_dir()


def _base_holds(configuration: Configuration, cell: Cell, hashes: Hashes) -> bool:
    file = base_file(configuration, cell.model)
    base = known_record(file)
    if base is None:
        return was_removed(file)
    if base["settings"] != base_settings(configuration, cell.model):
        return False
    if not _origin_holds(configuration, cell.model, base.get("origin", {})):
        return False
    if "base_sha256" in hashes:
        read = hashes["base_sha256"] == known_digest(file)
    else:
        read = all(hashes.get(f"base_{name}_sha256") == digest for name, digest in base["sha256"].items())
    weights = {f"{base['folder']}/{name}": digest for name, digest in base["sha256"].items()}
    return read and files_hold(weights, recorded_at=changed_at(file))


def _origin_holds(configuration: Configuration, model: str, origin: Record) -> bool:
    """Whether a model that extends another was made from that one and from the text as they are now."""
    read = dict(origin.get("texts", {}))
    if "base_sha256" in origin:
        read[base_file(configuration, origin_of(configuration, model))] = origin["base_sha256"]
    return are_as_read(read)


def are_as_read(files: Hashes) -> bool:
    """Whether files are those with these hashes, by path, or were removed to save space."""
    return all(_is(file, digest) for file, digest in files.items())


def files_hold(files: Hashes, *, recorded_at: int) -> bool:
    """Whether a model's files are those recorded. They may have gigabytes, so only newer ones are read."""
    return all(known_digest(file) == digest for file, digest in files.items() if changed_at(file) > recorded_at)


def _text_holds(configuration: Configuration, pair: str) -> bool:
    """Whether the records of a pair's text are of the present configuration and belong together."""
    corpus = configuration.pairs[pair].corpus
    split, folder = split_file(configuration, corpus), pair_folder(configuration, pair)
    wanted = {
        f"{folder}/clean.json": clean_settings(configuration, pair),
        split: split_settings(configuration, corpus),
        f"{folder}/parts.json": parts_settings(configuration, pair),
    }
    records = {file: known_record(file) for file in wanted}
    for file, record in records.items():
        if not (was_removed(file) if record is None else record["settings"] == wanted[file]):
            return False
    clean, _, parts = (record or NOTHING for record in records.values())
    if clean and not _sources_hold(configuration, corpus, pair, clean["inputs"]):
        return False
    return not parts or _divided_from(
        parts["inputs"],
        cleaned=clean.get("sha256"),
        splits=[split, *other_splits(configuration, {"pair": pair})],
    )


def _divided_from(read: Record, *, cleaned: str | None, splits: Sequence[str]) -> bool:
    """Whether a pair was divided from a clean text, where there is one, and by these splits, its own one first."""
    digests = [read["split"], *read["others"]]
    if cleaned not in (None, read["cleaned"]) or len(splits) != len(digests):
        return False
    return all(_is(file, digest) for file, digest in zip(splits, digests, strict=True))


def _sources_hold(configuration: Configuration, corpus: str, pair: str, cleaned: Hashes) -> bool:
    """Whether a pair was cleaned from the wheels, the datasets and the files that the configuration names."""
    digests = [known_digest(file) for file in user_files(configuration, pair)]
    for download in downloads_of(configuration, pair):
        file = download_record(download)
        record = known_record(file)
        if record is None and was_removed(file):
            return True
        if record is None or not _describes(record, download.params):
            return False
        digests.append(record["archive_sha256"])
    return set(cleaned.values()) <= set(digests)


def _describes(record: Record, settings: Record) -> bool:
    """Whether a record is of these settings; that of a wheel does not keep which Python the download asked for."""
    return all(record[key] == value for key, value in settings.items() if key in record)

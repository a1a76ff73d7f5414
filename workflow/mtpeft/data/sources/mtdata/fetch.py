"""Fetch a dataset once: download its files, check their hash, and keep its pairs as a table of two columns."""

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.core import files as records
from mtpeft.core.errors import UserError
from mtpeft.data.sources.mtdata.download import download
from mtpeft.data.sources.mtdata.environment import run_inside
from mtpeft.data.sources.mtdata.ids import parse_id
from mtpeft.data.sources.mtdata.index import Dataset, find_dataset

DOWNLOADS = "downloads"
URL_DIGITS = 16


def fetch_dataset(params: Mapping[str, Any], *, environment: Path, archive: Path, record: Path) -> None:
    """Write the sentence pairs of a dataset under a header of the two languages, as its id has them.

    Downloaded files lie in a folder beside the table, since several datasets share them; they may be deleted. The hash
    of a dataset of two files is that of one after the other.

    Args:
        params: `id` of the dataset, `mtdata`, its version, and `sha256` where it is stated.
        environment: record of the installation of mtdata, in the folder of its environment.
        archive: where the table goes, compressed.
        record: where the record goes, with all hashes.

    Raises:
        UserError: there is no such dataset, its files do not come or have another hash, or they can't be read.
    """
    installed = environment.parent
    dataset = find_dataset(installed, params["id"])
    folder = archive.parent
    files = [_place(folder / DOWNLOADS, url, name) for url, name in dataset.files]
    for (url, _), file in zip(dataset.files, files, strict=True):
        download(url, file)
    digest = _hash(files)
    _check_hash(params, digest, files)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{archive.name}.") as temporary:
        pairs = Path(temporary) / "pairs.tsv.gz"
        counts = _read(params, dataset, files, environment=installed, output=pairs)
        os.replace(pairs, archive)
    described = {
        "dataset": dataset.id,
        "files": [
            {"url": url, "sha256": records.sha256_of(file), "bytes": file.stat().st_size}
            for (url, _), file in zip(dataset.files, files, strict=True)
        ],
        "archive_sha256": records.sha256_of(archive),
    }
    records.write_record(record, {**params, "sha256": digest, **described, **counts})


def _place(folder: Path, url: str, name: str) -> Path:
    """Choose the path of a file, which keeps its name, since mtdata knows its format by that."""
    return folder / hashlib.sha256(url.encode("utf-8")).hexdigest()[:URL_DIGITS] / name


def _hash(files: Sequence[Path]) -> str:
    """Compute the SHA-256 of files one after the other."""
    if len(files) == 1:
        return records.sha256_of(files[0])
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def _check_hash(params: Mapping[str, Any], digest: str, files: Sequence[Path]) -> None:
    if params.get("sha256", digest) != digest:
        _drop(files)
        raise UserError(
            f"The files of '{params['id']}' have the SHA-256 {digest}, but corpora.*.mtdata.sha256 says "
            f"{params['sha256']}: run again, which downloads them anew, or write the hash of what you trust."
        )


def _read(
    params: Mapping[str, Any], dataset: Dataset, files: Sequence[Path], *, environment: Path, output: Path
) -> dict[str, Any]:
    request = {
        "id": dataset.id,
        "files": [str(file.resolve()) for file in files],
        "header": parse_id(params["id"])[1],
        "swapped": dataset.swapped,
        "output": str(output.resolve()),
    }
    answer = run_inside(environment, "read", request)
    named = " and ".join(map(str, files))
    if answer.get("damaged"):
        _drop(files)
        raise UserError(
            f"The download of '{params['id']}' is not whole ({answer['failure']}): run again, which downloads "
            f"{named} anew, or write another id in corpora.*.mtdata if that happens again."
        )
    if "failure" in answer:
        raise UserError(
            f"mtdata can't read '{params['id']}' from {named} ({answer['failure']}): the files are not what its "
            "index says, so write another id in corpora.*.mtdata."
        )
    if not answer["lines"]:
        raise UserError(f"The dataset '{params['id']}' has no pair of sentences: write another id in corpora.*.mtdata.")
    return answer


def _drop(files: Sequence[Path]) -> None:
    for file in files:
        file.unlink()

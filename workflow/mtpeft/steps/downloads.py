"""Paths and params of the files that steps download before the text of pairs is cleaned."""

from typing import TYPE_CHECKING

from mtpeft.cells import digest_of, name_of
from mtpeft.config import corpora
from mtpeft.steps.step import Params

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration
    from mtpeft.data.sources.base import Download


def download_file(download: "Download") -> str:
    """Path of a file to download."""
    return f"{download.folder}/{download_name(download)}{download.ending}"


def download_name(download: "Download") -> str:
    """Label of a file to download with the digest of its params; a hash that is stated checks it and names no other."""
    return name_of(download.label, digest_of(download.params))


def download_record(download: "Download") -> str:
    """Path of the record of a file to download."""
    return f"{download.folder}/{download_name(download)}.json"


def download_params(configuration: "Configuration", folder: str, label: str) -> Params:
    """Params of the step that downloads a file, with its hash where the configuration states it."""
    download = corpora.all_downloads(configuration)[folder, label]
    return {**download.params, **({"sha256": download.hashes[0]} if download.hashes else {})}

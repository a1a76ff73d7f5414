"""Fetch a base model from a model hub: one revision, once, checked, and never asked for again."""

import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpeft.errors import UserError
from mtpeft.models.convert import convert_pickled
from mtpeft.models.local import check_folder, record_folder
from mtpeft.records import sha256_of

FOLDER = "hub"
"""Folder beside a model's `base.json`, into which its files are fetched."""
TOKENIZER_FILES = ("*token*.json", "vocab*.json", "merges.txt", "*.model", "*.spm")
CONFIGURATION_FILES = ("config.json", "generation_config.json")
SAFETENSORS = ("model*.safetensors", "model.safetensors.index.json")
PICKLED = ("pytorch_model*.bin", "pytorch_model.bin.index.json")
WEIGHTS = (*SAFETENSORS, *PICKLED)


@dataclass(frozen=True)
class Wanted:
    """A file of a repository: its name, its size in bytes and, where the hub tells it, the SHA-256 of its content."""

    name: str
    size: int | None
    sha256: str | None


def fetch_model(settings: Mapping[str, Any], *, record: Path) -> None:
    """Write `hub/` beside the record with the files of one revision, and the record.

    Files that were fetched before are not fetched again; one that breaks off goes on where it stopped. Where there are
    no safetensors, the pickled weights are converted, and deleted afterwards.

    Args:
        settings: `hub`, as `owner/name@revision`.
        record: `base.json` of the model, in the folder named as it.

    Raises:
        UserError: the hub, the repository or the revision is not there or not as announced, the connection failed, or
            there is no model of a supported family.
    """
    key = f"models.{record.parent.name}.hub"
    repository, revision = settings["hub"].rsplit("@", 1)
    folder = record.parent / FOLDER
    with hub_failures(key, repository, revision):
        commit, wanted = list_files(repository, revision)
        if not any(matching([file.name], WEIGHTS) for file in wanted):
            raise UserError(f"'{key}' is '{settings['hub']}', but that revision holds no weights; name another.")
        _fetch(wanted, repository, commit, folder=folder)
    for file in wanted:
        _check(file, folder, key=key)
    check_folder(folder, key=key)
    origin = {"commit": commit, "converted_from": convert_pickled(folder, key=key)}
    record_folder(settings, folder, key=key, record=record, origin=origin)


def list_files(repository: str, revision: str) -> tuple[str, list[Wanted]]:
    """The commit that a revision stands for, and those of its files that are needed: safetensors before pickles."""
    from huggingface_hub import HfApi

    found = HfApi().model_info(repository, revision=revision, files_metadata=True)
    files = {x.rfilename: Wanted(x.rfilename, x.size, x.lfs.sha256 if x.lfs else None) for x in found.siblings}
    weights = matching(files, SAFETENSORS) or matching(files, PICKLED)
    return found.sha, [files[name] for name in (*matching(files, CONFIGURATION_FILES + TOKENIZER_FILES), *weights)]


def matching(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Names of the top folder that fit one of the patterns, sorted."""
    top = sorted(name for name in names if "/" not in name)
    return [name for name in top if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]


def _fetch(wanted: Sequence[Wanted], repository: str, commit: str, *, folder: Path) -> None:
    from huggingface_hub import hf_hub_download

    for file in wanted:
        hf_hub_download(repository, file.name, revision=commit, local_dir=folder)


def _check(wanted: Wanted, folder: Path, *, key: str) -> None:
    """Refuse a file that is not what the hub has said it is, and delete it.

    Raises:
        UserError: another size or another hash.
    """
    file = folder / wanted.name
    size = file.stat().st_size
    if wanted.size is not None and size != wanted.size:
        file.unlink()
        raise UserError(f"'{key}': {wanted.name} came with {size} bytes and not {wanted.size}; fetch it again.")
    if wanted.sha256 is not None and (found := sha256_of(file)) != wanted.sha256:
        file.unlink()
        raise UserError(
            f"'{key}': {wanted.name} came with the SHA-256 {found} and not {wanted.sha256}; fetch it again."
        )


@contextmanager
def hub_failures(key: str, repository: str, revision: str) -> Iterator[None]:
    """Turn what a hub can answer into a sentence.

    Raises:
        UserError: the repository or the revision is unknown or not for everybody, the hub was not reached, or the
            connection broke too often.
    """
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise UserError(
            f"'{key}' names {repository}, whose owners want to be asked: accept their terms on its page, and put your "
            "token in the environment variable HF_TOKEN."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise UserError(f"'{key}' names {repository}, which the hub does not have; write 'owner/name'.") from error
    except errors.RevisionNotFoundError as error:
        raise UserError(
            f"'{key}' names the revision '{revision}', which {repository} does not have; write a commit or a tag of it."
        ) from error
    except errors.OfflineModeIsEnabled as error:
        raise UserError(
            f"'{key}' must be fetched once, but the environment says to stay offline; unset HF_HUB_OFFLINE for that, "
            "or name a folder in 'path'."
        ) from error
    except (errors.LocalEntryNotFoundError, errors.HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        raise UserError(
            f"'{key}' could not be fetched ({_first_line(error)}); what came is kept, so run again when it can be."
        ) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)

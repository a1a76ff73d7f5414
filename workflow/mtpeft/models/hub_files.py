"""Fetch files of one revision of a repository of a model hub: once, checked, going on where a break left off."""

import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mtpeft.core.errors import UserError
from mtpeft.core.files import sha256_of

HUB_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.[A-Za-z0-9_-])*"
HUB_MODEL = rf"^{HUB_NAME}/{HUB_NAME}@[0-9a-f]{{7,40}}$"
"""A model of the hub and its revision: owner/name@commit."""
TOKENIZER_FILES = ("*token*.json", "vocab*.json", "merges.txt", "*.model", "*.spm")


@dataclass(frozen=True)
class Wanted:
    """A file of a repository: its name, its size in bytes and, where the hub tells it, the SHA-256 of its content."""

    name: str
    size: int | None
    sha256: str | None


def fetch_files(hub: str, choose: Callable[[Sequence[str]], Sequence[str]], folder: Path, *, key: str) -> str:
    """Have some files of a repository in a folder; those that were fetched before are not fetched again.

    Args:
        hub: `owner/name@revision`.
        choose: from the names of all files to those that are wanted; it may raise a UserError.
        folder: where they go, under their names.
        key: of the configuration, for sentences about it.

    Returns:
        The commit that the revision stands for.

    Raises:
        UserError: the hub, the repository or the revision is not there, a file is not as announced, or the connection
            failed.
    """
    from huggingface_hub import hf_hub_download

    repository, revision = hub.rsplit("@", 1)
    with _failures(key, repository, revision):
        commit, files = _list_files(repository, revision)
        if not commit.startswith(revision):
            raise UserError(
                f"'{key}' names the revision '{revision}', which is a branch or a tag of {repository} and moves; write "
                f"the commit that it is at now: '{repository}@{commit}'."
            )
        wanted = [files[name] for name in choose(list(files))]
        for file in wanted:
            hf_hub_download(repository, file.name, revision=commit, local_dir=folder)
    for file in wanted:
        _check(file, folder, key=key)
    return commit


def matching(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Names of the top folder that fit one of the patterns, sorted."""
    top = sorted(name for name in names if "/" not in name)
    return [name for name in top if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]


def _list_files(repository: str, revision: str) -> tuple[str, Mapping[str, Wanted]]:
    """The commit that a revision stands for, and its files by name."""
    from huggingface_hub import HfApi

    found = HfApi().model_info(repository, revision=revision, files_metadata=True)
    return found.sha, {
        file.rfilename: Wanted(file.rfilename, file.size, file.lfs.sha256 if file.lfs else None)
        for file in found.siblings
    }


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
def _failures(key: str, repository: str, revision: str) -> Iterator[None]:
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
            f"'{key}' names the revision '{revision}', which {repository} does not have; write a commit of it."
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

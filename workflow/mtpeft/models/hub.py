"""Fetch a base model from a model hub: one revision, once, checked, and never asked for again."""

import fnmatch
import pickle
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mtpeft.cells import label_of
from mtpeft.core.errors import UserError
from mtpeft.core.files import sha256_of
from mtpeft.models.derived.published import HUB
from mtpeft.models.families import family_in
from mtpeft.models.local import check_folder, record_folder
from mtpeft.models.tokenizer import TOKENIZER_FILES
from mtpeft.models.weights import LOGITS_BIAS, refuse_other_tensors

CONFIGURATION_FILES = ("config.json", "generation_config.json")
SAFETENSORS = ("model*.safetensors", "model.safetensors.index.json")
PICKLED = ("pytorch_model*.bin", "pytorch_model.bin.index.json")
PICKLED_WEIGHTS = "pytorch_model*.bin"


@dataclass(frozen=True)
class Wanted:
    """A file of a repository: its name, its size in bytes and, where the hub tells it, the SHA-256 of its content."""

    name: str
    size: int | None
    sha256: str | None


def fetch_model(params: Mapping[str, Any], *, record: Path) -> None:
    """Write `hub/` beside the record with the files of one revision, and the record.

    Files that were fetched before are not fetched again; one that breaks off goes on where it stopped. Where there are
    no safetensors, the pickled weights are converted, and deleted afterwards.

    Args:
        params: `hub`, as `owner/name@revision`.
        record: `base.json`, in the folder named as the model.

    Raises:
        UserError: the hub, the repository or the revision is not there or not as announced, the connection failed, or
            there is no model of a supported family.
    """
    key = f"models.{label_of(record.parent.name)}.hub"
    folder = record.parent / HUB.folder
    commit = fetch_files(params["hub"], partial(_files_of, key=key, hub=params["hub"]), folder, key=key)
    check_folder(folder, key=key)
    origin = {"commit": commit, "converted_from": convert_pickled(folder, key=key)}
    record_folder(params, folder, key=key, record=record, origin=origin)


def _files_of(names: Sequence[str], *, key: str, hub: str) -> list[str]:
    """Return the configuration, tokenizer and weights of a model among all files, safetensors before pickles.

    Raises:
        UserError: there are no weights.
    """
    weights = matching(names, SAFETENSORS) or matching(names, PICKLED)
    if not weights:
        raise UserError(f"'{key}' is '{hub}', but that revision holds no weights; name another.")
    return [*matching(names, CONFIGURATION_FILES + TOKENIZER_FILES), *weights]


def fetch_files(hub: str, choose: Callable[[Sequence[str]], Sequence[str]], folder: Path, *, key: str) -> str:
    """Fetch some files of a repository into a folder; those that were fetched before are not fetched again.

    Args:
        hub: `owner/name@revision`.
        choose: gives the names of the wanted files among those of all; it may raise a UserError.
        folder: where they go, under their names.
        key: of the configuration, for messages.

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
    """Return the names of files in the top folder that match one of the patterns, sorted."""
    top = sorted(name for name in names if "/" not in name)
    return [name for name in top if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]


def _list_files(repository: str, revision: str) -> tuple[str, Mapping[str, Wanted]]:
    """Return the commit that a revision stands for, and its files by name."""
    from huggingface_hub import HfApi

    found = HfApi().model_info(repository, revision=revision, files_metadata=True)
    return found.sha, {
        file.rfilename: Wanted(file.rfilename, file.size, file.lfs.sha256 if file.lfs else None)
        for file in found.siblings
    }


def _check(wanted: Wanted, folder: Path, *, key: str) -> None:
    """Refuse and delete a file that is not the one that the hub has announced.

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
    """Turn the failures of a hub into messages.

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


def convert_pickled(folder: Path, *, key: str) -> dict[str, str]:
    """Replace pickled weights of a model's folder by safetensors; returns the SHA-256 of each file that is gone.

    Raises:
        UserError: the pickle holds more than tensors, or not those of the model; names `key`.
    """
    pickled = sorted(folder.glob(PICKLED_WEIGHTS))
    if not pickled or any(folder.glob("*.safetensors")):
        return {}
    hashes = {file.name: sha256_of(file) for file in pickled}
    temporary = folder.with_name(f".{folder.name}.converted")
    shutil.rmtree(temporary, ignore_errors=True)
    _convert(folder, temporary, key=key)
    for file in sorted(temporary.glob("model*")):
        file.rename(folder / file.name)
    shutil.rmtree(temporary)
    for file in (*pickled, folder / "pytorch_model.bin.index.json"):
        file.unlink(missing_ok=True)
    return hashes


def _convert(folder: Path, to: Path, *, key: str) -> None:
    task = family_in(folder).task
    try:
        model, report = task.auto_model().from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=False,
            weights_only=True,
            dtype="auto",
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise UserError(
            f"'{key}': {PICKLED_WEIGHTS} in {folder} holds more than tensors, or is cut short, so it is not read "
            f"({str(error).splitlines()[0]}); name a model with safetensors."
        ) from error
    # Some checkpoints of families without this bias hold one that is zero.
    strange = {name for name in report["unexpected_keys"] if not name.endswith(LOGITS_BIAS)}
    refuse_other_tensors(model, {**report, "unexpected_keys": strange}, folder=folder, heads={})
    model.save_pretrained(to)

"""Upload an exported folder to a model hub."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtpeft.core.errors import UserError


def upload(folder: Path, repository: str, *, is_private: bool) -> str:
    """Upload a folder as one commit, into a repository that is made if it is not there.

    The client of the hub reads the token, in the environment variable HF_TOKEN or of `hf auth login`.

    Args:
        folder: as `export --as hub` has written it.
        repository: `owner/name`.
        is_private: a repository that is made is for its owner alone.

    Returns:
        Address of the commit.

    Raises:
        UserError: the folder holds no exported model, or the hub refuses or can't be reached.
    """
    from huggingface_hub import HfApi, constants

    if not (folder / constants.REPOCARD_NAME).is_file() or not any(folder.rglob("*.safetensors")):
        raise UserError(f"{folder} holds no exported model; write it with `export --as hub`.")

    with _failures(repository):
        api = HfApi()
        api.create_repo(repository, private=is_private, exist_ok=True)
        done = api.upload_folder(repo_id=repository, folder_path=folder, commit_message=f"Upload {folder.name}")
    return done.commit_url


@contextmanager
def _failures(repository: str) -> Iterator[None]:
    """Turn the failures of a hub into messages.

    Raises:
        UserError: there is no token, the hub refuses it, the environment says to stay offline, or the hub failed.
    """
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except errors.LocalTokenNotFoundError as error:
        raise UserError(
            "The hub wants to know who uploads; put your token in the environment variable HF_TOKEN."
        ) from error
    except errors.OfflineModeIsEnabled as error:
        raise UserError("The environment says to stay offline; unset HF_HUB_OFFLINE to upload.") from error
    except errors.HFValidationError as error:
        raise UserError(f"'{repository}' is no name of a repository; write 'owner/name'.") from error
    except errors.HfHubHTTPError as error:
        if error.response is not None and error.response.status_code in (401, 403):
            raise UserError(
                f"The hub does not let you write to {repository}; put a token that may write there in the environment "
                "variable HF_TOKEN."
            ) from error
        raise UserError(f"{repository} could not be uploaded ({str(error).splitlines()[0]}).") from error
    except (httpx2.HTTPError, OSError) as error:
        raise UserError(
            f"{repository} could not be uploaded ({error}); try again when the hub can be reached."
        ) from error

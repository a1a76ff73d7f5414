"""Whether the tokenizer in a model's folder can be opened, is whole, and belongs to the model beside it."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.errors import UserError
from mtpeft.models.config_check import wrong_tokens
from mtpeft.models.families import family_in
from mtpeft.models.hub_files import TOKENIZER_FILES
from mtpeft.models.json_files import read_json_object
from mtpeft.models.shapes import NEW_ENTRIES
from mtpeft.tokens.codec import load_tokenizer, names_in

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

GENERATION = "generation_config.json"
SPARE_ROWS, SPARE_SHARE = 1024, 0.1
"""Rows of the embeddings that no token may stand for: published models have some, to fill up a round number."""
NOT_NEEDED = ("tokenizer_file", "tokenizer_config_file", "target_vocab_file")
"""Files that a class of tokenizer may have and does without."""


def check_vocabulary(folder: Path, config: Mapping[str, Any], *, key: str) -> None:
    """Refuse a tokenizer that is broken or is not that of the model, by its config.json, in the same folder.

    Raises:
        UserError: a file is missing or broken, the embeddings have fewer rows than the tokenizer has tokens, or many
            more, or the two don't mean the same tokens by padding and the end of a sentence.
    """
    for file in _json_files(folder):
        read_json_object(file)
    _refuse_empty_files(folder)
    _check_generation(folder, config)
    tokenizer = _opened(folder)
    _require_files(tokenizer, folder, key=key)
    _compare_sizes(tokenizer, folder, config)
    for name in ("pad", "eos"):
        _compare_token(tokenizer, name, folder, config)


def check_start(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a model of which nobody knows what its decoder begins with.

    Raises:
        UserError: the family's decoder begins with a token that no file names.
    """
    family, start = family_in(folder), start_token(folder, config)
    if start is None and None in family.begin(start, 0):  # type: ignore[arg-type]
        raise UserError(
            f"{folder / 'config.json'} has no 'decoder_start_token_id', so that nobody knows what decoding begins "
            f"with; write the number of the token, as the config.json of a published {family.title} model has it."
        )


def start_token(folder: Path, config: Mapping[str, Any]) -> int | None:
    """The token that decoding begins with by a folder's files, of which either may say it."""
    start = config.get("decoder_start_token_id")
    if start is None and (folder / GENERATION).is_file():
        return read_json_object(folder / GENERATION).get("decoder_start_token_id")
    return start


def tokenizer_files(folder: Path) -> list[Path]:
    """Files of a folder that its tokenizer is made of, sorted."""
    return sorted({file for pattern in TOKENIZER_FILES for file in folder.glob(pattern) if file.is_file()})


def _json_files(folder: Path) -> list[Path]:
    return [file for file in tokenizer_files(folder) if file.suffix == ".json"]


def _refuse_empty_files(folder: Path) -> None:
    """Refuse an empty file of a vocabulary, which the library takes for a vocabulary of no pieces."""
    for file in sorted(folder.iterdir()):
        if file.suffix in (".model", ".spm") and file.is_file() and not file.stat().st_size:
            raise UserError(f"{file} is empty; copy it from the checkpoint again.")


def _check_generation(folder: Path, config: Mapping[str, Any]) -> None:
    file = folder / GENERATION
    if not file.is_file():
        return
    given = read_json_object(file)
    several = {name: ids for name, ids in given.items() if isinstance(ids, list)}  # the ends of a sentence may be many
    for told in wrong_tokens({name: ids for name, ids in given.items() if name not in several}, config["vocab_size"]):
        raise UserError(f"{file}: {told}.")


def _opened(folder: Path) -> "PreTrainedTokenizerBase":
    try:
        return load_tokenizer(folder)
    except (KeyboardInterrupt, SystemExit, UserError):
        raise
    except BaseException as error:  # a tokenizer of the library in Rust ends in an exception that is none of Exception
        first = next(iter(str(error).splitlines()), "")
        raise UserError(
            f"The tokenizer in {folder} can't be opened ({type(error).__name__}: {first}); copy all its files again."
        ) from error


def _require_files(tokenizer: "PreTrainedTokenizerBase", folder: Path, *, key: str) -> None:
    """Refuse a folder without the vocabulary, in whose place the library puts an empty one.

    Raises:
        UserError: names the files that the class of the tokenizer reads.
    """
    files = dict(type(tokenizer).vocab_files_names)
    whole = files.get("tokenizer_file")
    if whole and (folder / whole).is_file():
        return
    missing = [name for kind, name in files.items() if kind not in NOT_NEEDED and not (folder / name).is_file()]
    if missing:
        either = f", or {whole}" if whole else ""
        raise UserError(
            f"'{key}' is '{folder}', but its tokenizer lacks {' and '.join(missing)}{either}; copy that too."
        )


def _compare_sizes(tokenizer: "PreTrainedTokenizerBase", folder: Path, config: Mapping[str, Any]) -> None:
    rows, file = config["vocab_size"] - config.get(NEW_ENTRIES, 0), folder / "config.json"
    last = max(_tokens(tokenizer, folder))
    if last >= rows:
        token = tokenizer.convert_ids_to_tokens(last)
        raise UserError(
            f"The tokenizer in {folder} has the token '{token}' with the number {last}, but by 'vocab_size' in "
            f"{file} the embeddings have {rows} rows; put the model's own tokenizer there, or resize them to it "
            "(`resize_token_embeddings`) and save both. 'extend' adds tokens to a model in one step."
        )
    spare = rows - last - 1
    if spare > max(SPARE_ROWS, SPARE_SHARE * rows):
        raise UserError(
            f"The tokenizer in {folder} has {last + 1} tokens, but by 'vocab_size' in {file} the embeddings have "
            f"{rows} rows; put the model's own tokenizer there, or cut the embeddings to it."
        )


def _tokens(tokenizer: "PreTrainedTokenizerBase", folder: Path) -> Iterator[int]:
    """Numbers of all tokens; M2M-100's languages are not in its tokenizer's own list."""
    yield from tokenizer.get_vocab().values()
    family = family_in(folder)
    if family.token:
        named = tokenizer.convert_tokens_to_ids([family.token(name) for name in names_in(family, tokenizer) or ()])
        yield from _known(named)


def _known(tokens: Iterable[int | None]) -> Iterator[int]:
    return (token for token in tokens if token is not None)


def _compare_token(tokenizer: "PreTrainedTokenizerBase", name: str, folder: Path, config: Mapping[str, Any]) -> None:
    file, key = folder / "config.json", f"{name}_token_id"
    own = getattr(tokenizer, key)
    given = config.get(key)
    if own is None or given is None:
        where, lacks = (file, f"'{key}'") if given is None else (folder / "tokenizer_config.json", f"'{name}_token'")
        raise UserError(f"{where} has no {lacks}, which both the model and its tokenizer need; write it.")
    if own != given:
        raise UserError(
            f"{file} says that '{key}' is {given}, but the tokenizer beside it has {own} for that, which is "
            f"'{tokenizer.convert_ids_to_tokens(own)}'; put the two files of one model there."
        )

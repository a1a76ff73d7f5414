"""Take in a Hugging Face folder as a base model: check its config, tokenizer and weights, and record its hashes."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.cells import label_of
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_json_object, sha256_of, write_record
from mtpeft.core.provenance import versions
from mtpeft.core.records import ModelRecord
from mtpeft.models.architecture import ModelShape
from mtpeft.models.config_json import exposure_recorded, read_config, read_folder_shape, wrong_tokens
from mtpeft.models.families import family_in, read_json
from mtpeft.models.families.vocabulary import added_entries
from mtpeft.models.special_tokens import ends_by
from mtpeft.models.tokenizer import (
    TOKENIZER_FILES,
    load_tokenizer,
    names_in,
    open_tokenizer,
    prompt_keys,
    read_extension,
)
from mtpeft.models.weights import check_numbers, check_weights, weight_files

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

GENERATION = "generation_config.json"
SPARE_ROWS, SPARE_SHARE = 1024, 0.1
"""Rows of the embeddings that no token may stand for: published models have some, to fill up a round number."""
NOT_NEEDED = ("tokenizer_file", "tokenizer_config_file", "target_vocab_file")
"""Files that a class of tokenizer may have and does without."""
WORDS = ("es", "en")
"""Two languages for a family that names them in words."""


def take_in_folder(params: Mapping[str, Any], *, record: Path) -> None:
    """Write the `base.json` of a folder that stays where it is.

    Raises:
        UserError: a file is missing or broken, two of them contradict each other, or the architecture is not supported.
    """
    record_folder(params, Path(params["path"]), key=f"models.{label_of(record.parent.name)}.path", record=record)


def record_folder(
    params: Mapping[str, Any],
    folder: Path,
    *,
    key: str,
    record: Path,
    origin: Mapping[str, Any] | None = None,
    exposure: str | None = None,
) -> None:
    """Write the `base.json` of a folder with a whole model.

    Args:
        params: of the step that takes the model in.
        folder: of the model.
        key: of the configuration, for messages.
        record: `base.json`, in the folder named as the model.
        origin: where the files come from, if they were fetched or made from others.
        exposure: what is known of the model's exposure to test sets, where the folder does not say it.

    Raises:
        UserError: a file is missing or broken, two of them contradict each other, the family is not supported, or the
            tokenizer is not as the family has it.
    """
    shape = check_folder(folder, key=key)
    weights = weight_files(folder, key=key)
    check_weights(folder, read_config(folder, key=key), key=key, shape=shape)
    check_numbers(weights)
    check_tokenizer(folder, key=key, model=label_of(record.parent.name), **prompt_keys(params))
    content = ModelRecord(
        model=label_of(record.parent.name),
        folder=str(folder),
        params=dict(params),
        execution={},
        versions=versions(),
        total_parameters=shape.total,
        sha256={file.name: sha256_of(file) for file in (*weights, folder / "config.json", *tokenizer_files(folder))},
        training={},
        origin=dict(origin or {}),
        exposure=exposure or exposure_recorded(folder),
    )
    write_record(record, content.model_dump())


def check_folder(folder: Path, *, key: str) -> ModelShape:
    """Check the config.json and the tokenizer of a model's folder; returns the shape of the model.

    Raises:
        UserError: a file is missing or broken, two of them contradict each other, or the family is not supported; the
            message names `key`.
    """
    shape = read_folder_shape(folder, key=key)
    if not (folder / "tokenizer_config.json").exists():
        raise UserError(f"'{key}' is '{folder}', but that folder has no tokenizer; save the model's tokenizer in it.")
    family_in(folder)
    config = _with_defaults(folder, read_config(folder, key=key))
    check_start(folder, config)
    check_vocabulary(folder, config, key=key)
    return shape


def _with_defaults(folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a config.json with those that its class fills in.

    Raises:
        UserError: the class refuses them.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.for_model(**config).to_dict()
    except Exception as error:  # whatever the class makes of a user's values
        first = next(iter(str(error).splitlines()), "")
        raise UserError(
            f"{folder / 'config.json'} is refused by its class ({first}); copy it from the checkpoint again."
        ) from error


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
    if family_in(folder).task.is_prompted:
        _require_an_end(tokenizer, folder)
        return
    for name in ("pad", "eos"):
        _compare_token(tokenizer, name, folder, config)


def check_start(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a model whose decoder begins with an unknown token.

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
    """Return the token that decoding begins with, which either of two files may say."""
    start = config.get("decoder_start_token_id")
    if start is None and (folder / GENERATION).is_file():
        return read_json_object(folder / GENERATION).get("decoder_start_token_id")
    return start


def tokenizer_files(folder: Path) -> list[Path]:
    """Return the files of a folder that its tokenizer is made of, sorted."""
    return sorted({file for pattern in TOKENIZER_FILES for file in folder.glob(pattern) if file.is_file()})


def _json_files(folder: Path) -> list[Path]:
    return [file for file in tokenizer_files(folder) if file.suffix == ".json"]


def _refuse_empty_files(folder: Path) -> None:
    """Refuse an empty file of a vocabulary, which the library takes for a vocabulary without pieces."""
    for file in sorted(folder.iterdir()):
        if file.suffix in (".model", ".spm") and file.is_file() and not file.stat().st_size:
            raise UserError(f"{file} is empty; copy it from the checkpoint again.")


def _check_generation(folder: Path, config: Mapping[str, Any]) -> None:
    file = folder / GENERATION
    if not file.is_file():
        return
    given = read_json_object(file)
    several = {name: ids for name, ids in given.items() if isinstance(ids, list)}  # the ends of a sentence may be many
    for mistake in wrong_tokens(
        {name: ids for name, ids in given.items() if name not in several}, config["vocab_size"]
    ):
        raise UserError(f"{file}: {mistake}.")


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
    beside = read_extension(folder)
    rows, file = config["vocab_size"] - len(beside.languages) - len(beside.pieces), folder / "config.json"
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
    """Yield the numbers of all tokens; M2M-100's languages are not in its tokenizer's own list."""
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


def _require_an_end(tokenizer: "PreTrainedTokenizerBase", folder: Path) -> None:
    """Refuse a causal model whose hypotheses nothing ends; padding needs no token, since it is masked.

    Raises:
        UserError: neither the tokenizer nor a file of the model names a token that ends a hypothesis.
    """
    if tokenizer.eos_token_id is None and not ends_by(folder):
        raise UserError(
            f"Neither {folder / 'tokenizer_config.json'} nor {folder / GENERATION} names an end of a text; write "
            "'eos_token' in the first, or 'eos_token_id' in the second."
        )


def check_tokenizer(folder: Path, *, key: str, model: str, **keys: Any) -> None:
    """Check that the tokenizer in a model's folder can be opened and set to two of its languages.

    Args:
        folder: of the model.
        key: of the configuration, for messages about the folder.
        model: label of the model.
        keys: `prompt` and `chat_template`, where the configuration has them.

    Raises:
        UserError: it can't be opened, has none of its family's languages, or does not put around a sentence what its
            family has there; or there is a prompt beside tokens of languages.
    """
    family = family_in(folder)
    added_entries(folder)  # the small files are read here first, since this names the one that is broken
    try:
        tokenizer = load_tokenizer(folder)
    except Exception as error:  # what transformers raises for files that it can't read is of many kinds
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(
            f"'{key}' is '{folder}', whose tokenizer transformers can't open as one of {family.title} ({reason}); save "
            "the tokenizer of the model in that folder again."
        ) from error
    check = family.wrong_tokenizer
    if check and (mistake := check(read_json(folder / "config.json"), len(tokenizer))):
        raise UserError(f"'{key}' is '{folder}', whose tokenizer {mistake}.")
    names = names_in(family, tokenizer)
    tokens = {tag: tokenizer.convert_tokens_to_ids((family.token or str)(name)) for name, tag in (names or {}).items()}
    known = [tag for tag, token in tokens.items() if token not in (None, tokenizer.unk_token_id)]
    if names is not None and not known:
        raise UserError(
            f"'{key}' is '{folder}', whose tokenizer has no token for any language of {family.title}, such as "
            f"{(family.token or str)(next(iter(names)))}; save the tokenizer that the model was trained with there."
        )
    source, target = (known[0], known[-1]) if known else WORDS
    open_tokenizer(folder, {"source": source, "target": target}, vocabulary=model, **keys)

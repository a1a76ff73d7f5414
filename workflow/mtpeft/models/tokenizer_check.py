"""What a tokenizer must do before a model with it is taken in: open, and frame sentences as its family does."""

from pathlib import Path

from mtpeft.errors import UserError
from mtpeft.models.families import family_in, read_json
from mtpeft.models.families.mbart import MBART25, MBART25_CODES, MBART50, MBART50_CODES
from mtpeft.models.families.vocabulary import added_entries
from mtpeft.tokens.codec import load_tokenizer, names_in, open_codec

WORDS = ("es", "en")
"""Two languages for a family that names them in words."""


def check_tokenizer(folder: Path, *, key: str, model: str, prompt: str | None = None) -> None:
    """Open the tokenizer in a model's folder, set to two of its languages.

    Args:
        folder: of the model.
        key: of the configuration, for sentences about the folder.
        model: label of the model.
        prompt: text before every source sentence, if the configuration has one.

    Raises:
        UserError: it can't be opened, has none of its family's languages, or does not put around a sentence what its
            family has there; or there is a prompt beside tokens of languages.
    """
    family = family_in(folder)
    added_entries(folder)  # the small files are read here first, since this names the one that is broken
    try:
        tokenizer = load_tokenizer(folder)
    except Exception as error:  # what transformers raises for files that it can't read is of many kinds
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(
            f"'{key}' is '{folder}', whose tokenizer transformers can't open as one of {family.title} ({said}); save "
            "the tokenizer of the model in that folder again."
        ) from error
    spare = read_json(folder / "config.json").get("vocab_size", 0) - len(tokenizer)
    if family is MBART25 and spare >= len(MBART50_CODES) - len(MBART25_CODES):
        raise UserError(
            f"'{key}' is '{folder}', whose tokenizer is named as mBART's ('{family.tokenizers[0]}'), but the model has "
            f'{spare} more entries, as mBART-50 has; write "tokenizer_class": "{MBART50.tokenizers[0]}" in its '
            "tokenizer_config.json, and put the tokenizer of that model beside it."
        )
    names = names_in(family, tokenizer)
    tokens = {tag: tokenizer.convert_tokens_to_ids((family.token or str)(name)) for name, tag in (names or {}).items()}
    known = [tag for tag, token in tokens.items() if token not in (None, tokenizer.unk_token_id)]
    if names is not None and not known:
        raise UserError(
            f"'{key}' is '{folder}', whose tokenizer has no token for any language of {family.title}, such as "
            f"{(family.token or str)(next(iter(names)))}; save the tokenizer that the model was trained with there."
        )
    source, target = (known[0], known[-1]) if known else WORDS
    open_codec(folder, {"source": source, "target": target}, vocabulary=model, prompt=prompt)

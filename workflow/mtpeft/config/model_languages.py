"""Languages for which base models have names: the tokens of their vocabularies, and prompts of those that have none."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.config.model_origins import origin_of
from mtpeft.config.model_shapes import model_folder, pretrain_languages
from mtpeft.config.pairs import pair_languages
from mtpeft.config.start_from import pairs_before
from mtpeft.core.errors import UserError
from mtpeft.core.files import found_path
from mtpeft.core.languages import match
from mtpeft.models.families import names_by_files
from mtpeft.models.families.mbart import MBART50_CODES, language_code
from mtpeft.models.families.prompts import check_prompt

if TYPE_CHECKING:
    from mtpeft.config.models import Model
    from mtpeft.config.schema import Configuration
    from mtpeft.config.studies import Study


def prompt_mistakes(key: str, model: "Model") -> Iterator[str]:
    """Find a prompt with an unknown name in braces, and a prompt for a model that has tokens for languages.

    A model of a hub is checked when it has been fetched.
    """
    try:
        check_prompt(str(model.prompt), key=f"{key}.prompt")
    except UserError as error:
        yield str(error)
    folder = found_path(model.path) if model.path else None
    if model.pretrain or (folder and (folder / "tokenizer_config.json").is_file() and names_by_files(folder)):
        yield (
            f"'{key}.prompt' is for models that are told the languages in words, but the vocabulary of this one has "
            "tokens for them; take the key out."
        )


def study_mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find pairs of the studies with a language for which a model has no token."""
    for label, study in configuration.studies.items():
        for block in study.blocks:
            yield from _language_mistakes(configuration, f"studies.{label}", block)


def _language_mistakes(configuration: "Configuration", key: str, study: "Study") -> Iterator[str]:
    """Find pairs with a language for which a model has no token; a model of a hub is checked when it is there."""
    for model in study.models:
        extension, origin = configuration.models[model].extend, origin_of(configuration, model)
        if configuration.models[origin].pretrain:
            known = {*MBART50_CODES, *map(language_code, pretrain_languages(configuration, origin))}
            lacks, remedy = _without_code(known), f"add '{{pair}}' to 'models.{origin}.pretrain.vocabulary_pairs'"
        else:
            remedy = "take one of the two out, or give the language a token with 'extend'"
            lacks = without_name(model_folder(configuration, origin))
        new = extension.languages if extension else {}
        named = [(f"{key}.pairs", pair) for pair in study.members]
        named += [(f"{key}.also_score", pair) for pair in study.also_score]
        named += [
            (f"methods.{method}.start_from", pair)
            for method in study.methods
            for pair in sorted(pairs_before(configuration, [method]))
        ]
        for where, pair in named:
            for language in filter(lacks, set(pair_languages(configuration, pair)) - set(new)):
                yield (
                    f"'{where}' names '{pair}', but the vocabulary of '{model}' has no token for '{language}'; "
                    f"{remedy.format(pair=pair)}."
                )


def _without_code(known: Collection[str]) -> Callable[[str], bool]:
    return lambda language: language_code(language) not in known


def without_name(folder: Path) -> Callable[[str], bool]:
    """Return a function that tells whether the tokenizer in a folder has no token for a language."""
    if not (folder / "tokenizer_config.json").is_file():  # not fetched yet, or refused when it is taken in
        return lambda language: False
    names = names_by_files(folder)
    return lambda language: names is not None and match(language, names) is None

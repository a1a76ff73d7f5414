"""What can be wrong with the prompt of a model."""

from collections.abc import Iterator

from mtpeft.config.models import Model
from mtpeft.core.errors import UserError
from mtpeft.core.project import found_path
from mtpeft.models.families import names_by_files
from mtpeft.models.families.prompts import check_prompt


def prompt_mistakes(key: str, model: Model) -> Iterator[str]:
    """A place that nothing is known for, and a model that has tokens for languages; one of a hub is asked when it is
    there.
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

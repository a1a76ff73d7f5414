"""What can be wrong with a model that has more entries in its vocabulary than the one that it comes from."""

from collections.abc import Iterator

from mtpeft.config.models import Extension
from mtpeft.config.resolve import pair_languages
from mtpeft.config.schema import Configuration
from mtpeft.core.wording import listed, unknown


def extension_mistakes(configuration: Configuration, key: str, extension: Extension) -> Iterator[str]:
    """A model that is not there or extended itself, pairs without the language, and nothing to add."""
    unknown_model = list(unknown(f"{key}.model", [extension.model], configuration.models, "models"))
    if unknown_model:
        yield from unknown_model
    elif configuration.models[extension.model].extend:
        yield f"'{key}.model' is '{extension.model}', which extends another model itself; extend that one."
    if not extension.languages and not extension.pieces:
        yield f"'{key}' adds nothing; write 'languages' or 'pieces'."
    if pieces := extension.pieces:
        yield from unknown(f"{key}.pieces.pairs", pieces.pairs, configuration.pairs, "pairs")
        known = {pair: pair_languages(configuration, pair) for pair in pieces.pairs if pair in configuration.pairs}
        lacking = [pair for pair, languages in known.items() if pieces.language not in languages]
        if lacking:
            yield f"'{key}.pieces.pairs' names {listed(lacking)}, which do not have '{pieces.language}'; take them out."

"""What can be wrong with `comet`, before anything of it is fetched."""

from collections.abc import Iterator

from mtpeft.config.comet_section import Comet, Encoder
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.core.files import found_path
from mtpeft.metrics.comet.files import check_encoder, encoder_of


def comet_mistakes(configuration: Configuration) -> Iterator[str]:
    """A model and an encoder of one kind each, and both there, if they are files."""
    comet = configuration.comet
    if comet is None:
        return
    found = [*_of_one_kind("comet", comet), *(_of_one_kind("comet.encoder", comet.encoder) if comet.encoder else ())]
    yield from found
    if comet.encoder and comet.encoder.path and not (found_path(comet.encoder.path) / "config.json").is_file():
        yield (
            f"'comet.encoder.path' is '{comet.encoder.path}', but there is no config.json; write the folder that has "
            "it and the tokenizer."
        )
    if comet.hub and not comet.encoder:
        yield (
            "'comet.encoder' is missing: the checkpoint of a COMET model does not hold the tokenizer of what it was "
            "built on, which its hparams.yaml calls 'pretrained_model'; write {hub: owner/name@commit} of that, or "
            "{path: a/folder}."
        )
    if comet.path and not found:
        try:
            check_encoder(encoder_of(found_path(comet.path), key="comet.path"), given=comet.encoder is not None)
        except UserError as error:
            yield str(error)


def _of_one_kind(key: str, source: Comet | Encoder) -> Iterator[str]:
    if [source.path, source.hub].count(None) != 1:
        yield f"'{key}' must have one of 'path' and 'hub', and no other."

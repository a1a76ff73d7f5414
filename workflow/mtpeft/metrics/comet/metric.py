"""COMET as a metric: its section of the configuration, what its steps depend on, and its entry in the registry."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, PositiveInt

from mtpeft.core.errors import UserError
from mtpeft.core.files import found_path
from mtpeft.core.section import Section
from mtpeft.core.value_types import HUB_MODEL
from mtpeft.isolated.install import hashes_of, pins_of
from mtpeft.metrics.base import Metric
from mtpeft.metrics.comet.model import check_encoder, encoder_files, encoder_of, find_model, hyperparameters_of
from mtpeft.metrics.own_environment import OwnEnvironment, mean_score

VARIABLES = {
    "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_ENDPOINT": "",
    "TOKENIZERS_PARALLELISM": "false",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}
"""No hub is asked, so it does not matter which one was named; the last two let forks tokenise, and have CUDA's matrix
products repeat themselves.
"""


class Encoder(Section):
    """The config.json and the tokenizer of a COMET model's encoder, which its checkpoint does not hold."""

    path: str | None = Field(default=None, description="A folder with them.")
    hub: str | None = Field(
        default=None, pattern=HUB_MODEL, description="A model of the hub and its revision: owner/name@commit."
    )


class Comet(Section):
    """Scoring with a model of COMET (Rei et al. 2020, arXiv 2009.09025), in an environment of its own."""

    path: str | None = Field(
        default=None,
        description="Checkpoint of a model as COMET saves it: model/checkpoints/model.ckpt, with model/hparams.yaml.",
    )
    hub: str | None = Field(
        default=None, pattern=HUB_MODEL, description="A COMET model of the hub and its revision: owner/name@commit."
    )
    encoder: Encoder | None = Field(
        default=None, description="What the model was built on. Empty: the folder that its hparams.yaml names."
    )
    batch_size: PositiveInt = Field(default=16, description="Sentences of a batch.")
    threads: PositiveInt = Field(default=1, description="Torch's threads, which are part of the result.")


def model_params(comet: Comet) -> dict[str, Any]:
    """Params that identify the model that scores."""
    encoder = {"encoder": _source(comet.encoder)} if comet.encoder else {}
    return {"model": _source(comet), **encoder}


def score_params(comet: Comet) -> dict[str, Any]:
    """Params besides the model on which the scores depend."""
    return {"batch_size": comet.batch_size, "threads": comet.threads}


def model_files(comet: Comet) -> list[Path]:
    """The user's own files that the model is made of: when they change, so do its scores."""
    checkpoint = found_path(comet.path) if comet.path else None
    files = [checkpoint, hyperparameters_of(checkpoint)] if checkpoint else []
    if comet.encoder and comet.encoder.path:
        files += encoder_files(found_path(comet.encoder.path))
    elif checkpoint and not comet.encoder:
        files += encoder_files(Path(encoder_of(checkpoint, key="comet.path")))
    return files


def _source(given: Comet | Encoder) -> dict[str, str]:
    return {"hub": given.hub} if given.hub else {"path": str(found_path(str(given.path)))}


def mistakes(comet: Comet) -> Iterator[str]:
    """One sentence for each mistake in a section, before anything is fetched.

    A model and an encoder are each named in one way, and are there if they are files.
    """
    found = [*_named_once("comet", comet), *(_named_once("comet.encoder", comet.encoder) if comet.encoder else ())]
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


def _named_once(key: str, source: Comet | Encoder) -> Iterator[str]:
    if [source.path, source.hub].count(None) != 1:
        yield f"'{key}' must have one of 'path' and 'hub', and no other."


COMET = Metric(
    name="comet",
    title="COMET",
    margin=0.01,
    corpus_score=mean_score,
    scale="on a scale of its own, near 1",
    digits=4,
    digits_of_scores=4,
    environment=OwnEnvironment(
        requirements=tuple(pins_of("comet")),
        package="unbabel-comet",
        program=Path(__file__).with_name("program.py"),
        section=Comet,
        section_help="Scores of COMET beside chrF and BLEU. Empty: none.",
        mistakes=mistakes,
        model_params=model_params,
        model_files=model_files,
        find_model=find_model,
        score_params=score_params,
        variables=VARIABLES,
        libraries_of="torch",
        hashes=hashes_of("comet"),
    ),
)

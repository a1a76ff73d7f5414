"""COMET as a metric: its section of the configuration, what its steps depend on, and its entry in the registry."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from pydantic import Field, PositiveInt

from mtpeft.cells import digest_of, name_of
from mtpeft.core.errors import UserError
from mtpeft.core.files import found_path
from mtpeft.core.forms import HUB_MODEL
from mtpeft.core.section import Section
from mtpeft.isolated.install import pinned_version
from mtpeft.metrics.base import Metric

if TYPE_CHECKING:
    import numpy as np

PACKAGE = "unbabel-comet"


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


def corpus_score(sums: "np.ndarray") -> "np.ndarray":
    """Mean score of the sentences, as COMET defines the score of a system.

    Args:
        sums: sums of the sentences' scores, and their number: shape [..., 2].

    Returns:
        Scores: shape [...].
    """
    return sums[..., 0] / sums[..., 1]


def model_params(comet: Comet) -> dict[str, Any]:
    """Params of the step that takes in the model, without the step's version."""
    encoder = {"encoder": _source(comet.encoder)} if comet.encoder else {}
    return {"model": _source(comet), **encoder}


def score_params(comet: Comet) -> dict[str, Any]:
    """Params of the step that scores a cell, without the step's version. The model is an input file."""
    version = pinned_version("comet", PACKAGE)
    return {PACKAGE: version, "batch_size": comet.batch_size, "threads": comet.threads}


def _source(given: Comet | Encoder) -> dict[str, str]:
    return {"hub": given.hub} if given.hub else {"path": str(found_path(str(given.path)))}


def model_record_of(comet: Comet) -> str:
    """Record of the model."""
    return f"data/comet/{name_of('model', digest_of(model_params(comet)))}/model.json"


def keep_loaded(comet: Comet) -> AbstractContextManager[dict[str, str]]:
    """Keep the model loaded beside a sweep."""
    from mtpeft.metrics.comet.server import model_process

    return model_process(model_record_of(comet))


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
        from mtpeft.metrics.comet.model import check_encoder, encoder_of

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
    corpus_score=corpus_score,
    scale="on a scale of its own, near 1",
    digits=4,
    digits_of_scores=4,
    keep_loaded=keep_loaded,
    step="score_with_comet",
    section=Comet,
    section_help="Scores of COMET beside chrF and BLEU. Empty: none.",
    mistakes=mistakes,
    identity=lambda comet: [score_params(comet), model_params(comet)],
)

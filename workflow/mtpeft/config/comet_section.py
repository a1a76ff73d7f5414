"""The types of `comet` in config.yaml: a model of COMET, and the encoder that it was built on."""

from pydantic import Field, PositiveInt

from mtpeft.core.forms import HUB_MODEL
from mtpeft.core.section import Section


class Encoder(Section):
    """The config.json and the tokenizer of what a COMET model was built on, which its checkpoint does not hold."""

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

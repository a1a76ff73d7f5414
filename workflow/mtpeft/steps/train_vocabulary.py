"""Learn a joint sentencepiece vocabulary: `data/vocabularies/<vocabulary>-<digest>/`, a Hugging Face tokenizer."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.config import model_shapes
from mtpeft.steps.base_models import vocabulary_params
from mtpeft.steps.decontaminate_pair import pair_folder
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def inputs(configuration: "Configuration", vocabulary: str) -> Inputs:
    """Text that the vocabulary is learnt from."""
    pairs = model_shapes.vocabulary_pairs(configuration, model_shapes.model_with(configuration, vocabulary))
    return {"parts": [f"{pair_folder(configuration, pair)}/pretrain.tsv" for pair in pairs]}


def run(params: Params, *, parts: list[Path], folder: Path) -> None:
    """Learn a joint vocabulary from the pre-training text of pairs."""
    from mtpeft.data.vocabulary import train_vocabulary

    train_vocabulary(params, parts=parts, folder=folder)


STEP = Step(
    "train_vocabulary",
    1,
    ("vocabulary",),
    vocabulary_params,
    run,
    inputs,
    makes=("folder",),
    record="data/vocabularies/{vocabulary}/record.json",
    starts_slowly=True,
)

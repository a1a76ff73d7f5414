"""Choose the dev, test and fine-tuning sentences of a corpus: `data/corpora/<corpus>-<digest>/split.json`."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import digest_of, name_of
from mtpeft.config import corpora, held_out
from mtpeft.data.cleaning_options import UI_STRINGS
from mtpeft.steps.clean_pair import CACHED, clean_digest
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", corpus: str) -> Params:
    """Params of the choice of a corpus's dev, test and fine-tuning sentences."""
    return held_out.split_params(configuration, corpus)


@lru_cache(maxsize=CACHED)
def corpus_name(configuration: "Configuration", corpus: str) -> str:
    """Label of a corpus with the digest of its split."""
    anchors = [clean_digest(configuration, pair) for pair in corpora.anchor_pairs(configuration, corpus)]
    return name_of(corpus, digest_of(params(configuration, corpus), anchors))


def split_file(configuration: "Configuration", corpus: str) -> str:
    """The split of a corpus."""
    return f"data/corpora/{corpus_name(configuration, corpus)}/split.json"


def inputs(configuration: "Configuration", corpus: str) -> Inputs:
    """Clean text by which the corpus is split; its folders have their names from the division that follows."""
    from mtpeft.steps.decontaminate_pair import pair_folder

    pairs = corpora.anchor_pairs(configuration, corpus)
    return {"cleaned": [f"{pair_folder(configuration, pair)}/clean.tsv" for pair in pairs]}


def run(params: Params, *, cleaned: list[Path], record: Path) -> None:
    """Choose the dev, test and fine-tuning sentences of a corpus, the same for every language."""
    from mtpeft.data.split import split_corpus

    split_corpus(params, cleaned=cleaned, output=record)


STEP = Step(
    "split_corpus",
    UI_STRINGS.split_version,
    ("corpus",),
    params,
    run,
    inputs,
    record="data/corpora/{corpus}/split.json",
)

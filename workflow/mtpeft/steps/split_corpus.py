"""Choose the dev, test and fine-tuning sentences of a corpus: `data/corpora/<corpus>-<digest>/split.json`."""

from functools import lru_cache
from pathlib import Path

from mtpeft.cells import digest_of, name_of
from mtpeft.config.held_out import SPLIT_VERSION
from mtpeft.config.held_out import split_params as params
from mtpeft.config.resolve import anchor_pairs
from mtpeft.config.schema import Configuration
from mtpeft.steps.clean_pair import CACHED, clean_digest
from mtpeft.steps.step import Params, Step


@lru_cache(maxsize=CACHED)
def corpus_name(configuration: Configuration, corpus: str) -> str:
    """Label of a corpus with the digest of its split."""
    anchors = [clean_digest(configuration, pair) for pair in anchor_pairs(configuration, corpus)]
    return name_of(corpus, digest_of(params(configuration, corpus), anchors))


def split_file(configuration: Configuration, corpus: str) -> str:
    """The split of a corpus."""
    return f"data/corpora/{corpus_name(configuration, corpus)}/split.json"


def run(params: Params, *, cleaned: list[Path], record: Path) -> None:
    """Choose the dev, test and fine-tuning sentences of a corpus, the same for every language."""
    from mtpeft.data.split import choose_split

    choose_split(params, cleaned=cleaned, output=record)


STEP = Step("split_corpus", SPLIT_VERSION, ("corpus",), params, run, record="split.json")
"""Its inputs are known once a pair's folder has its name, so the rule gets them from `divide_pair`."""

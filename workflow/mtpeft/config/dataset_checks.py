"""What can be wrong with the datasets of a corpus, before any of them is looked up."""

from collections import Counter
from collections.abc import Iterator

from mtpeft.config.corpora import Corpus
from mtpeft.config.datasets import all_datasets, datasets_of, stated_hashes
from mtpeft.config.pairs import pair_languages
from mtpeft.config.schema import Configuration
from mtpeft.core.wording import listed
from mtpeft.data.sources.mtdata.ids import FOREIGN, PARTS, columns_of


def dataset_mistakes(key: str, corpus: Corpus) -> Iterator[str]:
    """Ids that stand twice, hashes of ids that stand nowhere, and files where datasets are asked for."""
    if corpus.mtdata is None:
        return
    named = Counter(dataset for part in PARTS for dataset in getattr(corpus.mtdata, part))
    for dataset in (dataset for dataset, count in named.items() if count > 1):
        yield f"'{key}.mtdata' names '{dataset}' twice; write it once, in the part that it is for."
    for part in ("dev", "test"):
        if getattr(corpus, f"{part}_files"):
            yield f"'{key}.{part}_files' is for a corpus of files; write ids in '{key}.mtdata.{part}', or take it out."
    for dataset in corpus.mtdata.sha256:
        if dataset not in named and not any(_fits(dataset, known) for known in named):
            yield f"'{key}.mtdata.sha256' has the id '{dataset}', which is not in 'train', 'dev' or 'test'; correct it."


def pair_dataset_mistakes(configuration: Configuration, pair: str) -> Iterator[str]:
    """A pair without the language that its datasets were written in, and datasets of other languages."""
    label = configuration.pairs[pair].corpus
    corpus, languages = configuration.corpora[label], pair_languages(configuration, pair)
    if corpus.mtdata is None or corpus.written_in is None:
        return
    key = f"corpora.{label}"
    if corpus.written_in not in languages:
        yield (
            f"'pairs.{pair}' has the languages {listed(languages)}, but '{key}.written_in' is '{corpus.written_in}'; "
            "write one of the two there, or another corpus for this pair."
        )
        return
    for part, datasets in datasets_of(configuration, pair).items():
        for dataset in datasets:
            if columns_of(dataset, languages) is None:
                yield (
                    f"'{key}.mtdata.{part}' has '{dataset}', which is not in the languages of 'pairs.{pair}', "
                    f"{listed(languages)}; write an id that is, with {FOREIGN} for the language of each pair where "
                    "several share the corpus."
                )


def hash_mistakes(configuration: Configuration) -> Iterator[str]:
    """Datasets for which two corpora, or two ids of one, state different hashes."""
    for dataset in sorted(all_datasets(configuration)):
        if len(stated_hashes(configuration, dataset)) > 1:
            yield f"'corpora.*.mtdata.sha256' states two hashes of '{dataset}'; write the one that you trust."


def _fits(dataset: str, pattern: str) -> bool:
    """Whether an id is one that a pattern with room for a language stands for."""
    before, room, after = pattern.partition(FOREIGN)
    return bool(room) and dataset.startswith(before) and dataset.endswith(after)

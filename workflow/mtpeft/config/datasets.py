"""Which of mtdata's datasets the corpora of a configuration are made of."""

from collections.abc import Iterator

from mtpeft.config.pairs import pair_languages
from mtpeft.config.schema import Configuration
from mtpeft.data.sources.mtdata.ids import PARTS, with_foreign


def datasets_of(configuration: Configuration, pair: str) -> dict[str, list[str]]:
    """Ids of the datasets that a pair's text is made of, by part, in the order of `PARTS`; none for other corpora."""
    return {part: [label for _, label in named] for part, named in _named(configuration, pair).items()}


def all_datasets(configuration: Configuration) -> set[str]:
    """Ids of the datasets of all pairs."""
    parts = [labels for pair in configuration.pairs for labels in datasets_of(configuration, pair).values()]
    more = [labels for pair in configuration.pairs for labels in _tested(configuration, pair)]
    return {label for labels in (*parts, *more) for label in labels}


def dataset_for(label: str, languages: tuple[str, str], written_in: str | None) -> str:
    """The id that an id with room for a language stands for in a pair."""
    return with_foreign(label, next(language for language in languages if language != written_in))


def _tested(configuration: Configuration, pair: str) -> list[list[str]]:
    """Ids of the datasets of each further test set of a pair."""
    corpus, languages = configuration.corpora[configuration.pairs[pair].corpus], pair_languages(configuration, pair)
    return [
        [dataset_for(label, languages, corpus.written_in) for label in text.mtdata]
        for text in corpus.more_tests.values()
    ]


def stated_hashes(configuration: Configuration, dataset: str) -> list[str]:
    """The SHA-256 that the configuration states for a dataset, by its id or by one with room for a language."""
    return sorted({digest for pair in configuration.pairs for digest in _stated(configuration, pair, dataset)})


def _named(configuration: Configuration, pair: str) -> dict[str, list[tuple[str, str]]]:
    """Ids as written and as they are for a pair, by part."""
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    if corpus.mtdata is None:
        return {}
    languages = pair_languages(configuration, pair)
    parts = {part: labels for part in PARTS if (labels := getattr(corpus.mtdata, part))}
    return {
        part: [(label, dataset_for(label, languages, corpus.written_in)) for label in labels]
        for part, labels in parts.items()
    }


def _stated(configuration: Configuration, pair: str, dataset: str) -> Iterator[str]:
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    for named in _named(configuration, pair).values():
        for written, label in named:
            if label == dataset and corpus.mtdata:
                yield from (corpus.mtdata.sha256[key] for key in {written, label} & set(corpus.mtdata.sha256))

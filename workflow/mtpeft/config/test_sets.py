"""The test sets of a pair: its corpus's own, and those that are named beside it."""

from collections.abc import Iterator

from mtpeft.config.corpora import Corpus, MoreText
from mtpeft.config.datasets import dataset_for
from mtpeft.config.file_checks import file_mistakes
from mtpeft.config.pairs import pair_languages
from mtpeft.config.schema import Configuration

PRIMARY = "test"
"""The corpus's own test set, on which findings are tested."""
TAKEN = (PRIMARY, "train", "dev", "pretrain", "clean", "parts")
"""Names that files of a pair have already."""


def test_sets(configuration: Configuration, pair: str) -> list[str]:
    """Names of a pair's test sets, its corpus's own first; those of files without one of its languages are left out."""
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    languages = pair_languages(configuration, pair)
    return [PRIMARY, *(name for name, text in corpus.more_tests.items() if _has(text, languages))]


def more_test_sets(configuration: Configuration) -> set[str]:
    """Names of all test sets that are no corpus's own."""
    return {name for corpus in configuration.corpora.values() for name in corpus.more_tests}


def given_test(configuration: Configuration, pair: str, name: str) -> MoreText:
    """What a named test set of a pair is made of."""
    return configuration.corpora[configuration.pairs[pair].corpus].more_tests[name]


def test_datasets(configuration: Configuration, pair: str, name: str) -> list[str]:
    """Ids of the datasets that a named test set of a pair is made of, with the pair's language in them."""
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    languages = pair_languages(configuration, pair)
    return [dataset_for(label, languages, corpus.written_in) for label in corpus.more_tests[name].mtdata]


def test_set_mistakes(key: str, corpus: Corpus) -> Iterator[str]:
    """Names that are taken, and text that is of no form or of two."""
    for name, text in corpus.more_tests.items():
        place = f"{key}.more_tests.{name}"
        if name in TAKEN:
            yield f"'{key}.more_tests' has the name '{name}', which files of a pair have already; choose another one."
        if not text.mtdata:
            yield from file_mistakes(place, text)
        elif text.both_sides or text.sides:
            yield f"'{place}' must have either 'mtdata' or files, and not both."
        elif not corpus.written_in:
            yield f"'{key}.written_in' is missing; the ids in '{place}' are for the languages that it is not."


def _has(text: MoreText, languages: tuple[str, str]) -> bool:
    return bool(text.mtdata) or text.languages is None or set(languages) <= set(text.languages)

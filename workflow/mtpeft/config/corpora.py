"""The section `corpora` of config.yaml: the text, where it comes from, how it is cleaned and split.

The keys that say where text comes from are declared by the sources in `mtpeft.data.sources`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PositiveInt, create_model

from mtpeft.cells import LABEL_PATTERN, LONGEST_LABEL, unsafe_label
from mtpeft.config.messages import named_twice
from mtpeft.config.model_origins import ancestors
from mtpeft.config.model_shapes import vocabulary_pairs
from mtpeft.config.pairs import pair_languages
from mtpeft.config.start_from import pairs_before
from mtpeft.core.errors import UserError
from mtpeft.core.languages import is_language
from mtpeft.core.section import Section
from mtpeft.core.value_types import Language, Share
from mtpeft.core.wording import listed, together
from mtpeft.data.readers import READERS
from mtpeft.data.sources import SOURCES
from mtpeft.data.sources.base import Download, Languages, Source

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

OWN_TEST_SET = "test"
"""Name of the corpus's own test set, on which findings are tested."""
TAKEN_NAMES = (OWN_TEST_SET, "train", "dev", "pretrain", "clean", "parts")
"""Names of files that every pair has, which no further test set can have."""
ALWAYS_NAMED = ("max_characters", "max_words", "max_length_ratio")
"""Options of cleaning that params always have; the others were added later, and params have them where they differ."""
MOST = 4
"""Most configurations whose downloads are remembered."""


class CleaningOptions(Section):
    """Options of cleaning training text. Empty keys have the usual value for the kind of text: UI strings are full
    of markup and labels, while the text of files and datasets is taken for prose, which is not changed.
    """

    max_characters: PositiveInt | None = Field(
        default=None, description="Longest side, in characters. Empty: 180 for wheels, 1000 for prose."
    )
    max_words: PositiveInt | None = Field(
        default=None, description="Longest side, in words. Empty: 30 for wheels, 200 for prose."
    )
    max_length_ratio: Annotated[float, Field(ge=1)] | None = Field(
        default=None, description="Longer by shorter side, in characters. Empty: 3 for wheels, 9 for prose."
    )
    markup: bool | None = Field(
        default=None,
        description="Take off tags, links, entities, signs of emphasis and of list items, and take out what still has "
        "signs of a template. Empty: for wheels.",
    )
    placeholders: bool | None = Field(
        default=None,
        description="Words such as VAR0 and URL0 for placeholders, code, addresses; pairs whose sides have different "
        "ones are taken out. Empty: for wheels.",
    )
    sentences: bool | None = Field(
        default=None, description="Cut text into its sentences where both sides have equally many. Empty: for wheels."
    )
    letters: bool | None = Field(
        default=None, description="Take out pairs with a side that has no letter. Empty: for wheels."
    )
    same_text: bool | None = Field(
        default=None, description="Take out pairs whose sides are the same text. Empty: for all."
    )
    duplicates: Literal["sentences", "pairs", "keep"] | None = Field(
        default=None,
        description="How repeated text is reduced: to one pair per sentence in the language of `written_in`, to one "
        "per identical pair, or not at all. Empty: sentences for wheels, pairs for prose.",
    )
    script: Share | None = Field(
        default=None,
        description="Least share of a side's letters that are of its language's script. Empty: not looked at.",
    )
    language: Share | None = Field(
        default=None,
        description="Least probability that a side is in its language, by an identifier. Empty: not looked at.",
    )


class Split(Section):
    """Numbers and kinds of sentences that are set aside, the same ones for every language."""

    present_in: list[Language] = Field(
        default=[],
        description="Languages in which every dev, test and fine-tuning sentence of a corpus of wheels or datasets "
        "must exist; adding a pair in another language then changes no split. Empty, or where datasets give dev or "
        "test: the languages of all pairs of the corpus. A corpus of files takes the languages of its first pair, or "
        "of all pairs if it gives dev or test.",
    )
    dev: PositiveInt = Field(default=300, description="Sentences on which checkpoints are chosen.")
    test: PositiveInt = Field(default=1000, description="Sentences that only decoding and scoring see.")
    train: PositiveInt | None = Field(
        default=None,
        description="Sentences for fine-tuning, as long as those of the test set; what is left is for pre-training. "
        "Empty: all.",
    )
    words: list[PositiveInt] | None = Field(
        default=None,
        min_length=2,
        max_length=2,
        description="Shortest and longest sentence drawn. Empty: [3, 20] for wheels, [3, 60] for prose.",
    )
    near_duplicate: Share = Field(
        default=0.6, description="Character 4-gram Dice with a dev or test sentence at which a sentence is removed."
    )


class Corpus(Section):
    """A parallel corpus; `corpus_type` adds the keys of the sources of text."""

    more_tests: dict[str, Section] = Field(
        default={}, description="Further test sets by name, taken as they are; cells are scored on all of them."
    )
    written_in: Language | None = Field(
        default=None,
        description="Language that the text was written in. Sentences are identified by their text in this language.",
    )
    clean: CleaningOptions = CleaningOptions()
    split: Split = Split()

    @property
    def sources(self) -> list[Source]:
        """The sources of text that the entry names, of which there must be exactly one."""
        return [source for name, source in SOURCES.entries.items() if getattr(self, name)]

    @property
    def source(self) -> Source:
        """The source of the text."""
        return self.sources[0]

    @property
    def languages(self) -> list[str] | None:
        """The languages that the entry names; None where only the text shows them."""
        return self.source.languages(self)

    @property
    def original_language(self) -> str:
        """The language in which sentences are identified by their text; empty where the entry does not say it."""
        return self.written_in or (self.languages or [""])[0]

    @property
    def words(self) -> list[int]:
        """Shortest and longest sentence that is drawn for dev and test."""
        return self.split.words or list(self.source.kind.words)

    @property
    def cleaning_params(self) -> dict[str, Any]:
        """Options of cleaning as the params of a step have them."""
        usual = self.source.kind.cleaning
        written = {key: value for key, value in self.clean.model_dump().items() if value is not None}
        always = {key: written.pop(key, getattr(usual, key)) for key in ALWAYS_NAMED}
        return always | {key: value for key, value in written.items() if value != getattr(usual, key)}

    def source_of_test(self, name: str) -> Source:
        """Find the source of a named test set."""
        return _sources_of_test(self.more_tests[name])[0]


def corpus_type() -> type[Corpus]:
    """Make the type of an entry of `corpora`, with the keys of all sources and formats that are in the registries."""
    sources = SOURCES.entries.values()
    test_keys = [keys for source in sources if (keys := source.test_keys())]
    # The last of several base types decides on unknown keys, which are languages for the user's own files.
    ordered = sorted(test_keys, key=lambda keys: keys.model_config.get("extra") == "allow")
    test_set = create_model("NamedTestSet", __base__=tuple(ordered), __doc__="A further test set, of any source.")
    more_tests = Corpus.model_fields["more_tests"]
    return create_model(
        "Corpus",
        __base__=(*(source.keys() for source in sources), Corpus),
        __doc__="A parallel corpus, from one source of text.",
        more_tests=(dict[str, test_set], more_tests),
    )


def languages_in(configuration: "Configuration", pair: str) -> Languages:
    """Look up the languages of a pair and the one that its text was written in."""
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    return Languages(*pair_languages(configuration, pair), corpus.original_language)


def text_params(configuration: "Configuration", pair: str) -> dict[str, Any]:
    """Describe the text of a pair for the step that cleans it."""
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    return _with_modules(corpus.source, corpus.source.params(corpus, languages_in(configuration, pair)))


def downloads_of(configuration: "Configuration", pair: str) -> list[Download]:
    """List the files to download for the text of a pair, in the order in which they are read."""
    label = configuration.pairs[pair].corpus
    corpus = configuration.corpora[label]
    return corpus.source.downloads(label, corpus, text_params(configuration, pair))


@lru_cache(maxsize=MOST)
def all_downloads(configuration: "Configuration") -> Mapping[tuple[str, str], Download]:
    """Collect the files to download for all pairs, by folder and label, with all hashes that are stated for each."""
    found: dict[tuple[str, str], Download] = {}
    for pair in configuration.pairs:
        tests = [test_downloads(configuration, pair, name) for name in test_sets(configuration, pair)[1:]]
        for download in (*downloads_of(configuration, pair), *(one for own in tests for one in own)):
            known = found.setdefault((download.folder, download.label), download)
            hashes = tuple(dict.fromkeys((*known.hashes, *download.hashes)))
            found[download.folder, download.label] = replace(known, hashes=hashes)
    return found


def anchor_pairs(configuration: "Configuration", corpus: str) -> list[str]:
    """List the pairs whose text decides which sentences are dev, test and for fine-tuning.

    There is one per language of `present_in`. Where the user gives dev or test, all pairs decide, since each may have
    its own.
    """
    entry = configuration.corpora[corpus]
    pairs = [label for label, pair in configuration.pairs.items() if pair.corpus == corpus]
    if entry.source.given_parts(entry):
        return pairs
    if entry.source.same_lines:
        return pairs[:1]
    if not entry.split.present_in:
        return pairs
    wanted = {frozenset((language, entry.original_language)) for language in entry.split.present_in}
    found = {frozenset(pair_languages(configuration, pair)): pair for pair in reversed(pairs)}
    return sorted(found[languages] for languages in wanted if languages in found)


def used_corpora(configuration: "Configuration") -> list[str]:
    """Corpora whose text is used, sorted: by the cells of studies and those from which they start, by the search for
    learning rates, or to pre-train a model.
    """
    studies = [block for study in configuration.studies.values() for block in study.blocks]
    pairs = {pair for study in studies for pair in (*study.members, *study.also_score)}
    pairs |= pairs_before(configuration, {method for study in studies for method in study.methods})
    pairs.update(configuration.rate_search.pair if configuration.rate_search else [])
    for model in {model for study in studies for model in study.models}:
        for read in ancestors(configuration, model):
            entry = configuration.models[read]
            pairs.update([entry.healing.pair] if entry.healing else [])
            pairs.update(vocabulary_pairs(configuration, read) if entry.pretrain else [])
    return sorted({configuration.pairs[pair].corpus for pair in pairs})


def test_sets(configuration: "Configuration", pair: str) -> list[str]:
    """List the names of a pair's test sets, its corpus's own first; files without one of its languages are none."""
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    languages = set(pair_languages(configuration, pair))
    known = {name: corpus.source_of_test(name).test_languages(text) for name, text in corpus.more_tests.items()}
    return [OWN_TEST_SET, *(name for name, has in known.items() if has is None or languages <= set(has))]


def more_test_sets(configuration: "Configuration") -> set[str]:
    """List the names of all test sets that are no corpus's own."""
    return {name for corpus in configuration.corpora.values() for name in corpus.more_tests}


def test_params(configuration: "Configuration", pair: str, name: str) -> dict[str, Any]:
    """Describe a named test set of a pair for the step that prepares it."""
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    source = corpus.source_of_test(name)
    return _with_modules(source, source.test_params(corpus.more_tests[name], languages_in(configuration, pair)))


def test_downloads(configuration: "Configuration", pair: str, name: str) -> list[Download]:
    """List the files to download for a named test set of a pair."""
    label = configuration.pairs[pair].corpus
    corpus = configuration.corpora[label]
    return corpus.source_of_test(name).downloads(label, corpus, test_params(configuration, pair, name))


def mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find mistakes in each entry of `corpora` by itself."""
    for label, corpus in configuration.corpora.items():
        yield from _corpus_mistakes(f"corpora.{label}", corpus)
        yield from named_twice(f"corpora.{label}.split.present_in", corpus.split.present_in)


def pair_mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find pairs whose corpus has no text in one of their languages; other mistakes of pairs are found by `pairs`."""
    for label, pair in configuration.pairs.items():
        corpus = configuration.corpora.get(pair.corpus)
        try:
            sides = pair_languages(configuration, label)
        except UserError:
            continue
        if corpus is None or len(corpus.sources) != 1 or not all(map(is_language, sides)):
            continue
        for side, language in zip(("source", "target"), sides, strict=True):
            if corpus.languages and language not in corpus.languages:
                yield (
                    f"'pairs.{label}.{side}' is '{language}', but the files of its corpus have the languages "
                    f"{listed(corpus.languages)}; write one of these, or add the file."
                )
        languages = Languages(*sides, corpus.original_language)
        yield from corpus.source.pair_mistakes(f"corpora.{pair.corpus}", corpus, label, languages)


def hash_mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find files to download for which two corpora, or two keys of one, state different hashes."""
    for (_, label), download in sorted(all_downloads(configuration).items()):
        if len(download.hashes) > 1:
            key = f"corpora.*.{download.source}.sha256"
            yield f"'{key}' states two hashes of '{label}'; write the one that you trust."


def present_in_mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find languages in which the split must be present, but in which the corpus has no pair."""
    for label, corpus in configuration.corpora.items():
        if corpus.source.same_lines:
            continue
        pairs = [pair for pair, entry in configuration.pairs.items() if entry.corpus == label]
        sides = {frozenset(pair_languages(configuration, pair)) for pair in pairs}
        written = corpus.written_in
        for language in corpus.split.present_in:
            if frozenset((language, written)) not in sides:
                yield (
                    f"'corpora.{label}.split.present_in' names '{language}', but no entry of 'pairs' has it; "
                    f"add '{language}-{written}: {{corpus: {label}}}' to 'pairs', or take it out."
                )


def _corpus_mistakes(key: str, corpus: Corpus) -> Iterator[str]:
    if len(corpus.sources) != 1:
        yield f"'{key}' must have one of {together([*SOURCES])}, and no other."
        return
    known = corpus.languages
    if known is None and not corpus.written_in:
        yield f"'{key}.written_in' is missing; write the language that the text was written in, such as 'en'."
    shortest, longest = corpus.words
    if shortest > longest:
        yield f"'{key}.split.words' is [{shortest}, {longest}]; write the smaller number first."
    if known and corpus.written_in and corpus.written_in not in known:
        yield f"'{key}.written_in' is '{corpus.written_in}', but its files have the languages {listed(known)}."
    for source in (corpus.source, *SOURCES.entries.values()):
        yield from source.mistakes(key, corpus)
    for name in corpus.more_tests:
        yield from _test_set_mistakes(key, corpus, name)


def _test_set_mistakes(key: str, corpus: Corpus, name: str) -> Iterator[str]:
    if not re.fullmatch(LABEL_PATTERN, name) or len(name) > LONGEST_LABEL:
        yield unsafe_label(f"{key}.more_tests", name[:LONGEST_LABEL])
        return
    if name in TAKEN_NAMES:
        yield f"'{key}.more_tests' has the name '{name}', which files of a pair have already; choose another one."
    sources = _sources_of_test(corpus.more_tests[name])
    if len(sources) > 1:
        named = together([source.name for source in sources])
        yield f"'{key}.more_tests.{name}' has text of {named}; take out the text of all but one source."
    else:
        yield from sources[0].test_mistakes(key, corpus, name)


def _sources_of_test(text: Any) -> list[Source]:
    """List the sources of a named test set; one without any text is one of files that are missing."""
    return [source for source in SOURCES.entries.values() if source.has_test(text)] or [SOURCES["files"]]


def _with_modules(source: Source, params: dict[str, Any]) -> dict[str, Any]:
    """Add the files of the source and of the readers that come from outside, so that every process finds them."""
    described = [params, *(value for value in params.values() if isinstance(value, Mapping))]
    readers = [reader.module for name, reader in READERS.entries.items() if any(name in part for part in described)]
    modules = sorted({module for module in (source.module, *readers) if module})
    return params | ({"modules": modules} if modules else {})

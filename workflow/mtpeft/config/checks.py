"""What can be wrong between the parts of a configuration whose form is right."""

import re
from collections.abc import Iterator
from itertools import combinations

from mtpeft.cells import JOIN, LABEL_PATTERN, RESERVED
from mtpeft.config import held_out, methods, models, pairs, rate_search, studies, training
from mtpeft.config.cleaning import words_of
from mtpeft.config.comet_checks import comet_mistakes
from mtpeft.config.corpora import Corpus, languages_of
from mtpeft.config.dataset_checks import dataset_mistakes, hash_mistakes, pair_dataset_mistakes
from mtpeft.config.file_checks import file_mistakes, lacking_languages
from mtpeft.config.finding_checks import finding_mistakes
from mtpeft.config.messages import named_twice
from mtpeft.config.pairs import pair_languages
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import EFFICIENCY
from mtpeft.config.test_sets import test_set_mistakes
from mtpeft.core.errors import UserError
from mtpeft.core.languages import is_language
from mtpeft.core.wording import listed

CATALOGUES = ("corpora", "pairs", "sizes", "models", "methods", "budgets", "studies", "findings")

LONGEST_LABEL = 64
"""Characters of a label; folders and files are named by up to three of them, and by a digest."""


def _unsafe_labels(configuration: Configuration) -> Iterator[str]:
    for catalogue in CATALOGUES:
        for label in getattr(configuration, catalogue):
            if not re.fullmatch(LABEL_PATTERN, label):
                yield _unsafe(catalogue, label)
            elif len(label) > LONGEST_LABEL:
                yield (
                    f"'{catalogue}' has a label of {len(label)} characters, '{label[:20]}…', but folders and files are "
                    f"named by labels; write {LONGEST_LABEL} at most."
                )
            elif catalogue == "pairs" and JOIN in label:
                yield f"'pairs' has the label '{label}', but a plus joins the pairs of a group; write another sign."
            elif label in RESERVED or (catalogue == "studies" and label == EFFICIENCY):
                yield f"'{catalogue}' has the label '{label}', which has a meaning of its own; choose another one."
    for label, corpus in configuration.corpora.items():
        for wheel in corpus.wheels:
            if not re.fullmatch(LABEL_PATTERN, wheel):
                yield _unsafe(f"corpora.{label}.wheels", wheel)
        for name in corpus.more_tests:
            if not re.fullmatch(LABEL_PATTERN, name) or len(name) > LONGEST_LABEL:
                yield _unsafe(f"corpora.{label}.more_tests", name[:LONGEST_LABEL])


def _unsafe(key: str, label: str) -> str:
    return (
        f"'{key}' has the label {label!r}, which is unsafe in a path; "
        "use letters, digits, dot, dash, plus and underscore, and begin with a letter or a digit."
    )


def _corpora_mistakes(configuration: Configuration) -> Iterator[str]:
    for label, corpus in configuration.corpora.items():
        yield from _corpus_mistakes(f"corpora.{label}", corpus)
        yield from named_twice(f"corpora.{label}.split.present_in", corpus.split.present_in)


def _text_of_pairs_mistakes(configuration: Configuration) -> Iterator[str]:
    """Pairs whose corpus has no text in one of their languages; what is wrong with a pair itself is said elsewhere."""
    for label, pair in configuration.pairs.items():
        corpus = configuration.corpora.get(pair.corpus)
        try:
            sides = pair_languages(configuration, label)
        except UserError:
            continue
        if corpus is None or not all(map(is_language, sides)):
            continue
        known = languages_of(corpus)
        for side, language in zip(("source", "target"), sides, strict=True):
            if known and language not in known:
                yield (
                    f"'pairs.{label}.{side}' is '{language}', but the files of its corpus have the languages "
                    f"{listed(known)}; write one of these, or add the file."
                )
        yield from lacking_languages(label, corpus=corpus, key=f"corpora.{pair.corpus}", sides=sides)
        yield from pair_dataset_mistakes(configuration, label)


def _corpus_mistakes(key: str, corpus: Corpus) -> Iterator[str]:
    if [bool(corpus.wheels), bool(corpus.files), bool(corpus.mtdata)].count(True) != 1:
        yield f"'{key}' must have one of 'wheels', 'files' and 'mtdata', and no other."
        return
    known = languages_of(corpus)
    if known is None and not corpus.written_in:
        yield f"'{key}.written_in' is missing; write the language that the text was written in, such as 'en'."
    shortest, longest = words_of(corpus)
    if shortest > longest:
        yield f"'{key}.split.words' is [{shortest}, {longest}]; write the smaller number first."
    if known and corpus.written_in and corpus.written_in not in known:
        yield f"'{key}.written_in' is '{corpus.written_in}', but its files have the languages {listed(known)}."
    parts = {part: files for part in ("files", "dev_files", "test_files") if (files := getattr(corpus, part))}
    for (part, files), (other, others) in combinations(parts.items(), 2):
        if files == others:
            yield f"'{key}.{part}' and '{key}.{other}' name the same text; name another one, or take one of them out."
    yield from dataset_mistakes(key, corpus)
    yield from test_set_mistakes(key, corpus)
    for part in ("files", "dev_files", "test_files"):
        if files := getattr(corpus, part):
            yield from file_mistakes(f"{key}.{part}", files)


def _anchor_mistakes(configuration: Configuration) -> Iterator[str]:
    """Languages in which the split must be present, but in which no pair of the corpus is."""
    for label, corpus in configuration.corpora.items():
        own = [pair for pair, entry in configuration.pairs.items() if entry.corpus == label and not corpus.files]
        sides = {frozenset(pair_languages(configuration, pair)) for pair in own}
        written = corpus.written_in
        for language in () if corpus.files else corpus.split.present_in:
            if frozenset((language, written)) not in sides:
                yield (
                    f"'corpora.{label}.split.present_in' names '{language}', but no entry of 'pairs' has it; "
                    f"add '{language}-{written}: {{corpus: {label}}}' to 'pairs', or take it out."
                )


STAGES = (
    (_unsafe_labels,),
    (
        _corpora_mistakes,
        pairs.mistakes,
        _text_of_pairs_mistakes,
        models.mistakes,
        methods.mistakes,
        rate_search.mistakes,
    ),
    (hash_mistakes,),
    (comet_mistakes,),
    (_anchor_mistakes, studies.mistakes, training.study_mistakes),
    (models.study_mistakes, methods.study_mistakes),
    (held_out.mistakes,),
    (finding_mistakes,),
)
"""The checks of all sections: those of a stage take for granted that those before it have found nothing."""


def complaints(configuration: Configuration) -> Iterator[str]:
    """One sentence per mistake; later stages are only asked where earlier ones find nothing."""
    for stage in STAGES:
        found = list(dict.fromkeys(mistake for check in stage for mistake in check(configuration)))
        yield from found
        if found:
            return

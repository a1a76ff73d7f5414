"""What can be wrong between the parts of a configuration whose form is right."""

import re
from collections.abc import Iterator
from pathlib import Path

from mtpeft.cells import LABEL_PATTERN, RESERVED
from mtpeft.config.resolve import languages_of, method_sites, model_shape, pair_languages
from mtpeft.config.schema import Configuration, Corpus, Model, Study
from mtpeft.config.sentences import listed, nearest
from mtpeft.errors import UserError
from mtpeft.methods import METHODS
from mtpeft.methods.budget import reach
from mtpeft.models.shapes import ModelShape

CATALOGUES = ("corpora", "pairs", "sizes", "models", "methods", "budgets", "studies")
FIGURES = ("budgets", "languages", "models", "data_sizes")


def complaints(configuration: Configuration) -> Iterator[str]:
    """One sentence per mistake; those of a later kind are only looked for where there is none of an earlier kind."""
    for group in (_unsafe_labels, _catalogue_mistakes, _study_mistakes, _budget_mistakes):
        found = list(group(configuration))
        yield from found
        if found:
            return


def _unsafe_labels(configuration: Configuration) -> Iterator[str]:
    for catalogue in CATALOGUES:
        for label in getattr(configuration, catalogue):
            if not re.fullmatch(LABEL_PATTERN, label):
                yield (
                    f"'{catalogue}.{label}' is a label that is unsafe in a path; "
                    "use letters, digits, dot, dash, plus and underscore, and begin with a letter or a digit."
                )
            elif label in RESERVED:
                yield f"'{catalogue}.{label}' is a reserved label ({listed(RESERVED)}); choose another one."


def _catalogue_mistakes(configuration: Configuration) -> Iterator[str]:
    for label, corpus in configuration.corpora.items():
        yield from _corpus_mistakes(f"corpora.{label}", corpus)
    for label, pair in configuration.pairs.items():
        yield from _unknown(f"pairs.{label}.corpus", [pair.corpus], configuration.corpora, "corpora")
        yield from _pair_mistakes(configuration, label)
    for label, model in configuration.models.items():
        yield from _model_mistakes(configuration, f"models.{label}", model)
    for label, options in configuration.methods.items():
        rates = getattr(options, "learning_rate", None)
        if isinstance(rates, dict):
            named = sorted(set(rates) - {"default"})
            yield from _unknown(f"methods.{label}.learning_rate", named, configuration.sizes, "sizes")


def _corpus_mistakes(key: str, corpus: Corpus) -> Iterator[str]:
    if bool(corpus.wheels) == bool(corpus.files):
        yield f"'{key}' must have either 'wheels' or 'files', and not both."
    if corpus.wheels and not corpus.written_in:
        yield f"'{key}.written_in' is missing; write the language that the messages were written in, such as 'en'."
    for part in ("files", "dev_files", "test_files"):
        files = getattr(corpus, part)
        if files and files.tsv and len(files.columns) < 2:
            yield f"'{key}.{part}.columns' must name the column of two languages, such as {{sw: 0, en: 1}}."
        if files and not files.tsv and len(files.__pydantic_extra__ or {}) < 2:
            yield f"'{key}.{part}' must name the file of two languages, such as {{sw: text.sw, en: text.en}}."


def _pair_mistakes(configuration: Configuration, label: str) -> Iterator[str]:
    corpus = configuration.corpora.get(configuration.pairs[label].corpus)
    try:
        sides = pair_languages(configuration, label)
    except UserError as error:
        yield str(error)
        return
    known = languages_of(corpus) if corpus else None
    for side, language in zip(("source", "target"), sides, strict=True):
        if known and language not in known:
            yield (
                f"'pairs.{label}.{side}' is '{language}', but the files of its corpus "
                f"have the languages {listed(known)}{nearest(language, known) or '.'}"
            )


def _model_mistakes(configuration: Configuration, key: str, model: Model) -> Iterator[str]:
    if (model.pretrain is None) == (model.path is None):
        yield f"'{key}' must have either 'pretrain' or 'path', and not both."
        return
    if pretrain := model.pretrain:
        yield from _unknown(f"{key}.pretrain.pairs", pretrain.pairs, configuration.pairs, "pairs")
        if pretrain.d_model % pretrain.heads:
            yield f"'{key}.pretrain.d_model' is {pretrain.d_model}, which {pretrain.heads} heads do not divide."
    elif not Path(str(model.path)).is_dir():
        yield f"'{key}.path' is '{model.path}', but there is no such folder; write the folder of a model."


def _anchor_mistakes(configuration: Configuration, label: str, corpus: Corpus) -> Iterator[str]:
    if corpus.files:
        return
    pairs = [pair for pair, entry in configuration.pairs.items() if entry.corpus == label]
    sides = {frozenset(pair_languages(configuration, pair)) for pair in pairs}
    written = corpus.written_in
    for language in corpus.split.present_in:
        if frozenset((language, written)) not in sides:
            yield (
                f"'corpora.{label}.split.present_in' names '{language}', but no entry of 'pairs' has it; "
                f"add '{language}-{written}: {{corpus: {label}}}' to 'pairs', or take it out."
            )


def _study_mistakes(configuration: Configuration) -> Iterator[str]:
    for label, corpus in configuration.corpora.items():
        yield from _anchor_mistakes(configuration, label, corpus)
    for label, study in configuration.studies.items():
        key = f"studies.{label}"
        if (study.figure or label) not in FIGURES:
            yield f"'{key}.figure' is missing; write which figure is drawn: {listed(FIGURES)}."
        for catalogue in ("models", "pairs", "sizes", "methods", "budgets"):
            yield from _unknown(
                f"{key}.{catalogue}", getattr(study, catalogue), getattr(configuration, catalogue), catalogue
            )
        for method in study.methods:
            yield from _rate_mistakes(configuration, key, study, method)
        sized = [name for name in study.methods if _is_sized(configuration, name)]
        if sized and not study.budgets:
            yield f"'{key}' has no cells for {listed(sized)}, which need a budget; write '{key}.budgets'."


def _rate_mistakes(configuration: Configuration, key: str, study: Study, method: str) -> Iterator[str]:
    rates = getattr(configuration.methods.get(method), "learning_rate", None)
    if isinstance(rates, dict) and "default" not in rates:
        for size in sorted(set(study.sizes) - set(rates)):
            yield f"'methods.{method}.learning_rate' has no rate for size '{size}' of '{key}'; add it or 'default'."


def _is_sized(configuration: Configuration, method: str) -> bool:
    return method in configuration.methods and METHODS[configuration.methods[method].tuner].trains == "sized"


def _budget_mistakes(configuration: Configuration) -> Iterator[str]:
    shapes: dict[str, ModelShape] = {}
    for label, study in configuration.studies.items():
        for model in study.models:
            try:
                shape = shapes.setdefault(model, model_shape(configuration, model))
            except UserError as error:
                yield str(error)
                continue
            yield from _out_of_reach(configuration, f"studies.{label}.budgets", study, shape=shape, model=model)


def _out_of_reach(
    configuration: Configuration, key: str, study: Study, *, shape: ModelShape, model: str
) -> Iterator[str]:
    for method in filter(lambda name: _is_sized(configuration, name), study.methods):
        low, high = reach(method_sites(configuration, method, shape))
        for budget in study.budgets:
            share = configuration.budgets[budget]
            if not low <= int(share * shape.total) <= high:
                yield (
                    f"'{key}' asks for '{budget}' ({share:.3%} of '{model}'), which method '{method}' can't meet: "
                    f"it reaches {low / shape.total:.3%} to {high / shape.total:.3%}."
                )


def _unknown(key: str, labels: object, catalogue: dict[str, object], name: str) -> Iterator[str]:
    for label in labels:
        if label not in catalogue:
            hint = nearest(label, catalogue) or f"; there are {listed(catalogue)}."
            yield f"'{key}' names '{label}', which is not in '{name}'{hint}"

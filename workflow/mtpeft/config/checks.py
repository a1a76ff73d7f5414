"""What can be wrong between the parts of a configuration whose form is right."""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations, product

from mtpeft.cells import JOIN, LABEL_PATTERN, RESERVED
from mtpeft.config.cleaning import words_of
from mtpeft.config.comet_checks import comet_mistakes
from mtpeft.config.corpora import Corpus
from mtpeft.config.dataset_checks import dataset_mistakes, hash_mistakes, pair_dataset_mistakes
from mtpeft.config.extension_checks import extension_mistakes
from mtpeft.config.figures import EFFICIENCY, study_figures
from mtpeft.config.file_checks import file_mistakes, lacking_languages
from mtpeft.config.finding_checks import finding_mistakes
from mtpeft.config.groups import pair_mistakes
from mtpeft.config.metric_checks import figure_metric_mistakes
from mtpeft.config.model_checks import contaminated_models, frozen_mistakes, language_mistakes, sharding_mistakes
from mtpeft.config.models import Model
from mtpeft.config.other_checks import also_score_mistakes
from mtpeft.config.prompt_checks import prompt_mistakes
from mtpeft.config.rate_checks import missing_rates, rate_mistakes, tuning_mistakes
from mtpeft.config.representations import representation_mistakes
from mtpeft.config.resolve import (
    ONE_PAIR,
    languages_of,
    method_sites,
    model_shape,
    pair_languages,
)
from mtpeft.config.schema import Block, Configuration, Study
from mtpeft.config.sentences import listed, unknown
from mtpeft.config.stage_checks import stage_mistakes, stages_beside_new_entries, stages_in_a_model
from mtpeft.config.test_sets import test_set_mistakes
from mtpeft.config.value_checks import value_mistakes
from mtpeft.core.errors import UserError
from mtpeft.core.languages import is_language
from mtpeft.methods import METHODS
from mtpeft.methods.budget import reach, reachable
from mtpeft.models.architecture import ModelShape

CATALOGUES = ("corpora", "pairs", "sizes", "models", "methods", "budgets", "studies", "findings")
LONGEST_LABEL = 64
"""Characters of a label; folders and files are named by up to three of them, and by a digest."""


def complaints(configuration: Configuration) -> Iterator[str]:
    """One sentence per mistake; those of a later kind are only looked for where there is none of an earlier kind."""
    groups = (
        _unsafe_labels,
        _catalogue_mistakes,
        hash_mistakes,
        comet_mistakes,
        _study_mistakes,
        value_mistakes,
        _model_limits,
        contaminated_models,
        finding_mistakes,
    )
    for group in groups:
        found = list(dict.fromkeys(group(configuration)))
        yield from found
        if found:
            return


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


def _catalogue_mistakes(configuration: Configuration) -> Iterator[str]:
    for label, corpus in configuration.corpora.items():
        yield from _corpus_mistakes(f"corpora.{label}", corpus)
    for label, pair in configuration.pairs.items():
        yield from unknown(f"pairs.{label}.corpus", [pair.corpus], configuration.corpora, "corpora")
        yield from _pair_mistakes(configuration, label)
    for label, model in configuration.models.items():
        yield from _model_mistakes(configuration, f"models.{label}", model)
    for label, options in configuration.methods.items():
        yield from _reference_mistakes(label, options.tuner)
        yield from rate_mistakes(configuration, label)
        yield from stage_mistakes(configuration, label)
    yield from tuning_mistakes(configuration)


def _reference_mistakes(label: str, tuner: str) -> Iterator[str]:
    """Figures know reference rows and full fine-tuning by their labels."""
    named = {name for name, method in METHODS.items() if method.trains in ("all", "nothing")}
    if label in named and label != tuner:
        yield f"'methods.{label}.tuner' is '{tuner}', but '{label}' is the name of another tuner; choose another label."
    elif tuner in named - {"full"} and label != tuner:
        yield f"'methods.{label}' is a reference row, which the figures know as '{tuner}'; give it that label."


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


def _pair_mistakes(configuration: Configuration, label: str) -> Iterator[str]:
    corpus = configuration.corpora.get(configuration.pairs[label].corpus)
    try:
        sides = pair_languages(configuration, label)
    except UserError as error:
        yield str(error)
        return
    known = languages_of(corpus) if corpus else None
    for side, language in zip(("source", "target"), sides, strict=True):
        if not is_language(language):
            yield (
                f"'pairs.{label}' has the {side} '{language}', which is no language code that anybody knows; write one "
                "such as 'sw' or 'pt-BR'."
            )
        elif known and language not in known:
            yield (
                f"'pairs.{label}.{side}' is '{language}', but the files of its corpus "
                f"have the languages {listed(known)}; write one of these, or add the file."
            )
    if corpus:
        key = f"corpora.{configuration.pairs[label].corpus}"
        yield from lacking_languages(label, corpus=corpus, key=key, sides=sides)
    if corpus and all(map(is_language, sides)):
        yield from pair_dataset_mistakes(configuration, label)


def _model_mistakes(configuration: Configuration, key: str, model: Model) -> Iterator[str]:
    if [model.pretrain, model.path, model.hub, model.extend].count(None) != 3:
        yield f"'{key}' must have one of 'pretrain', 'path', 'hub' and 'extend', and no other."
        return
    if model.prompt is not None:
        yield from prompt_mistakes(key, model)
    if model.sharded and model.gpus == 1:
        yield f"'{key}.sharded' needs several GPUs to put shards on; write how many in '{key}.gpus'."
    if model.seen:
        yield from unknown(f"{key}.seen.parallel", model.seen.parallel, configuration.pairs, "pairs")
    if model.extend:
        yield from extension_mistakes(configuration, f"{key}.extend", model.extend)
        return
    if pretrain := model.pretrain:
        for name in ("pairs", "vocabulary_pairs"):
            yield from unknown(f"{key}.pretrain.{name}", getattr(pretrain, name), configuration.pairs, "pairs")
        if pretrain.d_model % pretrain.heads:
            yield (
                f"'{key}.pretrain.d_model' is {pretrain.d_model}, which {pretrain.heads} heads do not divide; "
                "write a multiple of 'heads'."
            )
        yield from _nothing_left(configuration, f"{key}.pretrain.pairs", pretrain.pairs)
        return
    try:
        model_shape(configuration, key.split(".", 1)[1])
    except UserError as error:
        yield str(error)


def _nothing_left(configuration: Configuration, key: str, pairs: Sequence[str]) -> Iterator[str]:
    """Pairs whose corpus gives all its text to fine-tuning."""
    for pair in pairs:
        label = configuration.pairs[pair].corpus if pair in configuration.pairs else None
        if label in configuration.corpora and configuration.corpora[label].split.tuning is None:
            yield (
                f"'{key}' names '{pair}', but all text of its corpus is for fine-tuning; "
                f"write how much of it is in 'corpora.{label}.split.tuning'."
            )


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
    if not configuration.studies:
        yield "'studies' has no study; write one, or leave one in."
    for label, corpus in configuration.corpora.items():
        yield from _anchor_mistakes(configuration, label, corpus)
    for label, study in configuration.studies.items():
        key = f"studies.{label}"
        if (study.figure or label) not in study_figures():
            yield f"'{key}.figure' is missing; write which figure is drawn: {listed(study_figures())}."
        yield from also_score_mistakes(configuration, label)
        yield from representation_mistakes(configuration, label)
        yield from figure_metric_mistakes(configuration, label)
        places = (key, *(f"{key}.also.{number}" for number, _ in enumerate(study.also)))
        for place, written, whole in zip(places, (study, *study.also), study.blocks, strict=True):
            yield from _unknown_labels(configuration, place, written)
            for method in whole.methods:
                yield from missing_rates(configuration, key, whole, method)
            sized = [name for name in whole.methods if _is_sized(configuration, name)]
            if sized and not whole.budgets:
                yield f"'{place}' has no cells for {listed(sized)}, which need a budget; write '{place}.budgets'."


def _unknown_labels(configuration: Configuration, key: str, written: Study | Block) -> Iterator[str]:
    for label in written.pairs or ():
        yield from pair_mistakes(configuration, f"{key}.pairs", label)
    for catalogue in ("models", "sizes", "methods", "budgets"):
        labels = getattr(written, catalogue) or ()
        yield from unknown(f"{key}.{catalogue}", labels, getattr(configuration, catalogue), catalogue)


def _is_sized(configuration: Configuration, method: str) -> bool:
    return method in configuration.methods and METHODS[configuration.methods[method].tuner].trains == "sized"


def _model_limits(configuration: Configuration) -> Iterator[str]:
    """Methods, languages and budgets that a study asks for and its models don't have."""
    known = {model: model_shape(configuration, model) for model in configuration.models}
    shapes = {model: shape for model, shape in known.items() if shape}
    for label, study in configuration.studies.items():
        for block in study.blocks:
            yield from frozen_mistakes(configuration, f"studies.{label}", block)
            yield from sharding_mistakes(configuration, f"studies.{label}", block)
            yield from language_mistakes(configuration, f"studies.{label}", block)
            for model in block.models:
                told = {"shape": known[model], "model": model}
                yield from stages_beside_new_entries(configuration, f"studies.{label}", block, **told)
            for model in filter(shapes.__contains__, block.models):
                told = {"shape": shapes[model], "model": model}
                staged = list(stages_in_a_model(configuration, block, **told))
                yield from staged
                if staged:
                    continue
                yield from _nothing_to_train(configuration, f"studies.{label}", block, **told)
                key = f"studies.{label}.budgets"
                yield from _out_of_reach(configuration, key, block, **told)


def _nothing_to_train(
    configuration: Configuration, key: str, study: Study, *, shape: ModelShape, model: str
) -> Iterator[str]:
    """Methods of one size that have no place in a model, such as biases where there are none."""
    for method in study.methods:
        is_point = METHODS[configuration.methods[method].tuner].trains == "point"
        if is_point and not method_sites(configuration, method, shape):
            yield f"'{key}.methods' names '{method}', which has nothing to train in '{model}'; take it out."


def _out_of_reach(
    configuration: Configuration, key: str, study: Study, *, shape: ModelShape, model: str
) -> Iterator[str]:
    sized = [name for name in study.methods if _is_sized(configuration, name)]
    groups = [pair for pair in study.pairs if JOIN in pair]
    any_pair = [ONE_PAIR] if len(groups) < len(study.pairs) else []
    for method, pair in product(sized, [*any_pair, *groups]):
        sites = method_sites(configuration, method, shape, pair)
        low, high = reach(sites)
        for budget in study.budgets:
            share = configuration.budgets[budget]
            if not low <= int(share * shape.total) <= high:
                on = f" on '{pair}'" if pair != ONE_PAIR else ""
                yield (
                    f"'{key}' asks for '{budget}' ({share:.3%} of '{model}'), which method '{method}' can't meet{on}: "
                    f"it reaches {reachable(sites, shape.total)}; change 'budgets.{budget}' or take one of the two out."
                )

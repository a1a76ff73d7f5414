"""Paths and labels: names of folders and files bear digests after the labels of the catalogues."""

import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import (
    ANY,
    CELLS_FOLDER,
    DIGEST_PATTERN,
    DIMENSIONS,
    FIXED,
    OTHERS_FOLDER,
    RESERVED,
    Cell,
    OnPair,
    label_of,
    members_of,
)
from mtpeft.config import corpora as corpora_config
from mtpeft.config import metrics as metrics_config
from mtpeft.config import model_shapes, serving, studies
from mtpeft.core.errors import UserError
from mtpeft.data import sources
from mtpeft.steps.base_models import (
    model_home,
    model_name,
    tokens_folder,
    vocabulary_folder,
    vocabulary_name,
)
from mtpeft.steps.calibrate import calibrations
from mtpeft.steps.cells_of_studies import placed_cells
from mtpeft.steps.choose_subset import size_name
from mtpeft.steps.decontaminate_pair import pair_folder, pair_name
from mtpeft.steps.downloads import download_file, download_name, download_record
from mtpeft.steps.install_metric import record as environment_record
from mtpeft.steps.search_rate import searches
from mtpeft.steps.split_corpus import corpus_name, split_file
from mtpeft.steps.split_experts import experts_name
from mtpeft.steps.step import Labels
from mtpeft.steps.take_in_metric import model_record
from mtpeft.steps.train import placed

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def constraints(configuration: "Configuration") -> dict[str, str]:
    """Pattern of each wildcard: the labels that the configuration knows, which makes paths unambiguous."""
    downloads = corpora_config.all_downloads(configuration).values()
    vocabularies = {model_shapes.vocabulary_of(configuration, model) for model in configuration.models}
    known: dict[str, Iterable[str]] = {
        "corpus": [corpus_name(configuration, corpus) for corpus in configuration.corpora],
        **{
            source.wildcard: [download_name(download) for download in downloads if download.source == name]
            for name, source in sources.SOURCES.entries.items()
            if source.wildcard
        },
        "test_set": [corpora_config.OWN_TEST_SET, *corpora_config.more_test_sets(configuration)],
        "part": [corpora_config.OWN_TEST_SET, *corpora_config.more_test_sets(configuration)],
        "study": configuration.studies,
        "model": [*configuration.models, ANY],
        "vocabulary": [vocabulary_name(configuration, vocabulary) for vocabulary in vocabularies],
        "pair": [pair_name(configuration, pair) for pair in configuration.pairs],
        "other": [*configuration.pairs, *(pair_name(configuration, pair) for pair in configuration.pairs)],
        "size": [*configuration.sizes, ANY],
        "method": configuration.methods,
        "budget": budgets(configuration),
        "experts": [experts_name(configuration)] if configuration.serving else [],
        "active": map(str, serving.active_experts(configuration)) if configuration.serving else [],
    }
    patterns = {name: any_of(labels) for name, labels in known.items()}
    return patterns | {"seed": rf"(?:\d+|{ANY}){DIGEST_PATTERN}", "draw": rf"\d+|{FIXED}"}


def any_of(names: Iterable[str]) -> str:
    """Pattern of names."""
    return "|".join(map(re.escape, sorted(names))) or "(?!)"


def budgets(configuration: "Configuration") -> list[str]:
    """Labels of budgets, those that no catalogue has included."""
    return [*configuration.budgets, *RESERVED]


def with_digest(labels: Iterable[str]) -> str:
    """Pattern of labels with any digest, for files whose digest is of more than what the label says."""
    return rf"(?:{any_of(labels)}){DIGEST_PATTERN}"


def subset_sizes(configuration: "Configuration", *, at_most: bool) -> str:
    """Pattern of the names of sizes."""
    return any_of(size_name(configuration, size, at_most=at_most) for size in configuration.sizes)


def further_test_sets(configuration: "Configuration") -> str:
    """Pattern of the names of test sets that are no corpus's own."""
    return any_of(corpora_config.more_test_sets(configuration))


def models_with(configuration: "Configuration", key: str) -> str:
    """Pattern of the names of models that have a key: each kind is made by a rule of its own."""
    labels = [label for label, model in configuration.models.items() if getattr(model, key)]
    return any_of(model_name(configuration, label) for label in labels)


def all_models(configuration: "Configuration") -> str:
    """Pattern of the names of all models."""
    return any_of(model_name(configuration, label) for label in configuration.models)


def labels_in(configuration: "Configuration", wildcards: Mapping[str, str]) -> dict[str, str]:
    """The wildcards as labels of the catalogues, without the digests that are in the names of folders.

    Raises:
        UserError: they name the folder of a cell that is of another configuration.
    """
    labels = {name: _label(configuration, name, value) for name, value in wildcards.items()}
    if "seed" in labels and labels["seed"] != wildcards["seed"]:
        cell = placed(configuration, Cell(*(labels[name] for name in DIMENSIONS)))
        own = OnPair(cell, labels["other"]) if "other" in labels else cell
        asked = CELLS_FOLDER / "/".join(wildcards[name] for name in DIMENSIONS)
        asked = asked / OTHERS_FOLDER / wildcards["other"] if "other" in labels else asked
        if own.folder != asked and labels.get("other") != cell.pair:
            raise UserError(
                f"{asked} belongs to a study for which its labels stand for something else than for this one; write "
                f"{own.folder}."
            )
    return labels


def _label(configuration: "Configuration", wildcard: str, value: str) -> str:
    """The label in the value of a wildcard; a known label is one, even if it looks as if it ended with a digest."""
    match wildcard:
        case "pair" | "other":
            bare = set(members_of(value)) <= configuration.pairs.keys()
        case "metric":
            bare = value in metrics_config.METRICS
        case "model" | "size" | "method" | "budget" | "corpus":
            name = {"corpus": "corpora"}.get(wildcard, f"{wildcard}s")
            bare = value in getattr(configuration, name)
        case _:
            bare = wildcard not in ("seed", "wheel", "dataset", "vocabulary")
    return value if bare else label_of(value)


def with_digests(configuration: "Configuration", target: str) -> str:
    """The path of a target where a user writes the labels of a cell or of a pair without their digests.

    Labels of a cell alone stand for its score.
    """
    cell = re.fullmatch(rf"(?:{CELLS_FOLDER}/)?((?:[^/]+/){{5}}(?:\d+|{ANY}))(/.+)?", target)
    if cell:
        folder = placed(configuration, Cell.parse(cell[1])).folder
        return f"{folder}{cell[2] or '/score.json'}"
    pair = re.fullmatch(r"data/pairs/([^/]+)/(.+)", target)
    if pair and pair[1] in configuration.pairs:
        return f"{pair_folder(configuration, pair[1])}/{pair[2]}"
    return target


def on_other(configuration: "Configuration", labels: Labels) -> dict[str, str]:
    """The labels of a cell with the other pair in the place of its own, on whose test sets it is scored.

    Raises:
        UserError: the pair is its own, or is none of its group and the cell has tuned no base model.
    """
    cell, other = Cell(*(labels[name] for name in DIMENSIONS)), labels["other"]
    if cell.pair == other:
        raise UserError(f"The cell {cell.path} is of '{other}' itself; its scores there are in its own score.json.")
    if other not in cell.members and not studies.is_tuned(configuration, cell):
        raise UserError(f"The cell {cell.path} tunes no base model, so it has forgotten nothing; name one that does.")
    return {name: label for name, label in labels.items() if name != "other"} | {"pair": other}


def in_use(configuration: "Configuration") -> set[str]:
    """Folders and files that bear a digest and belong to this configuration."""
    corpora, models = configuration.corpora, configuration.models
    downloads = corpora_config.all_downloads(configuration).values()
    fetched = [path for download in downloads for path in (download_file(download), download_record(download))]
    splits = [str(Path(split_file(configuration, corpus)).parent) for corpus in corpora]
    texts = [pair_folder(configuration, pair) for pair in configuration.pairs]
    tokens = [tokens_folder(configuration, model, pair) for model in models for pair in configuration.pairs]
    vocabularies = [
        vocabulary_folder(configuration, model_shapes.vocabulary_of(configuration, model)) for model in models
    ]
    homes = [model_home(configuration, model) for model in models]
    asked = metrics_config.metrics_asked_for(configuration)
    records = [own(metric) for metric in asked for own in (partial(model_record, configuration), environment_record)]
    scorers = [str(Path(record).parent) for record in records]
    cells = [str(cell.folder) for cell in placed_cells(configuration)]
    return {
        *fetched,
        *scorers,
        *splits,
        *texts,
        *tokens,
        *vocabularies,
        *homes,
        *searches(configuration),
        *calibrations(configuration),
        *cells,
    }

"""Where the files of the workflow lie: inputs of its rules as functions of the configuration and the wildcards."""

import re
import shlex
from collections.abc import Iterable, Mapping

from mtpeft.cells import (
    ANY,
    DIGEST_PATTERN,
    DIMENSIONS,
    FIXED,
    RESERVED,
    Cell,
)
from mtpeft.config import folders
from mtpeft.config.corpora import (
    OWN_TEST_SET,
    all_downloads,
    anchor_pairs,
    more_test_sets,
    test_downloads,
    test_params,
    test_sets,
    used_corpora,
)
from mtpeft.config.corpus_settings import user_files
from mtpeft.config.methods import require_trainable
from mtpeft.config.models import vocabulary_of
from mtpeft.config.pairs import require_sorted
from mtpeft.config.rates import CLASS, trial_cells
from mtpeft.config.schema import Configuration
from mtpeft.config.settings import class_cell, needs_search, text_settings
from mtpeft.config.studies import EFFICIENCY, all_cells, drawn_cells, rate_classes
from mtpeft.config.wildcards import Wildcards
from mtpeft.core.errors import UserError
from mtpeft.data.sources import SOURCES, source_of
from mtpeft.methods import METHODS
from mtpeft.methods.base import Method

FORMATS = ("pdf", "svg", "png")
TRAINING_PARTS = ("train", "dev", "pretrain")


def constraints(configuration: Configuration) -> dict[str, str]:
    """Pattern of each wildcard: the labels that the configuration knows, which makes paths unambiguous."""
    corpora, downloads = configuration.corpora, all_downloads(configuration).values()
    vocabularies = {vocabulary_of(configuration, model) for model in configuration.models}
    known: dict[str, Iterable[str]] = {
        "corpus": [folders.corpus_name(configuration, corpus) for corpus in corpora],
        **{
            source.wildcard: [folders.download_name(each) for each in downloads if each.source == name]
            for name, source in SOURCES.entries.items()
            if source.wildcard
        },
        "test_set": [OWN_TEST_SET, *more_test_sets(configuration)],
        "study": configuration.studies,
        "model": [*configuration.models, ANY],
        "vocabulary": [folders.vocabulary_name(configuration, vocabulary) for vocabulary in vocabularies],
        "pair": [folders.pair_name(configuration, pair) for pair in configuration.pairs],
        "other": [*configuration.pairs, *(folders.pair_name(configuration, pair) for pair in configuration.pairs)],
        "size": [*configuration.sizes, ANY],
        "method": configuration.methods,
        "budget": budgets(configuration),
    }
    patterns = {name: any_of(labels) for name, labels in known.items()}
    return patterns | {"seed": rf"(?:\d+|{ANY}){DIGEST_PATTERN}", "draw": rf"\d+|{FIXED}"}


def any_of(names: Iterable[str]) -> str:
    """Pattern of names."""
    return "|".join(map(re.escape, sorted(names))) or "(?!)"


def budgets(configuration: Configuration) -> list[str]:
    """Labels of budgets, those that no catalogue has included."""
    return [*configuration.budgets, *RESERVED]


def subset_sizes(configuration: Configuration, *, at_most: bool) -> str:
    """Pattern of the names of sizes."""
    return any_of(folders.size_name(configuration, size, at_most=at_most) for size in configuration.sizes)


def with_digest(labels: Iterable[str]) -> str:
    """Pattern of labels with any digest, for files whose digest is of more than what the label says."""
    return rf"(?:{any_of(labels)}){DIGEST_PATTERN}"


def cell_of(wildcards: Wildcards) -> Cell:
    """The cell that six wildcards name."""
    return Cell(*(wildcards[name] for name in DIMENSIONS))


def archives(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Files to download for the text of a pair."""
    return folders.archives_of(configuration, wildcards["pair"])


def own_files(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """The user's own files that a pair is made of."""
    return user_files(configuration, wildcards["pair"])


def anchors(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Cleaned text by which a corpus is split."""
    pairs = anchor_pairs(configuration, wildcards["corpus"])
    return [f"{folders.pair_folder(configuration, pair)}/clean.tsv" for pair in pairs]


def split_of(configuration: Configuration, wildcards: Wildcards) -> str:
    """The split of a pair's corpus."""
    return folders.split_file(configuration, configuration.pairs[wildcards["pair"]].corpus)


def other_splits(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Splits of the other corpora that studies use, and further test sets: training in one may leak into another."""
    own = configuration.pairs[wildcards["pair"]].corpus
    others = [folders.split_file(configuration, corpus) for corpus in used_corpora(configuration) if corpus != own]
    return [*others, *folders.given_texts(configuration)]


def text_records(configuration: Configuration) -> list[str]:
    """Records of the text of all pairs that are trained, searched or scored on, with what a user should know of it."""
    used = set(used_corpora(configuration))
    pairs = [pair for pair, entry in configuration.pairs.items() if entry.corpus in used]
    own = [folders.pair_folder(configuration, pair) for pair in pairs]
    records = [f"{folder}/{record}.json" for folder in own for record in ("clean", "parts")]
    return [*records, *folders.given_texts(configuration)]


def more_tests(configuration: Configuration) -> str:
    """Pattern of the names of test sets that are no corpus's own, and are made by a rule of their own."""
    return any_of(more_test_sets(configuration))


def test_archives(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Files to download for a named test set of a pair."""
    downloads = test_downloads(configuration, wildcards["pair"], wildcards["test_set"])
    return list(map(folders.download_file, downloads))


def test_files(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """The user's own files that a named test set of a pair is read from."""
    params = test_params(configuration, wildcards["pair"], wildcards["test_set"])
    return list(map(str, source_of(params).files(params)))


def train_inputs(configuration: Configuration, wildcards: Wildcards) -> Mapping[str, list[str]]:
    """What a cell is trained from, by the name of the option that takes it; never anything of the test set."""
    cell = cell_of(wildcards)
    inputs = training_files(configuration, cell)
    if needs_search(configuration, cell):
        inputs["rate"] = [folders.rates_file(configuration, cell)]
    return inputs


def tune_inputs(configuration: Configuration, wildcards: Wildcards) -> Mapping[str, list[str]]:
    """What the trials of a search are trained from, by the name of the option that takes it: one base model, and of all
    else a file for each pair and seed.
    """
    labels = {name: wildcards[name] for name in CLASS}
    inputs: dict[str, list[str]] = {}
    for cell in trial_cells(configuration, Cell(pair=ANY, seed=ANY, **labels)):
        files = training_files(configuration, cell)
        inputs = {name: [*inputs.get(name, []), *own] if name != "base" else own for name, own in files.items()}
    return inputs


def searches(configuration: Configuration) -> list[str]:
    """Records of the searches for all learning rates that are searched for."""
    return [folders.rates_file(configuration, class_cell(*labels)) for labels in rate_classes(configuration)]


def training_files(configuration: Configuration, cell: Cell) -> dict[str, list[str]]:
    """What a cell is trained from but for its rate, by the name of the option that takes it: a file for each pair of a
    group, in its order, and one base model.
    """
    method = METHODS[configuration.methods[cell.method].method]
    _require_canonical(cell, method)
    require_trainable(configuration, cell)
    inputs: dict[str, list[str]] = {}
    if cell.model != ANY:
        inputs["base"] = [folders.base_file(configuration, cell.model)]
    for pair in cell.members:
        for name, file in _files_of_pair(configuration, cell, pair).items():
            inputs.setdefault(name, []).append(file)
    return inputs


def _files_of_pair(configuration: Configuration, cell: Cell, pair: str) -> dict[str, str]:
    """What a cell is trained from of one pair; a pair of a group that has fewer sentences than its size gives all."""
    method = METHODS[configuration.methods[cell.method].method]
    files = {}
    if cell.size != ANY:
        files["subset"] = folders.subset_file(configuration, cell, pair)
    if method.trains != "nothing":
        arrays = folders.tokens_folder(configuration, cell.model, pair)
        files["train"], files["dev"] = f"{arrays}/train.safetensors", f"{arrays}/dev.safetensors"
        files["dev-text"] = f"{folders.pair_folder(configuration, pair)}/dev.tsv"
    if method.starts_as_base:
        files["start"] = folders.start_file(configuration, cell.model, pair)
    return files


def _require_canonical(cell: Cell, method: Method) -> None:
    """Refuse labels that mean nothing for a method: the same run would be made twice, under two names.

    Raises:
        UserError: the cell has another name.
    """
    require_sorted(cell)
    if cell.is_group and method.trains == "nothing":
        raise UserError(f"The cell {cell.path} trains nothing; name one of each pair, such as '{cell.members[0]}'.")
    budget = method.budget_labels[0] if method.budget_labels else cell.budget
    wanted = dict.fromkeys(method.free, ANY) | {"budget": budget}
    for name, label in wanted.items():
        if getattr(cell, name) != label:
            raise UserError(
                f"The cell {cell.path} has the {name} '{getattr(cell, name)}'; for its method write '{label}'."
            )
    meaningless = [name for name, label in cell.named.items() if label == ANY and wanted.get(name) != ANY]
    if meaningless or (method.budget_labels is None and cell.budget in RESERVED):
        raise UserError(f"The cell {cell.path} needs a label of the catalogue as its {(meaningless or ['budget'])[0]}.")


def decode_inputs(configuration: Configuration, wildcards: Wildcards) -> Mapping[str, str | list[str]]:
    """What a cell is decoded from besides its own files, by the name of the option that takes it."""
    cell = cell_of(wildcards)
    if cell.model != ANY:
        arrays = folders.tokens_folder(configuration, cell.model, cell.pair)
        return {"tests": [f"{arrays}/{name}.safetensors" for name in test_sets(configuration, cell.pair)]}
    return {
        "tests": references(configuration, wildcards),
        "memory": f"{folders.pair_folder(configuration, cell.pair)}/train.tsv",
        "subset": folders.subset_file(configuration, cell, cell.pair),
    }


def tested(configuration: Configuration) -> dict[str, list[str]]:
    """Text and token arrays of all test sets that a model of the studies reads."""
    rows = text_settings(configuration)["tested"]
    arrays = [(folders.tokens_folder(configuration, row["model"], row["pair"]), row["test_set"]) for row in rows]
    return {
        "texts": [test_set(configuration, row["pair"], row["test_set"]) for row in rows],
        "arrays": [f"{folder}/{name}.safetensors" for folder, name in arrays],
    }


def references(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Text of the test sets of a pair."""
    pair = wildcards["pair"]
    return [test_set(configuration, pair, name) for name in test_sets(configuration, pair)]


def test_set(configuration: Configuration, pair: str, name: str) -> str:
    """Text of a test set of a pair."""
    return f"{folders.pair_folder(configuration, pair)}/{name}.tsv"


def cell_files(cells: Iterable[Cell], name: str) -> list[str]:
    """One file of each cell, and of a group one for each pair that it is scored on."""
    return [f"{measured.folder}/{name}" for cell in cells for measured in cell.measured]


def cell_records(cells: Iterable[Cell]) -> list[str]:
    """All records of cells: of the training, and of decoding and scoring, of a group for each pair that it is scored
    on. Tables read them all; one that nobody asked for would never be made again where it is lost.
    """
    chosen = list(cells)
    trained = [f"{cell.folder}/train.json" for cell in chosen]
    return [*trained, *cell_files(chosen, "decode.json"), *cell_files(chosen, "score.json")]


def study_records(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Records of every cell that the study in the wildcards is drawn from."""
    return cell_records(drawn_cells(configuration, wildcards["study"]))


def all_records(configuration: Configuration) -> list[str]:
    """Records of every cell."""
    return cell_records(all_cells(configuration))


def all_parts(configuration: Configuration, pairs: Iterable[str]) -> list[str]:
    """Records of how the text of pairs was divided."""
    return [f"{folders.pair_folder(configuration, pair)}/parts.json" for pair in pairs]


def figures(configuration: Configuration) -> list[str]:
    """Figure files of all studies, and of what all their cells cost."""
    return [file for label in (*configuration.studies, EFFICIENCY) for file in figures_of(configuration, label)]


def figures_of(configuration: Configuration, label: str) -> list[str]:
    """Files of one figure."""
    return [f"{folders.results_folder(configuration)}/figures/{label}.{suffix}" for suffix in FORMATS]


def flat(named: Mapping[str, str | list[str]]) -> list[str]:
    """All paths of a mapping."""
    return [path for paths in named.values() for path in ([paths] if isinstance(paths, str) else paths)]


def as_options(named: Mapping[str, str | list[str]]) -> str:
    """Named paths as `--name path` options of a shell command, quoted."""
    return " ".join(f"--{name} {shlex.join(flat({name: paths}))}" for name, paths in named.items())

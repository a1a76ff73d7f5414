"""Where the files of the workflow lie: inputs of its rules as functions of the configuration and the wildcards."""

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from mtpeft.cells import ALL, ANY, DIMENSIONS, NATIVE, RESERVED, Cell
from mtpeft.config.claims import claim_cells
from mtpeft.config.corpus_settings import user_files
from mtpeft.config.datasets import all_datasets, datasets_of
from mtpeft.config.groups import require_sorted
from mtpeft.config.model_checks import require_trainable
from mtpeft.config.rates import CLASS, rates_file, trial_cell
from mtpeft.config.resolve import (
    anchor_pairs,
    used_corpora,
    vocabulary_of,
)
from mtpeft.config.schema import Configuration
from mtpeft.config.settings import class_cell, findings_settings, needs_search, text_settings
from mtpeft.config.studies import EFFICIENCY, all_cells, drawn_cells, rate_classes
from mtpeft.config.test_sets import PRIMARY, given_test, given_texts, more_test_sets, test_datasets, test_sets
from mtpeft.config.wildcards import Wildcards
from mtpeft.errors import UserError
from mtpeft.methods import METHODS
from mtpeft.methods.base import Method

FORMATS = ("pdf", "svg", "png")
TRAINING_PARTS = ("train", "dev", "pretrain")


def constraints(configuration: Configuration) -> dict[str, str]:
    """Pattern of each wildcard: the labels that the configuration knows, which makes paths unambiguous."""
    budgets = [*configuration.budgets, ALL, ANY, NATIVE]
    wheels = {name for corpus in configuration.corpora.values() for name in corpus.wheels}
    known: dict[str, Iterable[str]] = {
        "corpus": configuration.corpora,
        "wheel": wheels,
        "dataset": all_datasets(configuration),
        "test_set": [PRIMARY, *more_test_sets(configuration)],
        "study": configuration.studies,
        "model": [*configuration.models, ANY],
        "vocabulary": {vocabulary_of(configuration, model) for model in configuration.models},
        "pair": configuration.pairs,
        "other": configuration.pairs,
        "size": [*configuration.sizes, ANY],
        "method": configuration.methods,
        "budget": budgets,
    }
    patterns = {name: "|".join(map(re.escape, sorted(labels))) or "(?!)" for name, labels in known.items()}
    return patterns | {"seed": rf"\d+|{ANY}"}


def cell_of(wildcards: Wildcards) -> Cell:
    """The cell that six wildcards name."""
    return Cell(*(wildcards[name] for name in DIMENSIONS))


def archives(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Extracts of the wheels or of the datasets that a pair's corpus is made of."""
    corpus = configuration.pairs[wildcards["pair"]].corpus
    wheels = [f"data/wheels/{corpus}/{wheel}.zip" for wheel in configuration.corpora[corpus].wheels]
    parts = datasets_of(configuration, wildcards["pair"]).values()
    return [*wheels, *(f"data/mtdata/{dataset}.tsv.gz" for datasets in parts for dataset in datasets)]


def own_files(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """The user's own files that a pair is made of."""
    return user_files(configuration, wildcards["pair"])


def anchors(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Cleaned text by which a corpus is split."""
    return [f"data/pairs/{pair}/clean.tsv" for pair in anchor_pairs(configuration, wildcards["corpus"])]


def split_of(configuration: Configuration, wildcards: Wildcards) -> str:
    """The split of a pair's corpus."""
    return f"data/corpora/{configuration.pairs[wildcards['pair']].corpus}/split.json"


def other_splits(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Splits of the other corpora that studies use, and further test sets: training in one may leak into another."""
    own = configuration.pairs[wildcards["pair"]].corpus
    others = [f"data/corpora/{corpus}/split.json" for corpus in used_corpora(configuration) if corpus != own]
    return [*others, *given_texts(configuration)]


def text_records(configuration: Configuration) -> list[str]:
    """Records of the text of all pairs that are trained, searched or scored on, with what a user should know of it."""
    used = set(used_corpora(configuration))
    pairs = [pair for pair, entry in configuration.pairs.items() if entry.corpus in used]
    own = [f"data/pairs/{pair}/{record}.json" for pair in pairs for record in ("clean", "parts")]
    return [*own, *given_texts(configuration)]


def more_tests(configuration: Configuration) -> str:
    """Pattern of the names of test sets that are no corpus's own, and are made by a rule of their own."""
    return "|".join(map(re.escape, sorted(more_test_sets(configuration)))) or "(?!)"


def test_archives(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Datasets that a named test set of a pair is made of."""
    datasets = test_datasets(configuration, wildcards["pair"], wildcards["test_set"])
    return [f"data/mtdata/{dataset}.tsv.gz" for dataset in datasets]


def test_files(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """The user's own files that a named test set of a pair is made of."""
    given = given_test(configuration, wildcards["pair"], wildcards["test_set"])
    return [] if given.mtdata else list((given.both_sides or given.sides).values())


def train_inputs(configuration: Configuration, wildcards: Wildcards) -> Mapping[str, list[str]]:
    """What a cell is trained from, by the name of the option that takes it; never anything of the test set."""
    cell = cell_of(wildcards)
    inputs = training_files(configuration, cell)
    if needs_search(configuration, cell):
        inputs["rate"] = [rates_file(cell)]
    return inputs


def tune_inputs(configuration: Configuration, wildcards: Wildcards) -> Mapping[str, list[str]]:
    """What the trials of a search are trained from, by the name of the option that takes it."""
    labels = {name: wildcards[name] for name in CLASS}
    return training_files(configuration, trial_cell(configuration, Cell(pair=ANY, seed=ANY, **labels)))


def searches(configuration: Configuration) -> list[str]:
    """Records of the searches for all learning rates that are searched for."""
    return [rates_file(class_cell(*labels)) for labels in rate_classes(configuration)]


def training_files(configuration: Configuration, cell: Cell) -> dict[str, list[str]]:
    """What a cell is trained from but for its rate, by the name of the option that takes it: a file for each pair of a
    group, in its order, and one base model.
    """
    method = METHODS[configuration.methods[cell.method].tuner]
    _require_canonical(cell, method)
    require_trainable(configuration, cell)
    inputs: dict[str, list[str]] = {"base": [f"results/models/{cell.model}/base.json"]} if cell.model != ANY else {}
    for pair in cell.members:
        for name, file in _files_of_pair(configuration, cell, pair).items():
            inputs.setdefault(name, []).append(file)
    return inputs


def _files_of_pair(configuration: Configuration, cell: Cell, pair: str) -> dict[str, str]:
    """What a cell is trained from of one pair; a pair of a group that has fewer sentences than its size gives all."""
    method = METHODS[configuration.methods[cell.method].tuner]
    files = {}
    if cell.size != ANY:
        subsets = "subsets_at_most" if cell.is_group else "subsets"
        files["subset"] = f"data/pairs/{pair}/{subsets}/{cell.size}.txt"
    if method.trains != "nothing":
        arrays = f"data/tokens/{vocabulary_of(configuration, cell.model)}/{pair}"
        files["train"], files["dev"] = f"{arrays}/train.safetensors", f"{arrays}/dev.safetensors"
        files["dev-text"] = f"data/pairs/{pair}/dev.tsv"
    if method.starts_as_base:
        files["start"] = f"results/models/{cell.model}/start/{pair}.json"
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
    meaningless = [name for name, label in vars(cell).items() if label == ANY and wanted.get(name) != ANY]
    if meaningless or (method.budget_labels is None and cell.budget in RESERVED):
        raise UserError(f"The cell {cell.path} needs a label of the catalogue as its {(meaningless or ['budget'])[0]}.")


def decode_inputs(configuration: Configuration, wildcards: Wildcards) -> Mapping[str, str | list[str]]:
    """What a cell is decoded from besides its own files, by the name of the option that takes it."""
    cell = cell_of(wildcards)
    if cell.model != ANY:
        arrays = f"data/tokens/{vocabulary_of(configuration, cell.model)}/{cell.pair}"
        return {"tests": [f"{arrays}/{name}.safetensors" for name in test_sets(configuration, cell.pair)]}
    return {
        "tests": references(configuration, wildcards),
        "memory": f"data/pairs/{cell.pair}/train.tsv",
        "subset": f"data/pairs/{cell.pair}/subsets/{cell.size}.txt",
    }


def tested(configuration: Configuration) -> dict[str, list[str]]:
    """Text and token arrays of all test sets that a model of the studies reads."""
    rows = text_settings(configuration)["tested"]
    folders = [(f"data/pairs/{row['pair']}", row) for row in rows]
    arrays = [(f"data/tokens/{vocabulary_of(configuration, row['model'])}/{row['pair']}", row) for row in rows]
    return {
        "texts": [f"{folder}/{row['test_set']}.tsv" for folder, row in folders],
        "arrays": [f"{folder}/{row['test_set']}.safetensors" for folder, row in arrays],
    }


def references(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Text of the test sets of a pair."""
    return [test_set(wildcards["pair"], name) for name in test_sets(configuration, wildcards["pair"])]


def test_set(pair: str, name: str) -> str:
    """Text of a test set of a pair."""
    return f"data/pairs/{pair}/{name}.tsv"


def cell_files(cells: Iterable[Cell], name: str) -> list[str]:
    """One file of each cell, and of a group one for each pair that it is scored on."""
    return [f"{measured.folder}/{name}" for cell in cells for measured in cell.measured]


def study_records(name: str) -> Any:
    """Input function for one record of every cell that the study in the wildcards is drawn from."""

    def found(configuration: Configuration, wildcards: Wildcards) -> list[str]:
        return cell_files(drawn_cells(configuration, wildcards["study"]), name)

    return found


def all_records(configuration: Configuration, name: str) -> list[str]:
    """One record of every cell."""
    return cell_files(all_cells(configuration), name)


def finding_records(configuration: Configuration) -> list[str]:
    """Scores of the cells that the findings are tested on."""
    return cell_files(claim_cells(findings_settings(configuration)), "score.json")


def finding_parts(configuration: Configuration) -> list[str]:
    """Records of the pairs that the findings are tested on, where the similarity of the test sentences stands."""
    pairs = {cell.pair for cell in claim_cells(findings_settings(configuration))}
    return [f"data/pairs/{pair}/parts.json" for pair in sorted(pairs)]


def figures(studies: Iterable[str]) -> list[str]:
    """Figure files of studies, and of what all their cells cost."""
    return [file for label in (*studies, EFFICIENCY) for file in figures_of(label)]


def figures_of(label: str) -> list[str]:
    """Files of one figure."""
    return [f"results/figures/{label}.{suffix}" for suffix in FORMATS]


def flat(named: Mapping[str, str | list[str]]) -> list[str]:
    """All paths of a mapping."""
    return [path for paths in named.values() for path in ([paths] if isinstance(paths, str) else paths)]


def as_options(named: Mapping[str, str | list[str]]) -> str:
    """Named paths as `--name path` options of a shell command, quoted."""
    return " ".join(f"--{name} {shlex.join(flat({name: paths}))}" for name, paths in named.items())

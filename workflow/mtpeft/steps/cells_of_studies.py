"""The cells of studies with their folders, the records that tables and figures read, and the order of the jobs."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import ANY, DIMENSIONS, RATE_LABELS, Cell, OnPair, Served, cells_as_params
from mtpeft.config import figures as figures_config
from mtpeft.config import metrics, serving, start_from, studies
from mtpeft.steps.evaluate_base import start_file
from mtpeft.steps.split_experts import experts_name
from mtpeft.steps.step import Labels, Params
from mtpeft.steps.train import all_placed, placed

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration
    from mtpeft.config.studies import Study

RESULTS = Path("results")


def placed_study_cells(configuration: "Configuration", study: "Study") -> list[Cell]:
    """Cells of one study, with their folders."""
    return all_placed(configuration, studies.study_cells(configuration, study))


@lru_cache(maxsize=4)
def placed_cells(configuration: "Configuration") -> tuple[Cell, ...]:
    """Cells of all studies, each once, with their folders."""
    return tuple(all_placed(configuration, studies.all_cells(configuration)))


@lru_cache(maxsize=64)
def placed_drawn_cells(configuration: "Configuration", label: str) -> tuple[Cell, ...]:
    """Cells that a figure is drawn from, with their folders; `efficiency` is drawn from those of all studies."""
    return tuple(all_placed(configuration, studies.drawn_cells(configuration, label)))


def placed_study_others(configuration: "Configuration", label: str) -> list[OnPair]:
    """Tuned cells that a figure is drawn from, on the other pairs that its study scores."""
    return [OnPair(placed(configuration, cell), pair) for cell, pair in studies.study_others(configuration, label)]


def placed_untouched(configuration: "Configuration", label: str) -> list[Cell]:
    """The untouched models on the other pairs on which a study scores its cells."""
    return all_placed(configuration, studies.untouched_elsewhere(configuration, label))


def placed_others(configuration: "Configuration") -> list[OnPair]:
    """Cells of all studies on the pairs that they are scored on besides their own, each once."""
    return [OnPair(placed(configuration, cell), pair) for cell, pair in studies.all_others(configuration)]


def placed_represented(configuration: "Configuration", label: str) -> list[Cell]:
    """Cells of a study whose representations it shows, with their folders."""
    return all_placed(configuration, studies.represented_cells(configuration, label))


def all_represented(configuration: "Configuration") -> list[Cell]:
    """Cells of all studies whose representations are shown, each once."""
    return list(
        dict.fromkeys(cell for label in configuration.studies for cell in placed_represented(configuration, label))
    )


def placed_served(configuration: "Configuration", label: str) -> list[Served]:
    """Cells of a study that it shows served, with each number of active experts."""
    cells = all_placed(configuration, studies.served_cells(configuration, label))
    if not cells:
        return []
    name, numbers = experts_name(configuration), serving.active_experts(configuration)
    return [Served(cell, name, active) for cell in cells for active in numbers]


def all_served(configuration: "Configuration") -> list[Served]:
    """Cells of all studies that are shown served, each number of active experts once."""
    return list(dict.fromkeys(own for label in configuration.studies for own in placed_served(configuration, label)))


def served_records(served: Iterable[Served]) -> list[str]:
    """Records of cells that are decoded with some of their experts, and of the experts."""
    found = [
        str(file)
        for own in served
        for file in (own.split / "experts.json", own.folder / "served.json", own.folder / "score.json")
    ]
    return list(dict.fromkeys(found))


def cell_files(cells: Iterable[Cell], name: str) -> list[str]:
    """One file of each cell, and of a group one for each pair that it is scored on."""
    return [f"{measured.folder}/{name}" for cell in cells for measured in cell.measured]


def cell_records(cells: Iterable[Cell]) -> list[str]:
    """All records of cells: of training, and of decoding and scoring, of a group for each pair that it is scored on.

    Tables read them all; a record that nobody asked for would never be made again where it is lost.
    """
    chosen = list(cells)
    trained = [f"{cell.folder}/train.json" for cell in chosen]
    return [*trained, *cell_files(chosen, "decode.json"), *cell_files(chosen, "score.json")]


def metric_records(configuration: "Configuration", cells: Iterable[Cell]) -> list[str]:
    """Records of the scores of metrics that have a step of their own, where they are asked for."""
    chosen = list(cells)
    return [
        str(measured.metric_record(metric))
        for metric in metrics.metrics_asked_for(configuration)
        for cell in chosen
        for measured in cell.measured
    ]


def other_records(others: Iterable[OnPair]) -> list[str]:
    """Records of cells on other pairs than their own."""
    return [f"{other.folder}/{name}" for other in others for name in ("decode.json", "score.json")]


def scored_records(configuration: "Configuration") -> list[str]:
    """Records of every cell, on its own pairs and on others."""
    return [*cell_records(placed_cells(configuration)), *other_records(placed_others(configuration))]


def all_records(configuration: "Configuration") -> list[str]:
    """Records of every cell, with those of metrics, representations and experts that are asked for besides."""
    cells = placed_cells(configuration)
    return [
        *scored_records(configuration),
        *metric_records(configuration, cells),
        *cell_files(all_represented(configuration), "representations.json"),
        *served_records(all_served(configuration)),
    ]


def start_records(configuration: "Configuration") -> list[str]:
    """Each base model of the studies on the dev set of each pair that it is tuned on."""
    cells = placed_cells(configuration)
    evaluated = dict.fromkeys((cell.model, pair) for cell in cells if cell.model != ANY for pair in cell.members)
    return [start_file(configuration, model, pair) for model, pair in evaluated]


def cells_params(configuration: "Configuration", cells: Iterable[Cell]) -> Params:
    """Cells and their metrics in the params of a step that reads their records."""
    return cells_as_params(cells) | metrics.params_of_scores(configuration)


def results_folder(configuration: "Configuration") -> Path:
    """The folder of tables, figures and findings of a study file."""
    return RESULTS / configuration.study_file


def tables_folder(configuration: "Configuration", study: str) -> Path:
    """The folder of the tables of a study, or of all cells for `efficiency`."""
    folder = results_folder(configuration)
    return folder if study == studies.EFFICIENCY else folder / "tables" / study


def figures_folder(configuration: "Configuration") -> Path:
    """The folder of the figures of a study file."""
    return results_folder(configuration) / "figures"


def preview_folder(configuration: "Configuration") -> Path:
    """The folder of figures and findings of what is finished by now, with their tables."""
    return results_folder(configuration) / "preview"


def figure_tables(configuration: "Configuration", study: str) -> list[str]:
    """The tables that the figure of a study needs besides the summary, each named as the figure calls it."""
    own, shared = tables_folder(configuration, study), results_folder(configuration)
    needed = figures_config.figure_of(configuration, study).needs
    return [f"{shared if name == figures_config.TEXT_TABLE else own}/{name}.csv" for name in needed]


def study_tables(configuration: "Configuration") -> list[str]:
    """Tables of all studies."""
    labels = list(configuration.studies)
    own = [f"{tables_folder(configuration, label)}/{name}.csv" for label in labels for name in ("scores", "summary")]
    return [*own, *(table for label in labels for table in figure_tables(configuration, label))]


# Priorities: studies are run in the order in which they are written, in each of them one seed of every system before
# further ones, and started cells are finished first. So the figure of the first study is there long before the others,
# its preview can soon show every system, and there are finished cells to look at all the time.

STEP_ORDER = (
    *("train", "represent", "split_experts", "decode_with_experts", "score_with_experts"),
    *("decode_other", "score_other", "decode", "score", "search_rate"),
)
"""Steps of the cells of a study. Later steps have higher priority, so that started cells are finished first."""
ON_OTHER = (*DIMENSIONS, "other")
LABELS_OF = {"search_rate": RATE_LABELS, "decode_other": ON_OTHER, "score_other": ON_OTHER}
"""Labels that tell a step's jobs apart, where they are not those of a cell."""
FIRST = 1000
"""Priority of short jobs that many others, or the user, wait for: text, base models, figures."""


def places(configuration: "Configuration") -> Mapping[tuple[str, ...], int]:
    """Rank of the first study that needs a cell, or a cell with its learning rate, counted from the last study.

    Each study has two ranks: that of the first seed of its systems is higher than that of further seeds. A cell on
    another pair than its own has the rank of the study that scores it there, and a group on one of its pairs the rank
    of the group.
    """
    found: dict[tuple[str, ...], int] = {}
    for place, (label, study) in enumerate(reversed(configuration.studies.items()), 1):
        seen: set[tuple[str, ...]] = set()
        for cell in start_from.with_parents(configuration, studies.study_cells(configuration, study)):
            rank = 2 * place if studies.system_labels(cell) in seen else 2 * place + 1
            seen.add(studies.system_labels(cell))
            rate = tuple(getattr(cell, name) for name in RATE_LABELS)
            found[rate] = max(rank, found.get(rate, 0))
            for labels in (cell.labels, *((*cell.labels, pair) for _, pair in cell.measured)):
                found[labels] = rank
        for cell, pair in studies.study_others(configuration, label):
            found[*cell.labels, pair] = 2 * place
    return found


def priority(known: Mapping[tuple[str, ...], int], step: str, labels: Labels) -> int:
    """Priority of a step of a cell, or of the search for a learning rate; those of no study come last."""
    own = tuple(labels[name] for name in LABELS_OF.get(step, DIMENSIONS))
    return len(STEP_ORDER) * known.get(own, 0) + STEP_ORDER.index(step)

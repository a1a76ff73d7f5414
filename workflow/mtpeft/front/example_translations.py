"""Show some test sentences with the translations of several systems below each other, when a sweep has ended."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mtpeft.cells import ANY, Cell
from mtpeft.config.corpora import OWN_TEST_SET
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import NONE
from mtpeft.core.files import read_lines
from mtpeft.data.tsv import read_pairs
from mtpeft.front.status import state_of
from mtpeft.methods import method_for
from mtpeft.steps.cells_of_studies import placed_study_cells
from mtpeft.steps.decontaminate_pair import reference

SENTENCES, SYSTEMS = 5, 4
"""Most sentences that are shown, and most tuned systems of each."""


def example_translations(configuration: Configuration) -> list[str]:
    """Return lines with sentences of the first study's first model and pair, as far as they are translated.

    The sentences are those of which the systems have different translations, at even distances in the test set. Of
    each method the cell with the largest budget, the largest size and the first seed is shown.
    """
    for study in configuration.studies.values():
        cells = [cell for cell in placed_study_cells(configuration, study) if state_of(configuration, cell) == "done"]
        shown = _systems(configuration, cells)
        if len(shown) > 1:
            pair = next(iter(shown.values())).pair
            return list(_lines(configuration, pair, {name: _hypotheses(cell) for name, cell in shown.items()}))
    return []


def _hypotheses(cell: Cell) -> Path:
    return cell.folder / "hypotheses" / f"{OWN_TEST_SET}.txt"


def _systems(configuration: Configuration, cells: Sequence[Cell]) -> dict[str, Cell]:
    """Return the untouched model and tuned systems of one model and pair, by what lines call them."""
    untouched = next((cell for cell in cells if cell.method == NONE and not cell.is_group), None)
    if untouched is None:
        return {}
    own = [cell for cell in cells if (cell.model, cell.pair) == (untouched.model, untouched.pair)]
    tuned = [cell for cell in own if method_for(configuration.methods[cell.method]).trains != "none"]
    tuned.sort(
        key=lambda cell: (_pairs(configuration, cell), configuration.budgets.get(cell.budget, 0.0)), reverse=True
    )
    chosen: dict[str, Cell] = {}
    for cell in tuned:
        chosen.setdefault(cell.method, cell)
    order = [method for method in configuration.methods if method in chosen][:SYSTEMS]
    return {"untouched": untouched, **{method: chosen[method] for method in order}}


def _pairs(configuration: Configuration, cell: Cell) -> int:
    return 0 if cell.size == ANY else configuration.sizes[cell.size].pairs


def _lines(configuration: Configuration, pair: str, files: Mapping[str, Path]) -> Iterator[str]:
    """Yield the sentences, each with its reference and the translation of each system."""
    text = Path(reference(configuration, pair, OWN_TEST_SET))
    if not text.is_file():  # removed, to save space: the cells stay finished
        return
    rows = list(read_pairs(text))
    found = {name: read_lines(file) for name, file in files.items()}
    differing = [place for place, texts in enumerate(zip(*found.values(), strict=True)) if len({*texts}) > 1]
    if not differing:
        return
    step = max(1, len(differing) // SENTENCES)
    width = max(map(len, (*found, "reference")))
    yield f"Test sentences of {pair} in the words of each system:"
    for place in differing[: SENTENCES * step : step]:
        yield ""
        texts = {"source": rows[place].source, "reference": rows[place].target}
        texts |= {name: lines[place] for name, lines in found.items()}
        yield from (f"  {name:{width}}  {text}" for name, text in texts.items())

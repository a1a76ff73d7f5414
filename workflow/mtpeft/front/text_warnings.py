"""What a user should know of the text of a configuration, by the records and the token arrays that are there."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError

from mtpeft.config.schema import Configuration
from mtpeft.core.warnings import recorded_warnings
from mtpeft.data.token_counts import Counts, loss_warnings, read_counts
from mtpeft.steps import describe_text, divide_pair, search_rate
from mtpeft.steps.cells_of_studies import all_cells


def text_warnings(configuration: Configuration) -> list[str]:
    """Those of its records, and sentences on sides of training, dev and test text of which much is cut or unknown."""
    recorded = recorded_warnings(map(Path, divide_pair.text_records(configuration)))
    return [*recorded, *(warning for file in _arrays(configuration) for warning in loss_warnings(_counts(file), file))]


def _counts(file: Path) -> Mapping[str, Counts]:
    """Counts of a file; none where it is not there, is being written, or is of the time before there were counts."""
    try:
        return read_counts(file)
    except (OSError, SafetensorError):
        return {}


def _arrays(configuration: Configuration) -> list[Path]:
    """Token arrays that cells are trained, evaluated and tested on, each once."""
    trained = (search_rate.training_files(configuration, cell) for cell in all_cells(configuration))
    files = (file for inputs in trained for name in ("train", "dev") for file in inputs.get(name, ()))
    return [Path(file) for file in dict.fromkeys([*files, *describe_text.inputs(configuration)["arrays"]])]

"""What is known of a base model and the test sets: whether it may have read them."""

from pathlib import Path

from mtpeft.models.describe import DATA_RECORD

UNKNOWN = "unknown: nothing says what the model was trained on"
TRAINED_HERE = "trained here, dev and test sentences of all corpora kept out"
RECORDED = f"{DATA_RECORD} says what was kept out of training"


def exposure_of(folder: Path) -> str:
    """Exposure to test sets of the model in a folder, in words for its record."""
    return RECORDED if (folder / DATA_RECORD).exists() else UNKNOWN

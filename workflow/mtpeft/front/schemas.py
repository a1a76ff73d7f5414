"""Write the JSON schemas of the configuration and of the records, from the types that check them."""

import json
from pathlib import Path

from pydantic import BaseModel

from mtpeft.analysis.findings.records import FindingsRecord
from mtpeft.config.schema import configuration_type
from mtpeft.core.files import write_text
from mtpeft.core.records import (
    CalibrationRecord,
    DataRecord,
    DecodeRecord,
    ExpertsRecord,
    MetricRecord,
    ModelRecord,
    RateRecord,
    RepresentationRecord,
    ScoreRecord,
    ServedRecord,
    SimilarityRecord,
    StartRecord,
    TrainRecord,
)

SCHEMAS_FOLDER = Path(__file__).parents[2] / "schemas"
TYPES: dict[str, type[BaseModel]] = {
    "config": configuration_type(),
    "base": ModelRecord,
    "data": DataRecord,
    "start": StartRecord,
    "rate": RateRecord,
    "train": TrainRecord,
    "calibration": CalibrationRecord,
    "decode": DecodeRecord,
    "score": ScoreRecord,
    "representations": RepresentationRecord,
    "experts": ExpertsRecord,
    "served": ServedRecord,
    "metric": MetricRecord,
    "similarity": SimilarityRecord,
    "findings": FindingsRecord,
}


def schema_text(kind: type[BaseModel]) -> str:
    """The text of the schema file of a type."""
    return json.dumps(kind.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def write_schemas() -> None:
    """Write every schema into `workflow/schemas/`."""
    for name, kind in TYPES.items():
        write_text(SCHEMAS_FOLDER / f"{name}.schema.json", schema_text(kind))

"""Check records against their schemas."""

from pathlib import Path
from typing import Any

import jsonschema

from mtpeft.core.files import read_record

SCHEMAS = Path(__file__).parents[2] / "workflow/schemas"


def schema_mistakes(record: Path | dict[str, Any], name: str) -> list[str]:
    """The mistakes in a record, given as a file or by its content; none if it follows the schema."""
    content = read_record(record) if isinstance(record, Path) else record
    validator = jsonschema.validators.validator_for(schema := read_record(SCHEMAS / f"{name}.schema.json"))(schema)
    return [error.message for error in validator.iter_errors(content)]

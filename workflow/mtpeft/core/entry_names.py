"""The type of a key of the configuration that names an entry of a registry."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError


@dataclass(frozen=True)
class _NamesInSchema:
    """List the names in the JSON schema at the time when it is made."""

    names: Callable[[], list[str]]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "enum": self.names()}


def entry_name(names: Callable[[], list[str]], *, listed: Callable[[], list[str]] | None = None) -> Any:
    """Return a type of text that is one of these names; they are asked for when a value is checked, not before.

    The JSON schema lists all of them, or those of `listed` where a later check refuses the others in words of its own.
    So entries from outside of the package are among them, and a wrong name is refused as one that is no member of a
    `Literal` is.
    """

    def known(name: str) -> str:
        if name not in names():
            raise PydanticKnownError("literal_error", {"expected": either(names())})
        return name

    return Annotated[str, AfterValidator(known), _NamesInSchema(listed or names)]


def either(names: list[str]) -> str:
    """Return names in quotes, the last two joined with "or"."""
    quoted = [f"'{name}'" for name in names]
    return " or ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))

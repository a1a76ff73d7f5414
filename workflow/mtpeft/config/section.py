"""What all parts of config.yaml have in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping with known keys; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

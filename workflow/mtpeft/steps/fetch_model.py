"""Fetch one revision of a base model from a hub, into a folder beside its record."""

from pathlib import Path

from mtpeft.config.resolve import hub_params
from mtpeft.steps.step import Params, Step


def run(params: Params, *, record: Path) -> None:
    """Fetch one revision of a model from a hub, going on where a break left it."""
    from mtpeft.models.hub import fetch_model

    fetch_model(params, record=record)


STEP = Step("fetch_model", 1, ("model",), hub_params, run, record="base.json")

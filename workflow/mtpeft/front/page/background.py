"""What a study rests on: the text of its pairs and its base models, with their licences, from the records."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.cells import ANY, members_of
from mtpeft.core.files import read_if_whole
from mtpeft.front.cell_facts import origins_of, sources_of
from mtpeft.front.licences import licence_named_by
from mtpeft.front.page.gather import Results
from mtpeft.steps.base_models import base_file
from mtpeft.steps.decontaminate_pair import pair_folder

PARTS = ("train", "dev", "test")


def texts_of(results: Results) -> list[dict[str, Any]]:
    """The text of each pair that has a record: its sources with their licences, and the sentence pairs of its parts."""
    labels = dict.fromkeys(member for cell in results.cells for member in members_of(cell.on.pair))
    return [text for label in labels for text in _text(results, label)]


def _text(results: Results, pair: str) -> Iterator[dict[str, Any]]:
    folder = Path(pair_folder(results.configuration, pair))
    parts, cleaned = (read_if_whole(folder / name) for name in ("parts.json", "clean.json"))
    if parts and cleaned:
        rows = parts[0]["rows"]
        sources = [[name, licence or ""] for name, licence in sources_of(folder).items()]
        yield {"pair": pair, "sources": sources, "rows": [rows.get(part) for part in PARTS]}


def bases_of(results: Results) -> list[dict[str, Any]]:
    """Each base model that has a record: its size, where it comes from, what it may have read, and its licences."""
    labels = dict.fromkeys(cell.on.cell.model for cell in results.cells if cell.on.cell.model != ANY)
    records = {label: Path(base_file(results.configuration, label)) for label in labels}
    return [_base(label, record) for label, record in records.items() if record.is_file()]


def _base(label: str, record: Path) -> dict[str, Any]:
    chain = list(origins_of(record))
    named = [licence_named_by(own["origin"]) for own in chain if own["origin"].get("licence")]
    return {
        "model": label,
        "parameters": chain[0]["total_parameters"],
        "from": _origin(chain),
        "exposure": chain[0]["exposure"],
        "licences": list(dict.fromkeys(named)),
    }


def _origin(chain: Sequence[Mapping[str, Any]]) -> str:
    """Say where a base model comes from, by its record and those of the models that it was made from."""
    first, *others = chain
    params = first["params"]
    if "hub" in params:
        return f"from the hub, {params['hub']}"
    if "wheel" in params:
        return f"from the package {params['wheel']['package']} {params['wheel'].get('version', '')}".rstrip()
    if "path" in params:
        return f"from the folder {params['path']}"
    if others:
        return f"made here of a model {_origin(others)}"
    parent = first["origin"].get("model")
    return f"made here of {parent}" if parent else "pre-trained here"

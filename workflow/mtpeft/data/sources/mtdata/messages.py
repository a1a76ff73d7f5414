"""The sentence pairs of one pair of languages, from the tables of its datasets."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.data.readers.tables import read_table
from mtpeft.data.sources.messages import Message
from mtpeft.data.sources.mtdata.ids import PARTS, columns_of


def dataset_messages(settings: Mapping[str, Any], archives: Sequence[Path]) -> Iterator[Message]:
    """Lines of all datasets, part by part; the part is empty where neither dev nor test is given.

    Training text may hold lines of dev or test: decontamination takes them out.
    """
    languages = (settings["source"], settings["target"])
    named = [(part, dataset) for part in PARTS for dataset in settings["mtdata"].get(part, ())]
    gives_parts = len(settings["mtdata"]) > 1
    for (part, dataset), archive in zip(named, archives, strict=True):
        columns = columns_of(dataset, languages)
        for line in read_table(archive, [columns[language] for language in languages]):
            sides = {"source": line.source, "target": line.target}
            written = sides["source" if settings["written_in"] == settings["source"] else "target"]
            yield Message(part if gives_parts else "", written, **sides)

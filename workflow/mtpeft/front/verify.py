"""Compare what a sweep has made with its records, and remove what is damaged, so that the next start makes it anew."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mtpeft.cells import Cell
from mtpeft.config.schema import Configuration
from mtpeft.core.checksums import MADE_IN, made_by, record_of, require_whole
from mtpeft.core.errors import DamagedError
from mtpeft.core.files import read_if_whole
from mtpeft.steps import clean_pair, decode, decontaminate_pair, search_rate
from mtpeft.steps.cells_of_studies import all_served, placed_cells, placed_others, served_records
from mtpeft.steps.split_corpus import split_file
from mtpeft.steps.step import flat

HALF_WRITTEN = ".*.tmp"
"""Names under which files and folders are written before they get their own."""
STEPS = ("train", "decode", "score")


def damage(configuration: Configuration) -> Iterator[DamagedError]:
    """Everything that a record of this configuration's cells, text and models disagrees with; all of it is read."""
    for record in made_records(configuration):
        try:
            require_whole(record)
        except DamagedError as error:
            yield error


def made_records(configuration: Configuration) -> list[Path]:
    """Records that are there: of the text and the models that cells are made from, and of the cells themselves."""
    cells = placed_cells(configuration)
    measured = [*(on for cell in cells for on in (cell.on_own, *cell.measured)), *placed_others(configuration)]
    read = dict.fromkeys(file for cell in cells for file in _files_read(configuration, cell))
    above = (Path(file) if file.endswith(".json") else record_of(Path(file)) for file in read)
    own = (on.folder / f"{step}.json" for on in measured for step in STEPS)
    served = map(Path, served_records(all_served(configuration)))
    return [record for record in dict.fromkeys((*above, *own, *served)) if record and record.is_file()]


def _files_read(configuration: Configuration, cell: Cell) -> Iterator[str]:
    """Files that a cell is trained from, decoded from and scored with, and those above them."""
    yield from flat(search_rate.training_files(configuration, cell))
    for pair in cell.members:
        own, folder = replace(cell, pair=pair), decontaminate_pair.pair_folder(configuration, pair)
        yield from flat(decode.inputs(configuration, own))
        yield from decontaminate_pair.references(configuration, pair)
        yield from clean_pair.archives(configuration, pair)
        yield split_file(configuration, configuration.pairs[pair].corpus)
        yield from (f"{folder}/{name}.json" for name in ("clean", "parts"))


def lost_files(configuration: Configuration) -> list[str]:
    """Files above the cells that are gone from a folder that is there, with what else their step made.

    Nothing else asks for them where all that was made from them is there, and results don't hold without them. A folder
    that is gone as a whole was removed to save space.
    """
    read = dict.fromkeys(file for cell in placed_cells(configuration) for file in _files_read(configuration, cell))
    asked = (file for file in read if Path(file).parent.is_dir())
    return [file for file in asked if not Path(file).exists()]


def clear_up(configuration: Configuration) -> None:
    """Remove what killed steps have left half-written, and records of files that are gone; says what is made anew.

    Nobody may work in this folder.
    """
    remove_half_written(*map(Path, MADE_IN))
    for line in discard_incomplete(configuration):
        print(line, flush=True)


def discard_incomplete(configuration: Configuration) -> list[str]:
    """Delete records that are cut, and those of files that are gone, whoever killed whom; returns a line for each.

    Nothing but records is read. Where a whole folder is gone, somebody has removed it to save space.
    """
    said = []
    for record in made_records(configuration):
        if why := _incomplete(record):
            said.append(f"mtpeft: {why}; it is made anew.")
            record.unlink()
    return said


def _incomplete(record: Path) -> str:
    """Say why a record is damaged or lacks a file; empty where it is whole."""
    read = read_if_whole(record)
    if read is None:
        return f"{record} was cut"
    missing = [file for file in made_by(record, read[0]) if file.parent.is_dir() and not file.exists()]
    return f"{missing[0]} is gone, which {record} says was made" if missing else ""


def remove_half_written(*folders: Path) -> int:
    """Remove what a killed step was writing; returns how much it was. Nobody may work in these folders."""
    found = [path for folder in folders for path in folder.rglob(HALF_WRITTEN)]
    for path in found:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(found)

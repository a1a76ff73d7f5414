"""Clean the text of a pair: `data/pairs/<pair>-<digest>/clean.tsv`, and counts of what each filter takes."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import VERSION, digest_of
from mtpeft.config import corpora
from mtpeft.data.cleaning_options import UI_STRINGS
from mtpeft.steps.downloads import download_file
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

CACHED = 100_000


def params(configuration: "Configuration", pair: str) -> Params:
    """Params of the cleaning of one pair."""
    languages = corpora.languages_in(configuration, pair)
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    return {
        VERSION: corpus.source.kind.clean_version,
        "source": languages.source,
        "target": languages.target,
        "written_in": languages.written_in,
        "clean": corpus.cleaning_params,
        **corpora.text_params(configuration, pair),
    }


def archives(configuration: "Configuration", pair: str) -> list[str]:
    """Paths of the files to download for the text of a pair."""
    return [download_file(download) for download in corpora.downloads_of(configuration, pair)]


def user_files(configuration: "Configuration", pair: str) -> list[str]:
    """The user's own files that the text of a pair is read from."""
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    return list(map(str, corpus.source.files(corpora.text_params(configuration, pair))))


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
    UI_STRINGS.clean_version,
    ("pair",),
    params,
    run,
    inputs,
    makes=("table", "record"),
    record="data/pairs/{pair}/clean.json",
)

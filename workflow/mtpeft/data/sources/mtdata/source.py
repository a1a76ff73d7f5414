"""Published text by mtdata's ids."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from mtpeft.core.section import Section
from mtpeft.core.value_types import SHA256, DatasetId
from mtpeft.core.wording import listed
from mtpeft.data.readers.base import Line
from mtpeft.data.sources.base import Download, Languages, Message, Params, Source
from mtpeft.data.sources.mtdata.ids import FOREIGN, PARTS, codes_for, stands_for, with_foreign
from mtpeft.isolated.install import pinned_version


class Datasets(Section):
    """Published text by mtdata's ids; those of a part are put together.

    {foreign} in an id is the language of each pair that the corpus was not written in.
    """

    train: list[DatasetId] = Field(min_length=1, description="Ids of the text; all of it, or the training part.")
    dev: list[DatasetId] = Field(default=[], description="Ids of the dev set; otherwise we split.")
    test: list[DatasetId] = Field(default=[], description="Ids of the test set; otherwise we split.")
    sha256: dict[DatasetId, Annotated[str, Field(pattern=SHA256)]] = Field(
        default={}, description="Hash of the file that is downloaded for an id; of two files, one after the other."
    )

    @property
    def parts(self) -> dict[str, list[str]]:
        """Ids by part, of the parts that have any."""
        return {part: ids for part in PARTS if (ids := getattr(self, part))}


class MtdataKeys(Section):
    """Keys of a corpus for mtdata."""

    mtdata: Datasets | None = Field(default=None, description="Datasets that mtdata fetches.")


class MtdataTestKeys(Section):
    """Keys of a named test set for mtdata."""

    mtdata: list[DatasetId] = Field(default=[], description="Ids, put together, in the place of files.")


class MtdataSource(Source):
    """Datasets that mtdata knows."""

    def keys(self) -> type[Section]:
        """Give the type with the key `mtdata`."""
        return MtdataKeys

    def test_keys(self) -> type[Section]:
        """Give the type with the key `mtdata`."""
        return MtdataTestKeys

    def mistakes(self, key: str, corpus: Any) -> Iterator[str]:
        """Find ids that stand twice, hashes of ids that stand nowhere, and files where datasets are asked for."""
        if corpus.mtdata is None:
            return
        named = Counter(dataset for ids in corpus.mtdata.parts.values() for dataset in ids)
        for dataset in (dataset for dataset, count in named.items() if count > 1):
            yield f"'{key}.mtdata' names '{dataset}' twice; write it once, in the part that it is for."
        for part in ("dev", "test"):
            if getattr(corpus, f"{part}_files"):
                yield (
                    f"'{key}.{part}_files' is for a corpus of files; write ids in '{key}.mtdata.{part}', or take it "
                    "out."
                )
        for dataset in corpus.mtdata.sha256:
            if not any(stands_for(known, dataset) for known in named):
                yield (
                    f"'{key}.mtdata.sha256' has the id '{dataset}', which is not in 'train', 'dev' or 'test'; correct "
                    "it."
                )

    def pair_mistakes(self, key: str, corpus: Any, pair: str, languages: Languages) -> Iterator[str]:
        """Find a pair without the language that its datasets were written in, and datasets of other languages."""
        if not corpus.written_in:
            return
        if corpus.written_in not in languages.sides:
            yield (
                f"'pairs.{pair}' has the languages {listed(languages.sides)}, but '{key}.written_in' is "
                f"'{corpus.written_in}'; write one of the two there, or another corpus for this pair."
            )
            return
        for part, datasets in self.params(corpus, languages)["mtdata"].items():
            for dataset in datasets:
                if codes_for(dataset, languages.sides) is None:
                    yield (
                        f"'{key}.mtdata.{part}' has '{dataset}', which is not in the languages of 'pairs.{pair}', "
                        f"{listed(languages.sides)}; write an id that is, with {FOREIGN} for the language of each pair "
                        "where several share the corpus."
                    )

    def given_parts(self, corpus: Any) -> list[str]:
        """List which of dev and test have datasets of their own."""
        return [part for part in corpus.mtdata.parts if part != "train"]

    def params(self, corpus: Any, languages: Languages) -> dict[str, Any]:
        """Name the ids of all parts, with the pair's language in them."""
        return {"mtdata": {part: _ids_for(ids, languages) for part, ids in corpus.mtdata.parts.items()}}

    def downloads(self, label: str, corpus: Any, params: Params) -> list[Download]:
        """List the tables of all datasets, part by part; a hash is stated by an id, or by one with {foreign} in it."""
        named = params["mtdata"]
        datasets = named if isinstance(named, list) else [dataset for ids in named.values() for dataset in ids]
        stated = corpus.mtdata.sha256 if corpus.mtdata else {}
        version = pinned_version("mtdata", "mtdata") if datasets else ""
        hashes = {
            dataset: tuple(dict.fromkeys(digest for known, digest in stated.items() if stands_for(known, dataset)))
            for dataset in datasets
        }
        return [
            Download(self.name, "data/mtdata", dataset, ".tsv.gz", {"id": dataset, "mtdata": version}, hashes[dataset])
            for dataset in datasets
        ]

    def read(self, params: Params, languages: Languages, downloads: Sequence[Path]) -> Iterator[Message]:
        """Read the lines of all datasets, part by part; the part is empty where neither dev nor test is given.

        Training text may hold lines of dev or test: decontamination takes them out.
        """
        named = [(part, dataset) for part in PARTS for dataset in params["mtdata"].get(part, ())]
        gives_parts = len(params["mtdata"]) > 1
        for (part, dataset), table in zip(named, downloads, strict=True):
            for line in _read_dataset(dataset, languages, table):
                yield languages.read(line, part if gives_parts else "")

    def has_test(self, text: Any) -> bool:
        """Say whether ids are named."""
        return bool(text.mtdata)

    def test_mistakes(self, key: str, corpus: Any, name: str) -> Iterator[str]:
        """Find ids with room for a language in a corpus of no known language."""
        if not corpus.written_in:
            yield (
                f"'{key}.written_in' is missing; write the language that the corpus was written in, since "
                f"'{key}.more_tests.{name}' has ids of datasets, in which {FOREIGN} is the other language of a pair."
            )

    def test_params(self, text: Any, languages: Languages) -> dict[str, Any]:
        """Name the ids, with the pair's language in them."""
        return {"mtdata": _ids_for(text.mtdata, languages)}

    def read_test(self, params: Params, languages: Languages, downloads: Sequence[Path]) -> list[Line]:
        """Read the lines of all datasets."""
        named = zip(params["mtdata"], downloads, strict=True)
        return [line for dataset, table in named for line in _read_dataset(dataset, languages, table)]


MTDATA = MtdataSource(name="mtdata", step="fetch_dataset", wildcard="dataset")


def _ids_for(datasets: Sequence[str], languages: Languages) -> list[str]:
    """Put the language of a pair that its text was not written in into ids that have room for it."""
    foreign = next(language for language in languages.sides if language != languages.written_in)
    return [with_foreign(dataset, foreign) for dataset in datasets]


def _read_dataset(dataset: str, languages: Languages, table: Path) -> list[Line]:
    """Read the table of a dataset, whose columns are called by the language codes of its id."""
    from mtpeft.data.readers.tables import read_table

    columns = codes_for(dataset, languages.sides)
    return read_table(table, [columns[language] for language in languages.sides])

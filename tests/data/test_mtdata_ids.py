"""Ids of mtdata's datasets in the configuration, and the languages in them."""

from pathlib import Path
from typing import Any

import pytest

from mtpeft.config.corpora import all_downloads, anchor_pairs
from mtpeft.config.load import merge, validate
from mtpeft.core.errors import UserError
from mtpeft.data.sources.mtdata.ids import codes_for, mtdata_code
from mtpeft.steps.clean_pair import archives
from mtpeft.steps.downloads import download_file
from support.config import DEFAULT
from support.pages import SNIPPETS
from support.steps import params_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("language", "code"),
    [("de", "deu"), ("pt-BR", "por_BR"), ("sw", "swa"), ("zh-Hant", "zho_Hant"), ("sr-Latn-RS", "srp_Latn_RS")],
)
def test_a_tag_is_written_as_mtdata_writes_it(language: str, code: str) -> None:
    assert mtdata_code(language) == code


@pytest.mark.parametrize(
    ("dataset", "languages", "columns"),
    [
        ("A-b-1-eng-deu", ("de", "en"), {"de": "deu", "en": "eng"}),
        ("A-b-1-deu-eng", ("de", "en"), {"de": "deu", "en": "eng"}),
        ("A-b-1-eng_GB-por", ("pt-BR", "en"), {"pt-BR": "por", "en": "eng_GB"}),
        ("A-b-1-por_PT-por_BR", ("pt-BR", "pt-PT"), {"pt-BR": "por_BR", "pt-PT": "por_PT"}),
        ("A-b-1-eng-swh_Latn", ("sw", "en"), {"sw": "swh_Latn", "en": "eng"}),
        ("A-b-1-eng-por_PT", ("pt-BR", "en"), None),
        ("A-b-1-eng-zho_Hant", ("zh", "en"), None),
        ("A-b-1-eng-zho_Hant", ("zh-TW", "en"), {"zh-TW": "zho_Hant", "en": "eng"}),
        ("A-b-1-eng-fra", ("de", "en"), None),
        ("A-b-1-eng-eng", ("en", "en-GB"), None),
    ],
)
def test_the_languages_of_an_id_are_told_apart(
    dataset: str, languages: tuple[str, str], columns: dict[str, str] | None
) -> None:
    assert codes_for(dataset, languages) == columns


TED = {
    "written_in": "en",
    "mtdata": {
        "train": ["Neulab-tedtalks_train-1-eng-{foreign}", "OPUS-ted2020-v1-{foreign}-eng"],
        "test": ["Flores-flores200_devtest-1-{foreign}-eng"],
        "sha256": {"Flores-flores200_devtest-1-{foreign}-eng": "a" * 64, "OPUS-ted2020-v1-swa-eng": "b" * 64},
    },
}
PAIRS = {"en-sw": {"corpus": "ted"}, "br-en": {"corpus": "ted", "source": "pt-BR", "target": "en"}}


def test_several_pairs_share_a_corpus() -> None:
    configuration = validate(merge(DEFAULT, {"corpora": {"ted": TED}, "pairs": PAIRS}))

    assert params_of("clean_pair", configuration, "br-en")["mtdata"] == {
        "train": ["Neulab-tedtalks_train-1-eng-por_BR", "OPUS-ted2020-v1-por_BR-eng"],
        "test": ["Flores-flores200_devtest-1-por_BR-eng"],
    }
    datasets = (
        "Neulab-tedtalks_train-1-eng-swa",
        "OPUS-ted2020-v1-swa-eng",
        "Flores-flores200_devtest-1-swa-eng",
    )
    files = [download_file(all_downloads(configuration)["data/mtdata", dataset]) for dataset in datasets]
    assert archives(configuration, "en-sw") == files
    stated = {
        dataset: params_of("fetch_dataset", configuration, dataset).get("sha256", "")[:1]
        for folder, dataset in all_downloads(configuration)
        if folder == "data/mtdata"
    }
    assert stated == {
        "Neulab-tedtalks_train-1-eng-por_BR": "",
        "Neulab-tedtalks_train-1-eng-swa": "",
        "OPUS-ted2020-v1-por_BR-eng": "",
        "OPUS-ted2020-v1-swa-eng": "b",
        "Flores-flores200_devtest-1-por_BR-eng": "a",
        "Flores-flores200_devtest-1-swa-eng": "a",
    }
    assert anchor_pairs(configuration, "ted") == ["en-sw", "br-en"]


def test_the_snippet_of_the_pages_is_a_valid_overlay() -> None:
    (snippet,) = (snippet for snippet in SNIPPETS if "mtdata" in str(snippet.get("corpora")))
    configuration = validate(merge(DEFAULT, snippet))

    downloads = all_downloads(configuration).values()
    assert len([download for download in downloads if download.source == "mtdata"]) == 3 * len(snippet["pairs"])


def test_nothing_is_said_of_datasets_where_there_are_none() -> None:
    configuration = validate(DEFAULT)

    assert {folder for folder, _ in all_downloads(configuration)} == {"data/wheels/interface"}
    assert all("mtdata" not in params_of("clean_pair", configuration, pair) for pair in configuration.pairs)


def ted(**changes: Any) -> dict[str, Any]:
    return {"corpora": {"ted": merge(TED, changes)}, "pairs": PAIRS}


OTHER = merge(TED, {"mtdata": {"sha256": {"OPUS-ted2020-v1-{foreign}-eng": "c" * 64}}})
WRONG = {
    "no part": (ted(mtdata={"train": []}), "'corpora.ted.mtdata.train' has too few entries (0)"),
    "no id": (ted(mtdata={"train": ["tedtalks"]}), "'corpora.ted.mtdata.train.0' is 'tedtalks'; write an id such as"),
    "one language": (ted(mtdata={"dev": ["A-b-1-eng"]}), "'corpora.ted.mtdata.dev.0' is 'A-b-1-eng'; write an id such"),
    "no path": (ted(mtdata={"dev": ["A-../b-1-eng-deu"]}), "'corpora.ted.mtdata.dev.0' is 'A-../b-1-eng-deu'; write"),
    "two rooms": (ted(mtdata={"dev": ["A-b-1-{foreign}-{foreign}"]}), "'corpora.ted.mtdata.dev.0' is 'A-b-1-{foreign}"),
    "a hash": (ted(mtdata={"sha256": {"A-b-1-eng-deu": "0"}}), "'corpora.ted.mtdata.sha256.A-b-1-eng-deu' is '0'; wr"),
    "hash of no id": (ted(mtdata={"sha256": {"talks": "0" * 64}}),
                      "'corpora.ted.mtdata.sha256' has the key 'talks'; write an id such as"),
    "misspelt": (ted(mtdata={"trian": []}), "'corpora.ted.mtdata.trian' is not a key of the configuration; did you"),
    "files too": (ted(files={"sw": "a", "en": "b"}), "'corpora.ted' must have one of 'files', 'mtdata' and 'wheels'"),
    "dev files": (ted(dev_files={"sw": "a", "en": "b"}), "'corpora.ted.dev_files' is for a corpus of files; write id"),
    "written in": (ted(written_in=None), "'corpora.ted.written_in' is missing; write the language that the text was"),
    "twice": (ted(mtdata={"dev": TED["mtdata"]["test"]}), "'corpora.ted.mtdata' names 'Flores-flores200_devtest-1-{fo"),
    "hash of nothing": (ted(mtdata={"sha256": {"A-b-1-eng-deu": "0" * 64}}),
                        "'corpora.ted.mtdata.sha256' has the id 'A-b-1-eng-deu', which is not in 'train', 'dev' or 't"),
    "other languages": (ted(mtdata={"dev": ["A-b-1-eng-deu"]}),
                        "'corpora.ted.mtdata.dev' has 'A-b-1-eng-deu', which is not in the languages of 'pairs.en-sw', "
                        "'en', 'sw'; write an id that is, with {foreign} for"),
    "other pair": ({"corpora": {"ted": TED}, "pairs": {"de-fr": {"corpus": "ted"}}},
                   "'pairs.de-fr' has the languages 'de', 'fr', but 'corpora.ted.written_in' is 'en'; write one"),
    "two hashes": ({"corpora": {"ted": TED, "two": OTHER}, "pairs": {**PAIRS, "sw-en": {"corpus": "two"}}},
                   "'corpora.*.mtdata.sha256' states two hashes of 'OPUS-ted2020-v1-swa-eng'; write the one"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_in_the_configuration_is_answered_before_anything_runs(case: str) -> None:
    overlay, expected = WRONG[case]
    with pytest.raises(UserError) as raised:
        validate(merge(DEFAULT, overlay))

    assert str(raised.value).startswith(expected)

"""Languages are compared as languages: every code of every family is found by what people call its language."""

from pathlib import Path

import pytest
from langcodes import Language

from mtpeft.core.languages import main_language, match, nearest, rivals, same_language, script_of
from mtpeft.data.language_identification import probability_of, share_in_script
from mtpeft.data.readers.tmx import read_tmx
from mtpeft.data.sources.mtdata.ids import codes_for
from mtpeft.models.families import FAMILIES
from mtpeft.models.families.base import Names
from mtpeft.models.families.mbart import MBART50_CODES, language_code, tagged
from support.published import madlad_tokens

ROMANCE = ("fr", "fr_BE", "es", "es_AR", "es_ES", "es_MX", "pt_br", "pt_PT", "pt_BR", "cmn_Hans", "cmn_Hant", "zho")
BY_TITLE = {family.title: family for family in FAMILIES.entries.values()}


def _opus(*codes: str) -> Names:
    return BY_TITLE["Marian"].names({}, [f">>{code}<<" for code in codes])


VOCABULARIES: dict[str, Names] = {
    **{title: BY_TITLE[title].names({}, ()) for title in ("mBART", "mBART-50", "M2M-100", "NLLB-200")},
    "WMT21": BY_TITLE["M2M-100"].names({"language_codes": "wmt21"}, ()),
    "MADLAD-400": BY_TITLE["T5"].names({}, madlad_tokens()),
    "OPUS-MT": _opus(*ROMANCE),
    "Norwegian": _opus("nob", "nno"),
    "Serbian": _opus("srp_Cyrl", "srp_Latn", "bos_Latn"),
    "Uzbek": _opus("uzb_Latn", "uzb_Cyrl"),
    "Tifinagh and Arabic": {"a": "tzm-Tfng", "b": "tzm-Arab"},
}


@pytest.mark.parametrize("family", ["mBART", "mBART-50", "M2M-100", "WMT21", "NLLB-200", "MADLAD-400"])
def test_every_code_of_a_family_is_found_by_its_tag_and_by_its_language(family: str) -> None:
    names = VOCABULARIES[family]
    assert {name: match(tag, names) for name, tag in names.items()} == {name: name for name in names}
    alone = {}
    for name, tag in names.items():
        alone.setdefault(main_language(tag), []).append(name)
    for own in (name for names_of_one in alone.values() if len(names_of_one) == 1 for name in names_of_one):
        bare = Language.get(names[own]).language
        assert match(bare, names) == own
        assert match(Language.get(bare).to_alpha3(), names) == own
        assert match(names[own].upper().replace("-", "_"), names) == own


FOUND = [
    ("NLLB-200", "ko kor ko-KR ko-Hang ko-Kore", "kor_Hang"),
    ("NLLB-200", "zh cmn zho zh-CN zh-Hans zh-SG", "zho_Hans"),
    ("NLLB-200", "zh-Hant zh-TW zh-HK zh_tw", "zho_Hant"),
    ("NLLB-200", "pbt ps pus", "pbt_Arab"),
    ("NLLB-200", "sat sat-Olck", "sat_Beng"),
    ("NLLB-200", "tzm tzm-Tfng", "tzm_Tfng"),
    ("NLLB-200", "crh crh-Latn", "crh_Latn"),
    ("NLLB-200", "ar ara arb ar-EG", "arb_Arab"),
    ("NLLB-200", "arz", "arz_Arab"),
    ("NLLB-200", "fa fas pes fa-IR", "pes_Arab"),
    ("NLLB-200", "prs fa-AF", "prs_Arab"),
    ("NLLB-200", "ms msa zsm ms-MY", "zsm_Latn"),
    ("NLLB-200", "id ind in", "ind_Latn"),
    ("NLLB-200", "sw swa swh sw-KE", "swh_Latn"),
    ("NLLB-200", "uz uzn uz-Latn", "uzn_Latn"),
    ("NLLB-200", "az azj aze", "azj_Latn"),
    ("NLLB-200", "no nb nob", "nob_Latn"),
    ("NLLB-200", "nn nno", "nno_Latn"),
    ("NLLB-200", "et ekk", "est_Latn"),
    ("NLLB-200", "lv lav lvs", "lvs_Latn"),
    ("NLLB-200", "sq sqi als", "als_Latn"),
    ("NLLB-200", "mg mlg plt", "plt_Latn"),
    ("NLLB-200", "mn mon khk", "khk_Cyrl"),
    ("NLLB-200", "ne nep npi", "npi_Deva"),
    ("NLLB-200", "or ori ory", "ory_Orya"),
    ("NLLB-200", "yi yid ydd", "ydd_Hebr"),
    ("NLLB-200", "ku kmr", "kmr_Latn"),
    ("NLLB-200", "om orm gaz", "gaz_Latn"),
    ("NLLB-200", "qu que quy", "quy_Latn"),
    ("NLLB-200", "ff ful fuv", "fuv_Latn"),
    ("NLLB-200", "he iw heb", "heb_Hebr"),
    ("NLLB-200", "tl fil tgl", "tgl_Latn"),
    ("M2M-100", "no nb nob", "no"),
    ("M2M-100", "nso ns", "ns"),
    ("M2M-100", "cmn zho zh-CN", "zh"),
    ("mBART-50", "sw swh swa", "sw_KE"),
    ("mBART-50", "de-AT deu", "de_DE"),
    ("MADLAD-400", "no nb", "<2no>"),
    ("MADLAD-400", "he iw", "<2he>"),
    ("MADLAD-400", "zh-TW zh-Hant", "<2zh_Hant>"),
    ("MADLAD-400", "fr-CA", "<2fr_CA>"),
    ("MADLAD-400", "fr fra fr-FR", "<2fr>"),
    ("MADLAD-400", "ru rus", "<2ru>"),
    ("MADLAD-400", "ru-Latn", "<2ru_Latn>"),
    ("OPUS-MT", "fr fr-CA", ">>fr<<"),
    ("OPUS-MT", "fr-BE", ">>fr_BE<<"),
    ("OPUS-MT", "es-MX", ">>es_MX<<"),
    ("OPUS-MT", "pt-PT pt-AO", ">>pt_PT<<"),
    ("OPUS-MT", "zh-Hant", ">>cmn_Hant<<"),
    ("Norwegian", "no nb nob", ">>nob<<"),
    ("Norwegian", "nn", ">>nno<<"),
    ("Serbian", "sr srp sr-Cyrl", ">>srp_Cyrl<<"),
    ("Serbian", "sr-Latn sr-ME", ">>srp_Latn<<"),
    ("Uzbek", "uz", ">>uzb_Latn<<"),
]


@pytest.mark.parametrize(
    ("vocabulary", "tag", "name"), [(names, tag, name) for names, tags, name in FOUND for tag in tags.split()]
)
def test_a_tag_finds_the_token_that_everyone_expects(vocabulary: str, tag: str, name: str) -> None:
    assert match(tag, VOCABULARIES[vocabulary]) == name


@pytest.mark.parametrize(
    ("vocabulary", "tags"),
    [
        ("NLLB-200", "sr-Latn tzm-Latn crh-Cyrl pa-PK uz-Cyrl nds sh"),
        ("M2M-100", "nn zh-Hant zh-TW eu arz"),
        ("mBART-50", "zh-Hant no ms eu sr"),
        ("MADLAD-400", "translate xx zxx sat-Olck"),
        ("Norwegian", "da sv"),
    ],
)
def test_another_language_or_script_is_not_taken_for_one(vocabulary: str, tags: str) -> None:
    assert {tag: match(tag, VOCABULARIES[vocabulary]) for tag in tags.split()} == dict.fromkeys(tags.split())


def test_a_tag_that_does_not_choose_between_scripts_finds_none_and_says_which_there_are() -> None:
    names = VOCABULARIES["Tifinagh and Arabic"]
    assert (match("tzm", names), rivals("tzm", names)) == (None, ["a", "b"])
    assert (match("tzm-Arab", names), rivals("tzm-Arab", names)) == ("b", [])


def test_tokens_that_are_no_languages_are_no_names() -> None:
    """MADLAD-400 has tokens of the same look for tasks, scripts and regions."""
    tags = set(VOCABULARIES["MADLAD-400"].values())
    assert {"en", "sw", "zh-Latn", "nan-Latn-TW"} <= tags
    assert not tags & {"translate", "transliterate", "Latn", "ZW", "en-xx-simple", "mass", ""}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("zh-Hant", "cmn", True),
        ("sr-Latn", "srp_Cyrl", True),
        ("no", "nb", True),
        ("nn", "nb", False),
        ("sw", "swh_Latn", True),
        ("id", "ms", False),
        ("hr", "sr", False),
        ("pt-BR", "por_PT", True),
        ("yue", "zh", False),
        ("en-GB", "eng", True),
    ],
)
def test_tags_of_one_language_are_known_as_such(one: str, other: str, same: bool) -> None:
    assert same_language(one, other) is same_language(other, one) is same


@pytest.mark.parametrize(
    ("tag", "script"),
    [
        ("ko", "Kore"),
        ("ja", "Jpan"),
        ("zh-TW", "Hant"),
        ("cmn", "Hans"),
        ("sr", "Cyrl"),
        ("sr-Latn", "Latn"),
        ("acm", "Arab"),
        ("pbt", "Arab"),
        ("bo", "Tibt"),
        ("ur-Aran", "Arab"),
        ("eng", "Latn"),
    ],
)
def test_a_language_has_the_script_of_its_tag_or_the_likely_one(tag: str, script: str) -> None:
    assert script_of(tag) == script


@pytest.mark.parametrize(
    ("language", "tags", "found"),
    [
        ("pt", ["pt-PT", "pt-BR"], "pt-BR"),
        ("pt-BR", ["pt-PT"], None),
        ("pt-BR", ["pt-PT", "por"], "por"),
        ("sw", ["swa"], "swa"),
        ("zh-TW", ["zh-CN", "zh-Hant"], "zh-Hant"),
        ("zh", ["zh-TW"], None),
        ("he", ["iw"], "iw"),
        ("no", ["nb-NO"], "nb-NO"),
        ("en", ["EN_us"], "EN_us"),
    ],
)
def test_text_is_taken_for_a_language_by_what_its_tag_means(language: str, tags: list, found: str | None) -> None:
    assert nearest(language, tags) == found


@pytest.mark.parametrize("tags", [("swh", "eng"), ("SW-KE", "en_US"), ("swa", "en-GB")])
def test_a_translation_memory_is_read_by_whatever_code_it_has_for_a_language(tmp_path: Path, tags: tuple) -> None:
    segments = "".join(
        f'<tuv xml:lang="{tag}"><seg>{text}</seg></tuv>' for tag, text in zip(tags, ("Habari", "Hello"), strict=True)
    )
    (tmp_path / "a.tmx").write_text(f'<tmx version="1.4"><body><tu>{segments}</tu></body></tmx>')
    (line,) = read_tmx(tmp_path / "a.tmx", ("sw", "en"))
    assert (line.source, line.target) == ("Habari", "Hello")


def test_an_id_of_a_dataset_means_a_language_by_any_of_its_codes() -> None:
    assert codes_for("Group-name-1-nob-eng", ["no", "en"]) == {"no": "nob", "en": "eng"}
    assert codes_for("Group-name-1-srp_Latn-eng", ["sr", "en"]) is None


@pytest.mark.parametrize("language", ["zh", "zh-Hant", "cmn", "zho"])
def test_a_language_is_identified_whatever_it_is_called(language: str) -> None:
    assert probability_of("今天的天氣非常好，我們去公園散步吧。", language) > 0.5


def test_bokmal_and_norwegian_are_one_language_to_the_identifier() -> None:
    text = "Jeg vet ikke hva dette skal bety, men det er en fin dag i dag."
    assert probability_of(text, "no") == probability_of(text, "nb") > 0.5


def test_a_script_is_known_for_a_language_that_cldr_says_nothing_of() -> None:
    assert share_in_script("هذا كتاب", "acm") == 1.0
    assert share_in_script("오늘", "ko-Hang") == share_in_script("오늘", "kor") == 1.0


def test_a_vocabulary_made_here_has_a_token_for_each_script_of_a_language() -> None:
    made = [language_code(tag) for tag in ("sr", "sr-Latn", "zh-TW", "swh", "pt-BR", "eu")]
    assert made == ["sr_XX", "sr_Latn", "zh_Hant", "sw_KE", "pt_XX", "eu_XX"]
    names = BY_TITLE["mBART-50"].names({}, [*MBART50_CODES, *made])
    assert [match(tag, names) for tag in ("sr", "sr-Latn", "zh-TW", "zh")] == ["sr_XX", "sr_Latn", "zh_Hant", "zh_CN"]
    assert set(tagged(MBART50_CODES)) <= set(names)

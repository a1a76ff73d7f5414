"""M2M-100 (Fan et al. 2020, arXiv 2010.11125) and NLLB-200 (NLLB Team 2022, arXiv 2207.04672), which has its shape.

Both read the language first on both sides. M2M-100 names it `es`, with the token `__es__`, NLLB-200 `spa_Latn`.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpeft.models.architecture import ModelShape
from mtpeft.models.families.bart import Extras, bart_shape
from mtpeft.models.families.base import Family, Names, TokenizerConfig
from mtpeft.models.families.vocabulary import has_any_entry

NORTHERN_SOTHO = "ns"
"""The one name of M2M-100 that is no BCP 47 tag."""
SANTALI = "sat_Beng"
"""The one name of NLLB-200 with a wrong script: what it has read of Santali is written in Ol Chiki."""
NLLB_CODE = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}")

# fmt: off
M2M100_CODES = (
    "af", "am", "ar", "ast", "az", "ba", "be", "bg", "bn", "br", "bs", "ca", "ceb", "cs", "cy", "da", "de", "el",
    "en", "es", "et", "fa", "ff", "fi", "fr", "fy", "ga", "gd", "gl", "gu", "ha", "he", "hi", "hr", "ht", "hu",
    "hy", "id", "ig", "ilo", "is", "it", "ja", "jv", "ka", "kk", "km", "kn", "ko", "lb", "lg", "ln", "lo", "lt",
    "lv", "mg", "mk", "ml", "mn", "mr", "ms", "my", "ne", "nl", "no", "ns", "oc", "or", "pa", "pl", "ps", "pt",
    "ro", "ru", "sd", "si", "sk", "sl", "so", "sq", "sr", "ss", "su", "sv", "sw", "ta", "th", "tl", "tn", "tr",
    "uk", "ur", "uz", "vi", "wo", "xh", "yi", "yo", "zh", "zu",
)
WMT21_CODES = (
    "en", "ha", "is", "ja", "cs", "ru", "zh", "de",
)
NLLB_CODES = (
    "ace_Arab", "ace_Latn", "acm_Arab", "acq_Arab", "aeb_Arab", "afr_Latn", "ajp_Arab", "aka_Latn", "amh_Ethi",
    "apc_Arab", "arb_Arab", "ars_Arab", "ary_Arab", "arz_Arab", "asm_Beng", "ast_Latn", "awa_Deva", "ayr_Latn",
    "azb_Arab", "azj_Latn", "bak_Cyrl", "bam_Latn", "ban_Latn", "bel_Cyrl", "bem_Latn", "ben_Beng", "bho_Deva",
    "bjn_Arab", "bjn_Latn", "bod_Tibt", "bos_Latn", "bug_Latn", "bul_Cyrl", "cat_Latn", "ceb_Latn", "ces_Latn",
    "cjk_Latn", "ckb_Arab", "crh_Latn", "cym_Latn", "dan_Latn", "deu_Latn", "dik_Latn", "dyu_Latn", "dzo_Tibt",
    "ell_Grek", "eng_Latn", "epo_Latn", "est_Latn", "eus_Latn", "ewe_Latn", "fao_Latn", "pes_Arab", "fij_Latn",
    "fin_Latn", "fon_Latn", "fra_Latn", "fur_Latn", "fuv_Latn", "gla_Latn", "gle_Latn", "glg_Latn", "grn_Latn",
    "guj_Gujr", "hat_Latn", "hau_Latn", "heb_Hebr", "hin_Deva", "hne_Deva", "hrv_Latn", "hun_Latn", "hye_Armn",
    "ibo_Latn", "ilo_Latn", "ind_Latn", "isl_Latn", "ita_Latn", "jav_Latn", "jpn_Jpan", "kab_Latn", "kac_Latn",
    "kam_Latn", "kan_Knda", "kas_Arab", "kas_Deva", "kat_Geor", "knc_Arab", "knc_Latn", "kaz_Cyrl", "kbp_Latn",
    "kea_Latn", "khm_Khmr", "kik_Latn", "kin_Latn", "kir_Cyrl", "kmb_Latn", "kon_Latn", "kor_Hang", "kmr_Latn",
    "lao_Laoo", "lvs_Latn", "lij_Latn", "lim_Latn", "lin_Latn", "lit_Latn", "lmo_Latn", "ltg_Latn", "ltz_Latn",
    "lua_Latn", "lug_Latn", "luo_Latn", "lus_Latn", "mag_Deva", "mai_Deva", "mal_Mlym", "mar_Deva", "min_Latn",
    "mkd_Cyrl", "plt_Latn", "mlt_Latn", "mni_Beng", "khk_Cyrl", "mos_Latn", "mri_Latn", "zsm_Latn", "mya_Mymr",
    "nld_Latn", "nno_Latn", "nob_Latn", "npi_Deva", "nso_Latn", "nus_Latn", "nya_Latn", "oci_Latn", "gaz_Latn",
    "ory_Orya", "pag_Latn", "pan_Guru", "pap_Latn", "pol_Latn", "por_Latn", "prs_Arab", "pbt_Arab", "quy_Latn",
    "ron_Latn", "run_Latn", "rus_Cyrl", "sag_Latn", "san_Deva", "sat_Beng", "scn_Latn", "shn_Mymr", "sin_Sinh",
    "slk_Latn", "slv_Latn", "smo_Latn", "sna_Latn", "snd_Arab", "som_Latn", "sot_Latn", "spa_Latn", "als_Latn",
    "srd_Latn", "srp_Cyrl", "ssw_Latn", "sun_Latn", "swe_Latn", "swh_Latn", "szl_Latn", "tam_Taml", "tat_Cyrl",
    "tel_Telu", "tgk_Cyrl", "tgl_Latn", "tha_Thai", "tir_Ethi", "taq_Latn", "taq_Tfng", "tpi_Latn", "tsn_Latn",
    "tso_Latn", "tuk_Latn", "tum_Latn", "tur_Latn", "twi_Latn", "tzm_Tfng", "uig_Arab", "ukr_Cyrl", "umb_Latn",
    "urd_Arab", "uzn_Latn", "vec_Latn", "vie_Latn", "war_Latn", "wol_Latn", "xho_Latn", "ydd_Hebr", "yor_Latn",
    "yue_Hant", "zho_Hans", "zho_Hant", "zul_Latn",
)
# fmt: on


def m2m100_shape(config: Mapping[str, Any]) -> ModelShape:
    """Return the shape: positions are sinusoids, which are not learnt; a norm follows the last layer of each side."""
    return bart_shape(config, Extras(norm_of_embeddings=False, norm_at_end=True, positions=None, activation="relu"))


def _names_m2m100(config: TokenizerConfig, vocabulary: Collection[str]) -> Names:
    codes = WMT21_CODES if config.get("language_codes") == "wmt21" else M2M100_CODES
    return {code: "nso" if code == NORTHERN_SOTHO else code for code in codes}


def _has_nllb_languages(folder: Path, config: Mapping[str, Any], described: TokenizerConfig) -> bool:
    """Return whether a folder that names no class has the language tokens of NLLB-200."""
    return has_any_entry(folder, set(NLLB_CODES))


def _names_nllb(config: TokenizerConfig, vocabulary: Collection[str]) -> Names:
    codes = dict.fromkeys([*NLLB_CODES, *filter(NLLB_CODE.fullmatch, vocabulary)])
    return {code: "sat-Olck" if code == SANTALI else code.replace("_", "-") for code in codes}


# Layers are skipped at random by default: a budget is then not what is trained in an update.
_EVERY_LAYER = {"encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0}

M2M100 = Family(
    name="m2m100",
    title="M2M-100",
    model_type="m2m_100",
    tokenizers=("M2M100Tokenizer",),
    shape=m2m100_shape,
    names=_names_m2m100,
    token=lambda name: f"__{name}__",
    fixed=_EVERY_LAYER,
)
NLLB = replace(
    M2M100,
    name="nllb",
    title="NLLB-200",
    tokenizers=("NllbTokenizer",),
    names=_names_nllb,
    token=str,
    recognised_by=_has_nllb_languages,
)

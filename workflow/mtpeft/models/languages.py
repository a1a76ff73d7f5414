"""How the mBART family names languages: tokens such as `es_XX`, one per language.

The fifty-two codes are those of mBART-50 (Tang et al. 2020, arXiv 2008.00401); a language that it has not gets a code
of the same form.
"""

from collections.abc import Iterable

from mtpeft.errors import UserError

# fmt: off
MBART50_CODES = (
    "ar_AR", "cs_CZ", "de_DE", "en_XX", "es_XX", "et_EE", "fi_FI", "fr_XX", "gu_IN", "hi_IN", "it_IT", "ja_XX",
    "kk_KZ", "ko_KR", "lt_LT", "lv_LV", "my_MM", "ne_NP", "nl_XX", "ro_RO", "ru_RU", "si_LK", "tr_TR", "vi_VN",
    "zh_CN", "af_ZA", "az_AZ", "bn_IN", "fa_IR", "he_IL", "hr_HR", "id_ID", "ka_GE", "km_KH", "mk_MK", "ml_IN",
    "mn_MN", "mr_IN", "pl_PL", "ps_AF", "pt_XX", "sv_SE", "sw_KE", "ta_IN", "te_IN", "th_TH", "tl_XX", "uk_UA",
    "ur_PK", "xh_ZA", "gl_ES", "sl_SI",
)
# fmt: on
_BY_LANGUAGE = {code.split("_")[0]: code for code in MBART50_CODES}


def language_code(language: str) -> str:
    """Token of a language given as a BCP 47 code: its main subtag decides."""
    main = language.replace("_", "-").split("-")[0].lower()
    return _BY_LANGUAGE.get(main, f"{main}_XX")


def extra_codes(languages: Iterable[str]) -> list[str]:
    """Tokens of the languages that mBART-50 does not have."""
    return sorted({language_code(language) for language in languages} - set(MBART50_CODES))


def require_code(language: str, tokens: Iterable[str], *, vocabulary: str) -> str:
    """The language's token, which must be among those of a vocabulary.

    Raises:
        UserError: the vocabulary has no such token.
    """
    code = language_code(language)
    if code not in tokens:
        raise UserError(
            f"The vocabulary '{vocabulary}' has no language token {code} for '{language}'; use a pair that it knows, "
            "or pre-train a model with that pair in `pretrain.vocabulary_pairs`."
        )
    return code

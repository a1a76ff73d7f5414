"""mBART (Liu et al. 2020, arXiv 2001.08210) and mBART-50 (Tang et al. 2020, arXiv 2008.00401).

Languages are tokens such as `es_XX`. The first model reads them after the end of a sentence, and its decoder starts
from the target's; mBART-50 has them first on both sides.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpeft.core.languages import match, script_of
from mtpeft.models.architecture import ModelShape
from mtpeft.models.families.bart import Extras, bart_shape
from mtpeft.models.families.base import LANGUAGE_LAST, Family, Names, TokenizerConfig, language_alone
from mtpeft.models.families.vocabulary import all_entries, has_any_entry

# fmt: off
MBART25_CODES = (
    "ar_AR", "cs_CZ", "de_DE", "en_XX", "es_XX", "et_EE", "fi_FI", "fr_XX", "gu_IN", "hi_IN", "it_IT", "ja_XX",
    "kk_KZ", "ko_KR", "lt_LT", "lv_LV", "my_MM", "ne_NP", "nl_XX", "ro_RO", "ru_RU", "si_LK", "tr_TR", "vi_VN",
    "zh_CN",
)
MBART50_CODES = (
    *MBART25_CODES,
    "af_ZA", "az_AZ", "bn_IN", "fa_IR", "he_IL", "hr_HR", "id_ID", "ka_GE", "km_KH", "mk_MK", "ml_IN", "mn_MN",
    "mr_IN", "pl_PL", "ps_AF", "pt_XX", "sv_SE", "sw_KE", "ta_IN", "te_IN", "th_TH", "tl_XX", "uk_UA", "ur_PK",
    "xh_ZA", "gl_ES", "sl_SI",
)
# fmt: on
CODE = re.compile(r"[a-z]{2,3}_([A-Z]{2}|[A-Z][a-z]{3})")
NO_REGION = "_XX"
HUGGINGFACE_SPECIALS = 4
"""<s>, <pad>, </s> and <unk>, with which an mBART vocabulary begins; <mask> ends it."""


def language_code(language: str) -> str:
    """Return the token of a language in a vocabulary of this project: mBART-50's, or one of the same form.

    One of the same form has the main subtag of the BCP 47 tag, and the script where it is not the likely one.
    """
    if known := match(language, tagged(MBART50_CODES)):
        return known
    main, script = language.replace("_", "-").split("-")[0].lower(), script_of(language)
    return f"{main}{NO_REGION}" if script == script_of(main) else f"{main}_{script}"


def extra_codes(languages: Iterable[str]) -> list[str]:
    """Return the tokens of the languages that mBART-50 does not have."""
    return sorted({language_code(language) for language in languages} - set(MBART50_CODES))


def tagged(codes: Iterable[str]) -> dict[str, str]:
    """Return each code with the BCP 47 tag that it stands for."""
    return {code: code.removesuffix(NO_REGION).replace("_", "-") for code in codes}


def mbart_shape(config: Mapping[str, Any]) -> ModelShape:
    """Return the shape: learnt positions on each side, two rows more than positions, with norms at both ends."""
    return bart_shape(config, Extras(norm_of_embeddings=True, norm_at_end=True, positions=2))


def _has_mbart50_languages(folder: Path, config: Mapping[str, Any], described: TokenizerConfig) -> bool:
    """Return whether a folder that names no class has the languages of mBART-50, in its files or in its embeddings."""
    named = described.get("language_codes") == "ML50" or has_any_entry(folder, set(MBART50_CODES) - set(MBART25_CODES))
    return named or _room_for_languages(folder, config) >= len(MBART50_CODES)


def _room_for_languages(folder: Path, config: Mapping[str, Any]) -> int:
    """Return the rows of the embeddings beyond the pieces of the sentencepiece model, `<pad>` and `<mask>`."""
    rows = config.get("vocab_size")
    if not isinstance(rows, int) or not (folder / "sentencepiece.bpe.model").is_file():
        return 0
    return rows - len(all_entries(folder)) - 2


def _mbart50_named_as_mbart(config: Mapping[str, Any], entries: int) -> str | None:
    """Say that a tokenizer named as mBART's lacks the entries of mBART-50, which the model has."""
    spare = config.get("vocab_size", 0) - entries
    if spare < len(MBART50_CODES) - len(MBART25_CODES):
        return None
    return (
        f"is named as mBART's ('{MBART25.tokenizers[0]}'), but the model has {spare} more entries, as mBART-50 has; "
        f'write "tokenizer_class": "{MBART50.tokenizers[0]}" in its tokenizer_config.json, and put the tokenizer of '
        "that model beside it"
    )


def _names25(config: TokenizerConfig, vocabulary: Collection[str]) -> Names:
    return tagged(dict.fromkeys([*MBART25_CODES, *filter(CODE.fullmatch, vocabulary)]))


def _names50(config: TokenizerConfig, vocabulary: Collection[str]) -> Names:
    return tagged(dict.fromkeys([*MBART50_CODES, *filter(CODE.fullmatch, vocabulary)]))


MBART50 = Family(
    name="mbart50",
    title="mBART-50",
    model_type="mbart",
    tokenizers=("MBart50Tokenizer",),
    shape=mbart_shape,
    names=_names50,
    recognised_by=_has_mbart50_languages,
)
MBART25 = replace(
    MBART50,
    name="mbart",
    title="mBART",
    tokenizers=("MBartTokenizer",),
    names=_names25,
    source_edges=LANGUAGE_LAST,
    target_edges=LANGUAGE_LAST,
    begin=language_alone,
    recognised_by=None,
    wrong_tokenizer=_mbart50_named_as_mbart,
)

"""Families of models: shapes, languages, tokens and search, on checkpoints in the formats of the real ones."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sentencepiece
import torch
from transformers import AutoTokenizer

from mtpeft.core.errors import UserError
from mtpeft.core.languages import is_language, match
from mtpeft.core.options import DecodingOptions
from mtpeft.core.registry import bring_in
from mtpeft.data.batch_layout import model_inputs
from mtpeft.decoding.search import length_limits, translate
from mtpeft.models.derived import MODEL_SOURCES, ModelSource, model_source_of
from mtpeft.models.families import FAMILIES, family_in, read_json, read_shape
from mtpeft.models.families.m2m100 import M2M100_CODES, NLLB_CODES
from mtpeft.models.families.mbart import MBART50_CODES, tagged
from mtpeft.models.load import load_base, parameters, prepare_torch
from mtpeft.models.tokenizer import PairTokenizer, detokenise, encode, open_tokenizer, special_tokens_of
from support.family import CHECKPOINTS, checkpoints_in
from support.model import SPANISH_ENGLISH
from support.text import AWKWARD, SCRIPTS

SPANISH_TO_ENGLISH = {"source": "es", "target": "en"}
SENTENCES = [source for source, _ in SPANISH_ENGLISH[:6]]
FAMILY = pytest.mark.parametrize("name", CHECKPOINTS)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a family's checkpoint, made once."""
    return checkpoints_in(tmp_path_factory.mktemp("checkpoints"))


def _opened(folder: Path) -> PairTokenizer:
    return open_tokenizer(folder, SPANISH_TO_ENGLISH, vocabulary="tiny")


@FAMILY
def test_shape_of_the_files_is_that_of_the_built_model(checkpoint: Callable, name: str) -> None:
    folder = checkpoint(name)
    shape = read_shape(read_json(folder / "config.json"))
    model = load_base(folder)
    modules = dict(model.named_modules())
    assert parameters(model)[0] == shape.total
    for linear in shape.linears:
        built = modules[linear.module]
        assert (built.in_features, built.out_features) == (linear.inputs, linear.outputs)
        assert (built.bias is not None) == linear.bias
    for norm in shape.norms:
        assert sum(weight.numel() for weight in modules[norm.module].parameters()) == norm.parameters
    norms = {module for module in modules if "norm" in module.rsplit(".", 1)[-1]}
    assert norms == {norm.module for norm in shape.norms}
    assert modules[shape.embedding_module].weight.numel() == shape.embeddings
    assert {*shape.layers, *shape.attentions, *shape.feed_forwards} <= set(modules)
    inside = {module for module, built in modules.items() if isinstance(built, torch.nn.Linear)}
    assert inside - {linear.module for linear in shape.linears} == {"lm_head"}


@FAMILY
def test_pair_is_named_as_the_family_does(checkpoint: Callable, name: str) -> None:
    tokenizer = _opened(checkpoint(name))
    assert (tokenizer.source, tokenizer.target) == (CHECKPOINTS[name].source, CHECKPOINTS[name].target)


@pytest.mark.parametrize("side", ["source", "target"])
@FAMILY
def test_tokens_are_those_of_the_familys_own_tokenizer(checkpoint: Callable, name: str, side: str) -> None:
    """As each family's documentation has it: languages told to the tokenizer, or written before the source."""
    folder = checkpoint(name)
    told = {"src_lang": CHECKPOINTS[name].source, "tgt_lang": CHECKPOINTS[name].target}
    own = AutoTokenizer.from_pretrained(folder, **(told if family_in(folder).takes_languages else {}))
    prefix = {
        "marian_multi": ">>eng<< ",
        **dict.fromkeys(("t5", "t5_1.1", "mt5"), "translate Spanish to English: "),
    }
    texts = [text.strip() for text in (*SCRIPTS.values(), *AWKWARD.values())]
    expected = (
        own([prefix.get(name, "") + text for text in texts])["input_ids"]
        if side == "source"
        else own(text_target=texts)["input_ids"]
    )
    assert encode(_opened(folder), texts, side, max_length=500) == expected


SPECIALS = {
    "mbart25": (([], ["</s>", "es_XX"]), ([], ["</s>", "en_XX"])),
    "mbart50": ((["es_XX"], ["</s>"]), (["en_XX"], ["</s>"])),
    "m2m100": ((["__es__"], ["</s>"]), (["__en__"], ["</s>"])),
    "nllb": ((["spa_Latn"], ["</s>"]), (["eng_Latn"], ["</s>"])),
    "marian": (([], ["</s>"]), ([], ["</s>"])),
    "marian_multi": (([">>eng<<"], ["</s>"]), ([], ["</s>"])),
    "mt5": ((None, ["</s>"]), ([], ["</s>"])),
}


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("name", SPECIALS)
def test_special_tokens_stand_where_the_papers_have_them(checkpoint: Callable, name: str, side: str) -> None:
    folder = checkpoint(name)
    tokenizer = _opened(folder)
    (row,) = encode(tokenizer, ["La puerta está abierta"], side, max_length=60)
    before, after = SPECIALS[name][side == "target"]
    files = {"marian": f"{side}.spm", "marian_multi": f"{side}.spm", "mt5": "spiece.model"}
    processor = sentencepiece.SentencePieceProcessor(
        model_file=str(folder / files.get(name, "sentencepiece.bpe.model"))
    )
    pieces = processor.encode("La puerta está abierta", out_type=str)
    if before is None:
        before = [processor.id_to_piece(index) for index in processor.encode("translate Spanish to English:")]
    assert tokenizer.pretrained.convert_ids_to_tokens(row) == [*before, *pieces, *after]


@FAMILY
def test_text_comes_back(checkpoint: Callable, name: str) -> None:
    tokenizer = _opened(checkpoint(name))
    targets = [target for _, target in SPANISH_ENGLISH]
    rows = encode(tokenizer, targets, "target", max_length=60)
    assert detokenise(tokenizer, rows) == targets


@FAMILY
def test_decoder_reads_what_transformers_makes_of_the_labels(checkpoint: Callable, name: str) -> None:
    folder = checkpoint(name)
    tokenizer, model = _opened(folder), load_base(folder).eval()
    special_tokens = special_tokens_of(tokenizer, model.config)
    sources, targets = (
        [
            torch.tensor(row)
            for row in encode(tokenizer, [pair[place] for pair in SPANISH_ENGLISH[:5]], side, max_length=60)
        ]
        for place, side in enumerate(("source", "target"))
    )
    inputs = dict(model_inputs(sources, targets, special_tokens=special_tokens))
    labels, given = inputs.pop("labels"), inputs.pop("decoder_input_ids")
    seen: list[torch.Tensor] = []
    model.get_decoder().register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["input_ids"]), with_kwargs=True
    )
    model(**inputs, labels=labels)
    real = labels != -100
    assert torch.equal(seen[0][real], given[real])


@pytest.mark.parametrize("beam_size", [1, 4])
@FAMILY
def test_search_is_generates_as_the_family_is_meant_to_be_used(checkpoint: Callable, name: str, beam_size: int) -> None:
    prepare_torch(1)
    folder = checkpoint(name)
    tokenizer, model = _opened(folder), load_base(folder).eval()
    special_tokens = special_tokens_of(tokenizer, model.config)
    search = DecodingOptions(beam_size=beam_size, length_penalty=1.0, max_length_ratio=1.0)
    sources = [torch.tensor(row) for row in encode(tokenizer, SENTENCES, "source", max_length=60)]
    found = translate(model, sources, search, special_tokens=special_tokens)
    assert len({tuple(tokens) for tokens in found}) > 2
    english = tokenizer.pretrained.convert_tokens_to_ids({"m2m100": "__en__"}.get(name, CHECKPOINTS[name].target))
    start = {"mbart25": {"decoder_start_token_id": english}}
    forced = {key: {"forced_bos_token_id": english} for key in ("mbart50", "m2m100", "nllb")}
    for source, tokens, limit in zip(
        sources, found, length_limits(search, np.array([len(row) for row in sources]), special_tokens), strict=True
    ):
        own = model.generate(
            input_ids=source[None],
            num_beams=beam_size,
            early_stopping=False,
            forced_eos_token_id=special_tokens.end,
            max_new_tokens=int(limit) + len(special_tokens.begin),
            **(start | forced).get(name, {}),
        )[0].tolist()
        assert own[: len(special_tokens.begin)] == list(special_tokens.begin)
        assert [*tokens, special_tokens.end] == own[len(special_tokens.begin) :]


LANGUAGES = {
    "de": ("de_DE", "de", "deu_Latn"),
    "en": ("en_XX", "en", "eng_Latn"),
    "sw": ("sw_KE", "sw", "swh_Latn"),
    "zh": ("zh_CN", "zh", "zho_Hans"),
    "zh-Hant": (None, None, "zho_Hant"),
    "zh-TW": (None, None, "zho_Hant"),
    "pt-BR": ("pt_XX", "pt", "por_Latn"),
    "fa": ("fa_IR", "fa", "pes_Arab"),
    "prs": ("fa_IR", "fa", "prs_Arab"),
    "lv": ("lv_LV", "lv", "lvs_Latn"),
    "no": (None, "no", "nob_Latn"),
    "nb": (None, "no", "nob_Latn"),
    "ps": ("ps_AF", "ps", "pbt_Arab"),
    "he": ("he_IL", "he", "heb_Hebr"),
    "iw": ("he_IL", "he", "heb_Hebr"),
    "fil": ("tl_XX", "tl", "tgl_Latn"),
    "sr": (None, "sr", "srp_Cyrl"),
    "sr-Latn": (None, None, None),
    "tw": (None, None, "twi_Latn"),
    "nso": (None, "ns", "nso_Latn"),
    "eu": (None, None, "eus_Latn"),
    "nds": (None, None, None),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_the_name_that_each_family_gives_it(language: str) -> None:
    m2m = {code: "nso" if code == "ns" else code for code in M2M100_CODES}
    nllb = {code: code.replace("_", "-") for code in NLLB_CODES}
    assert tuple(match(language, names) for names in (tagged(MBART50_CODES), m2m, nllb)) == LANGUAGES[language]


def test_codes_are_those_of_the_installed_tokenizers() -> None:
    from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES as M2M
    from transformers.models.mbart50.tokenization_mbart50 import FAIRSEQ_LANGUAGE_CODES as MBART50
    from transformers.models.nllb.tokenization_nllb import FAIRSEQ_LANGUAGE_CODES as NLLB

    assert (list(M2M100_CODES), list(MBART50_CODES), list(NLLB_CODES)) == (M2M["m2m100"], MBART50, NLLB)


@pytest.mark.parametrize(("tag", "known"), [("sw", True), ("pt-BR", True), ("zh-Hant", True), ("xx", False)])
def test_codes_that_nobody_knows_are_told_from_others(tag: str, known: bool) -> None:
    assert is_language(tag) == known


FAMILY_FROM_OUTSIDE = """
from dataclasses import replace
from mtpeft.models.families.marian import MARIAN

OWN = replace(MARIAN, name="own", title="Own", model_type="own")
"""


def test_a_family_and_a_source_of_models_are_added_by_a_file_alone(tmp_path: Path) -> None:
    """Nothing else knows a list of them."""
    config = {**CHECKPOINTS["marian"].config, "vocab_size": 100}
    with pytest.raises(UserError, match=r"model_type 'own', which is not supported"):
        read_shape({**config, "model_type": "own"})
    added = (FAMILIES, MODEL_SOURCES)
    file = tmp_path / "family_from_outside.py"
    file.write_text(FAMILY_FROM_OUTSIDE, encoding="utf-8")
    try:
        bring_in(str(file))
        MODEL_SOURCES.add(ModelSource(name="pruned", folder="pruned"))
        assert FAMILIES["own"].module == str(file)
        assert read_shape({**config, "model_type": "own"}) == read_shape({**config, "model_type": "marian"})
        assert (
            model_source_of(
                SimpleNamespace(pretrain=None, path=None, hub=None, extend=None, pruned={"share": 0.5})
            ).folder
            == "pruned"
        )
    finally:
        for registry in added:
            registry.forget_outside()
    assert "own" not in FAMILIES

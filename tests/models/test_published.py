"""Published checkpoints in miniature are read as their publishers' pages say that they are used."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from mtpeft.config.model_languages import without_name
from mtpeft.core.errors import UserError
from mtpeft.core.files import write_record
from mtpeft.core.options import DecodingOptions
from mtpeft.decoding.search import length_limits, translate
from mtpeft.models.families import read_json
from mtpeft.models.load import load_base, prepare_torch
from mtpeft.models.local import take_in_folder
from mtpeft.models.tokenizer import PairTokenizer, encode, open_tokenizer, special_tokens_of
from support.family import build_checkpoint
from support.model import SPANISH_ENGLISH
from support.published import PUBLISHED, Published, build_published

EACH = pytest.mark.parametrize("name", PUBLISHED)
SENTENCES = [source for source, _ in SPANISH_ENGLISH[:4]]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a published checkpoint in miniature, made once."""
    prepare_torch(1)
    made: dict[str, Path] = {}

    def of(name: str) -> Path:
        if name not in made:
            made[name] = build_published(name, tmp_path_factory.mktemp("published") / name)
        return made[name]

    return of


def _opened(folder: Path, name: str) -> PairTokenizer:
    target = "cmn-Hans" if name == "opus-mt-en-zh" else "en"
    return open_tokenizer(folder, {"source": "es", "target": target}, vocabulary="tiny")


@EACH
def test_a_published_checkpoint_is_taken_in(checkpoint: Callable, tmp_path: Path, name: str) -> None:
    take_in_folder({"step_version": 1, "path": str(checkpoint(name))}, record=tmp_path / "mine/base.json")
    assert (tmp_path / "mine/base.json").exists()


@EACH
def test_sentences_stand_between_the_tokens_that_the_page_says(checkpoint: Callable, name: str) -> None:
    folder, published = checkpoint(name), PUBLISHED[name]
    tokenizer = _opened(folder, name)
    for side, (before, after) in (("source", published.source), ("target", published.target)):
        (row,) = encode(tokenizer, ["La puerta está abierta"], side, max_length=60)
        tokens = tokenizer.pretrained.convert_ids_to_tokens(row)
        assert (tokens[: len(before)], tokens[len(tokens) - len(after) :]) == (before, after)
    begin = special_tokens_of(tokenizer, load_base(folder).config).begin
    assert tokenizer.pretrained.convert_ids_to_tokens(list(begin)) == published.begin


@EACH
def test_tokens_are_those_of_transformers_alone(checkpoint: Callable, name: str) -> None:
    folder, published = checkpoint(name), PUBLISHED[name]
    own = AutoTokenizer.from_pretrained(folder, **published.told)
    assert type(own).__name__ == published.tokenizer
    texts = [side for pair in SPANISH_ENGLISH[:6] for side in pair]
    tokenizer = _opened(folder, name)
    sources = own([published.prefix + text for text in texts])["input_ids"]
    assert encode(tokenizer, texts, "source", max_length=500) == sources
    assert encode(tokenizer, texts, "target", max_length=500) == own(text_target=texts)["input_ids"]


@EACH
def test_the_model_translates_as_with_transformers_alone(checkpoint: Callable, name: str) -> None:
    folder, published = checkpoint(name), PUBLISHED[name]
    tokenizer, model = _opened(folder, name), load_base(folder).eval()
    special_tokens = special_tokens_of(tokenizer, model.config)
    search = DecodingOptions(beam_size=4, length_penalty=1.0, max_length_ratio=1.0)
    sources = [torch.tensor(row) for row in encode(tokenizer, SENTENCES, "source", max_length=60)]
    found = translate(model, sources, search, special_tokens=special_tokens)
    plain = AutoModelForSeq2SeqLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder, **published.told)
    limits = length_limits(search, np.array([len(row) for row in sources]), special_tokens)
    # A trained model never chooses padding, nor the rows of its embeddings that no token stands for; a random one does.
    known = (
        {*tokenizer.get_vocab().values()} if published.tokenizer == "T5Tokenizer" else range(plain.config.vocab_size)
    )
    spare = [[row] for row in range(plain.config.vocab_size) if row not in known or row == special_tokens.pad]
    for text, tokens, limit in zip(SENTENCES, found, limits, strict=True):
        given = tokenizer(published.prefix + text, return_tensors="pt")["input_ids"]
        room = int(limit) + len(special_tokens.begin)
        own = plain.generate(
            input_ids=given,
            num_beams=4,
            early_stopping=False,
            max_new_tokens=room,
            bad_words_ids=spare or None,
            **_first(tokenizer, published),
        )[0].tolist()
        assert own == [*special_tokens.begin, *tokens, special_tokens.end]


def _first(tokenizer: AutoTokenizer, published: Published) -> dict[str, int]:
    """The options of `generate` for the first tokens, as on the publisher's page."""
    start, *language = tokenizer.convert_tokens_to_ids(published.begin)
    forced = {"forced_bos_token_id": language[0]} if language else {}
    return {"decoder_start_token_id": start, "forced_eos_token_id": tokenizer.eos_token_id, **forced}


CLASSES = ("tokenizer_config.json", "config.json")


@pytest.mark.parametrize("removed", [(), *((file,) for file in CLASSES), CLASSES])
@pytest.mark.parametrize("name", ["mbart-large-50", "nllb-200-distilled-600M", "mbart-large-cc25", "m2m100_418M"])
def test_the_class_of_a_tokenizer_is_found_wherever_it_is_named(tmp_path: Path, name: str, removed: tuple) -> None:
    """In one file, in the other, or in what the vocabulary has."""
    folder, published = build_published(name, tmp_path / name), PUBLISHED[name]
    for file in CLASSES:
        kept = {key: value for key, value in read_json(folder / file).items() if key != "tokenizer_class"}
        named = {} if file in removed else {"tokenizer_class": published.tokenizer}
        write_record(folder / file, kept | named)
    tokenizer = _opened(folder, name)
    assert type(tokenizer.pretrained).__name__ == published.tokenizer
    (row,) = encode(tokenizer, ["La puerta"], "source", max_length=60)
    tokens = tokenizer.pretrained.convert_ids_to_tokens(row)
    before, after = published.source
    assert (tokens[: len(before)], tokens[len(tokens) - len(after) :]) == (before, after)


def test_an_mbart_50_without_any_class_or_list_is_told_by_the_rows_of_its_embeddings(tmp_path: Path) -> None:
    folder = build_published("mbart-large-50", tmp_path / "bare")
    (folder / "special_tokens_map.json").unlink()
    write_record(folder / "tokenizer_config.json", {"model_max_length": 1024})
    config = read_json(folder / "config.json")
    config.pop("tokenizer_class")
    write_record(folder / "config.json", config)
    assert _opened(folder, "mbart-large-50").family.title == "mBART-50"


def test_madlad_refuses_a_language_that_it_has_no_token_for(checkpoint: Callable) -> None:
    folder = checkpoint("madlad400-3b-mt")
    with pytest.raises(UserError, match=r"'tiny' has no token for the language 'nb-Cyrl'"):
        open_tokenizer(folder, {"source": "es", "target": "nb-Cyrl"}, vocabulary="tiny")
    tokenizer = open_tokenizer(folder, {"source": "an", "target": "sw"}, vocabulary="tiny")
    (row,) = encode(tokenizer, ["<2fr> La puerta </s>"], "source", max_length=60)
    special = [token for token in tokenizer.pretrained.convert_ids_to_tokens(row) if token.startswith("<")]
    assert special == ["<2sw>", *["<unk>"] * (len(special) - 2), "</s>"]


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("length", [5, 12])
@EACH
def test_a_truncated_sentence_keeps_its_special_tokens(checkpoint: Callable, name: str, length: int, side: str) -> None:
    tokenizer = _opened(checkpoint(name), name)
    (whole,) = encode(tokenizer, [SENTENCES[0] * 9], side, max_length=500)
    (row,) = encode(tokenizer, [SENTENCES[0] * 9], side, max_length=length)
    around = tokenizer.around[side]
    first, last = len(around.before), len(row) - len(around.after)
    assert len(row) == length
    assert (tuple(row[:first]), tuple(row[last:])) == (around.before, around.after)
    assert row[:last] == whole[:last]


BROKEN = {
    "the class of mBART-25 for mBART-50": (
        "mbart50",
        "tokenizer_config.json",
        {"tokenizer_class": "MBartTokenizer"},
        r"named as mBART's \('MBartTokenizer'\), but the model has 27 more entries, as mBART-50 has",
    ),
    "the old behaviour of NLLB-200": (
        "nllb",
        "tokenizer_config.json",
        {"legacy_behaviour": True},
        r"makes '</s> \w+' of an empty source sentence, since it says legacy_behaviour true, but NLLB-200 was trained",
    ),
    "the class of another family": (
        "m2m100",
        "tokenizer_config.json",
        {"tokenizer_class": "T5Tokenizer"},
        r"class 'T5Tokenizer' and a model of type 'm2m_100', which are not supported together",
    ),
    "a class that transformers does not have": (
        "t5",
        "tokenizer_config.json",
        {"tokenizer_class": "MyTokenizer"},
        r"class 'MyTokenizer' and a model of type 't5', which are not supported together",
    ),
    "languages that are not there": (
        "nllb",
        "tokenizer_config.json",
        {"additional_special_tokens": ["<new>"]},
        r"has no token for any language of NLLB-200, such as ace_Arab",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_tokenizer_that_is_not_its_familys_is_refused_when_the_model_is_taken_in(tmp_path: Path, case: str) -> None:
    name, file, change, expected = BROKEN[case]
    folder = build_checkpoint(name, tmp_path / "model")
    write_record(folder / file, read_json(folder / file) | change)
    with pytest.raises(UserError, match=expected):
        take_in_folder({"step_version": 1, "path": str(folder)}, record=tmp_path / "mine/base.json")
    assert not (tmp_path / "mine/base.json").exists()


@pytest.mark.parametrize("content", ["", "[]", "{", "null", b"\xff\xfe{\x00}\x00"], ids=repr)
@pytest.mark.parametrize("file", ["tokenizer_config.json", "special_tokens_map.json"])
def test_a_small_file_that_is_no_object_is_named(tmp_path: Path, file: str, content: str | bytes) -> None:
    folder = build_checkpoint("nllb", tmp_path / "model")
    (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=file):
        take_in_folder({"step_version": 1, "path": str(folder)}, record=tmp_path / "mine/base.json")


LACKING = {
    "nllb-200-distilled-600M": ("ko kor ko-KR sat crh nb", "nds sr-Latn"),
    "mbart-large-50": ("ko sw swh pt-BR", "eu zh-TW"),
    "madlad400-3b-mt": ("ko iw zh-Hant sh", "yue zxx"),
    "opus-mt-en-zh": ("zh cmn zh-TW yue", "de"),
    "mt5-small": ("ko nds", ""),
}


@pytest.mark.parametrize("name", LACKING)
def test_no_new_token_is_asked_for_a_language_that_a_model_has(checkpoint: Callable, name: str) -> None:
    """By the files of its tokenizer alone, before anything heavy is loaded."""
    known, lacking = (tags.split() for tags in LACKING[name])
    lacks = without_name(checkpoint(name))
    assert {tag: lacks(tag) for tag in (*known, *lacking)} == dict.fromkeys(known, False) | dict.fromkeys(lacking, True)

"""Vocabularies, token arrays, and what a model is given of them."""

from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import torch
from transformers import MBartForConditionalGeneration

from mtpeft.core.errors import UserError
from mtpeft.data.batch_layout import model_inputs
from mtpeft.data.encode import encode_pair
from mtpeft.data.token_arrays import Encoded, read_arrays, write_arrays
from mtpeft.data.tsv import SentencePair, read_pairs, write_pairs
from mtpeft.data.vocabulary import save_tokenizer, train_vocabulary
from mtpeft.models.load import load_base
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import encode, load_tokenizer, open_tokenizer
from support.model import DEV_ROWS, MAX_POSITIONS, SPANISH_ENGLISH, TEST_ROWS, arrays
from support.text import AWKWARD, SCRIPTS

SPECIAL_TOKENS = SpecialTokens(pad=1, end=2, begin=(2, 9), max_length=MAX_POSITIONS)


@pytest.fixture(scope="module")
def many_scripts(tmp_path_factory: pytest.TempPathFactory) -> tuple[sentencepiece.SentencePieceProcessor, Path]:
    folder = tmp_path_factory.mktemp("scripts")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*SCRIPTS.values(), *(side for row in SPANISH_ENGLISH for side in row)]),
        model_prefix=str(folder / "pieces"),
        vocab_size=600,
        character_coverage=1.0,
        minloglevel=2,
    )
    save_tokenizer(folder / "pieces.model", SCRIPTS, folder=folder / "tokenizer")
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "pieces.model")), folder / "tokenizer"


@pytest.mark.parametrize("language", SCRIPTS)
def test_segmentation_is_sentencepieces_own(many_scripts, language) -> None:
    _assert_same_pieces(many_scripts, SCRIPTS[language], language)


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD)
def test_segmentation_of_awkward_text_is_sentencepieces_own(many_scripts, text) -> None:
    _assert_same_pieces(many_scripts, text, "es")


def _assert_same_pieces(many_scripts, text: str, language: str) -> None:
    pieces, folder = many_scripts
    tokenizer = open_tokenizer(folder, {"source": language, "target": "en"}, vocabulary="tiny")
    (tokens,) = encode(tokenizer, [text], "source", max_length=200)
    own = [3 if piece == pieces.unk_id() else piece + 1 for piece in pieces.encode(text)]
    first, *inner, last = tokens
    assert tokenizer.pretrained.convert_ids_to_tokens([first])[0].startswith(f"{language}_")
    assert (inner, last) == (own, 2)


@pytest.mark.parametrize(
    "text", ["Use es_XX or en_XX.", "Wrap <s>old</s> text in <mask> or <pad>, not <unk>.", "bg_XX"]
)
def test_text_that_looks_like_a_special_token_is_none(many_scripts, text) -> None:
    tokenizer = open_tokenizer(many_scripts[1], {"source": "es", "target": "en"}, vocabulary="tiny")
    (tokens,) = encode(tokenizer, [text], "source", max_length=200)
    special = set(tokenizer.pretrained.all_special_ids) - {tokenizer.pretrained.unk_token_id}
    assert [token in special for token in tokens] == [True, *[False] * (len(tokens) - 2), True]


def test_languages_outside_mbart50_get_a_token_of_their_own(many_scripts) -> None:
    vocabulary = load_tokenizer(many_scripts[1]).get_vocab()
    added = [vocabulary[code] for code in ("bg_XX", "ca_XX", "el_XX", "hy_XX")]
    assert added == sorted(set(added))
    assert vocabulary["<mask>"] == len(vocabulary) - 1
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))


def test_language_without_token_is_refused_with_a_sentence(sweep: Path) -> None:
    with pytest.raises(UserError, match=r"'tiny' has no token for the language 'eu'.*pretrain.vocabulary_pairs"):
        open_tokenizer(sweep / "data/vocabularies/tiny", {"source": "eu", "target": "en"}, vocabulary="tiny")


def test_vocabulary_larger_than_the_text_allows_is_refused(tmp_path: Path) -> None:
    write_pairs(tmp_path / "few.tsv", [SentencePair("1", *SPANISH_ENGLISH[0])])
    params = {"size": 4000, "languages": ["es", "en"]}
    with pytest.raises(UserError, match=r"4000 pieces.*2 sentences.*'pretrain.vocabulary'"):
        train_vocabulary(params, parts=[tmp_path / "few.tsv"], folder=tmp_path / "vocabulary")


def test_vocabulary_is_the_same_every_time(sweep: Path, tmp_path: Path) -> None:
    params = {"size": 250, "languages": ["en", "es", "ca"]}
    train_vocabulary(params, parts=[sweep / "data/pairs/es-en/train.tsv"], folder=tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / name).read_bytes() == (sweep / "data/vocabularies/tiny" / name).read_bytes()


def test_arrays_give_back_what_was_written(tmp_path: Path) -> None:
    source, target = [[7, 1, 2], [], [5] * 40], [[9], [3, 4], [2, 2]]
    write_arrays(tmp_path / "deep/part.safetensors", source=Encoded(source, 2), target=Encoded(target, 1))
    pairs = read_arrays(tmp_path / "deep/part.safetensors")
    assert [pairs.source[row].tolist() for row in range(3)] == source
    assert [pairs.target[row].tolist() for row in range(3)] == target
    assert pairs.longer.tolist() == [3, 2, 40]
    assert (pairs.source.special_token_count, pairs.target.special_token_count) == (2, 1)


def test_arrays_without_rows(tmp_path: Path) -> None:
    write_arrays(tmp_path / "none.safetensors", source=Encoded([], 2), target=Encoded([], 2))
    assert len(read_arrays(tmp_path / "none.safetensors").source) == 0


def test_arrays_are_mapped_not_copied(sweep: Path) -> None:
    file = arrays(sweep, "train")
    pairs = read_arrays(file)
    address = pairs.target.tokens.data_ptr()
    ranges = [line.split()[0] for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(str(file))]
    bounds = [tuple(int(bound, 16) for bound in limits.split("-")) for limits in ranges]
    assert any(low <= address < high for low, high in bounds)


def test_parts_hold_the_tokens_of_their_text(sweep: Path) -> None:
    tokenizer = load_tokenizer(sweep / "data/vocabularies/tiny")
    rows = read_pairs(sweep / "data/pairs/es-en/dev.tsv")
    pairs = read_arrays(arrays(sweep, "dev"))
    assert [(row.source, row.target) for row in rows] == SPANISH_ENGLISH[TEST_ROWS : TEST_ROWS + DEV_ROWS]
    decoded = tokenizer.batch_decode([pairs.target[row].tolist() for row in range(len(rows))], skip_special_tokens=True)
    assert decoded == [row.target for row in rows]


def test_long_sentences_are_cut_to_the_models_positions(sweep: Path, tmp_path: Path) -> None:
    write_pairs(tmp_path / "long.tsv", [SentencePair("1", "Cierra la ventana. " * 60, "Close the window. " * 60)])
    encode_pair(
        {"source": "es", "target": "en", "vocabulary": "tiny", "max_positions": MAX_POSITIONS},
        tokenizer=sweep / "data/vocabularies/tiny",
        parts={tmp_path / "long.tsv": tmp_path / "long.safetensors"},
    )
    pairs = read_arrays(tmp_path / "long.safetensors")
    assert pairs.longer.tolist() == [MAX_POSITIONS]
    assert (pairs.source[0][-1], pairs.target[0][-1]) == (2, 2)


def test_decoder_inputs_are_those_that_transformers_makes_of_the_labels(sweep: Path) -> None:
    pairs = read_arrays(arrays(sweep, "dev"))
    inputs = dict(
        model_inputs(
            [pairs.source[row] for row in range(4)],
            [pairs.target[row] for row in range(4)],
            special_tokens=SPECIAL_TOKENS,
        )
    )
    model: MBartForConditionalGeneration = load_base(sweep / "results/models/tiny/checkpoint").eval()
    labels = inputs.pop("labels")
    given = inputs.pop("decoder_input_ids")
    seen: list[torch.Tensor] = []
    model.model.decoder.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["input_ids"]), with_kwargs=True
    )
    with torch.no_grad():
        own = model(**inputs, labels=labels).logits
        ours = model(**inputs, decoder_input_ids=given).logits
    real = labels != -100
    assert (labels == -100).any()
    assert torch.equal(seen[0][real], given[real])
    assert torch.equal(own[real], ours[real])


def test_padding_is_masked_and_labels_of_it_are_left_out() -> None:
    inputs = model_inputs(
        [torch.tensor([8, 5, 2]), torch.tensor([8, 2])],
        [torch.tensor([9, 2]), torch.tensor([9, 4, 2])],
        special_tokens=SPECIAL_TOKENS,
    )
    assert inputs["input_ids"].tolist() == [[8, 5, 2], [8, 2, 1]]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert inputs["labels"].tolist() == [[9, 2, -100], [9, 4, 2]]
    assert inputs["decoder_input_ids"].tolist() == [[2, 9, 2], [2, 9, 4]]


def test_lengths_count_the_special_tokens(sweep: Path) -> None:
    pairs = read_arrays(arrays(sweep, "dev"))
    assert np.array_equal(pairs.source.lengths, [len(pairs.source[row]) for row in range(DEV_ROWS)])
    assert pairs.source.lengths.min() >= 3

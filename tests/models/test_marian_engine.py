"""What the engines of browsers read beside the weights: vocabulary, shortlist, and the scales of activations."""

import struct
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import torch
from tokenizers import Tokenizer

from mtpeft.models.load import load_base
from mtpeft.models.marian_calibration import largest_activations
from mtpeft.models.marian_conversion import OUTPUT_BIAS, convert, to_marian
from mtpeft.models.marian_engine import fill_up, shortlist_of_all, write_engine_folder
from mtpeft.models.marian_files import EMBEDDINGS, MarianModel
from mtpeft.models.tokenizer import encode, open_tokenizer
from support.family import build_checkpoint
from support.model import SPANISH_ENGLISH

TEXTS = [text for pair in SPANISH_ENGLISH for text in pair] + [
    "  dos   espacios ",
    "ﬁn — “x”",
    "日本 <unused400>",
    "a </s> b",
    "",
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_checkpoint("student", tmp_path_factory.mktemp("student"))


@pytest.fixture(scope="module")
def engine(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    model = load_base(checkpoint).eval()
    tokenizer = open_tokenizer(checkpoint, {"source": "es", "target": "en"}, vocabulary="tiny")
    rows = encode(tokenizer, TEXTS[:8], "source", max_length=60)
    batches = [{"input_ids": torch.tensor([row]), "decoder_input_ids": torch.tensor([row])} for row in rows]
    activations = largest_activations(model, batches)
    write_engine_folder(to_marian(model), folder, vocabulary=checkpoint / "source.spm", activations=activations)
    return folder


def test_both_vocabularies_cut_text_into_the_pieces_of_the_model(checkpoint: Path, engine: Path) -> None:
    own = sentencepiece.SentencePieceProcessor(model_file=str(checkpoint / "source.spm"))
    spm = sentencepiece.SentencePieceProcessor(model_file=str(engine / "vocab.spm"))
    fast = Tokenizer.from_file(str(engine / "tokenizer.json"))
    for text in TEXTS:
        assert own.encode(text) == spm.encode(text)
        if "<unused" not in text:
            assert fast.encode(text, add_special_tokens=False).ids == own.encode(text)
    assert fast.get_vocab_size() == spm.get_piece_size()


@pytest.mark.parametrize("entries", [8, 9, 15])
def test_the_vocabulary_is_filled_up_to_a_multiple_of_eight_with_what_is_never_chosen(entries: int) -> None:
    weights = {EMBEDDINGS: np.ones((entries, 2), np.float32), OUTPUT_BIAS: np.zeros((1, entries), np.float32)}
    filled = fill_up(MarianModel({"dim-vocabs": [entries, entries]}, weights))
    expected = 8 if entries == 8 else 16
    assert filled.weights[EMBEDDINGS].shape == (expected, 2)
    assert filled.options["dim-vocabs"] == [expected, expected]
    logits = filled.weights[EMBEDDINGS] @ np.array([-9.0, -9.0]) + filled.weights[OUTPUT_BIAS]
    assert logits.argmax() < entries
    assert (logits[0, entries:] < logits[0, :entries].min() - 1000).all()


def test_the_shortlist_leaves_every_entry(engine: Path) -> None:
    entries = sentencepiece.SentencePieceProcessor(model_file=str(engine / "vocab.spm")).get_piece_size()
    content = (engine / "lex.all.bin").read_bytes()
    assert content == shortlist_of_all(entries)
    _, _, first, best, offsets, lists = struct.unpack("<6Q", content[:48])
    assert (first, best, offsets, lists) == (entries, 0, entries + 1, 0)
    assert content[48:] == bytes(8 * offsets)


def test_the_largest_inputs_of_matrices_are_those_that_the_model_computes(checkpoint: Path) -> None:
    model = load_base(checkpoint).eval()
    batches = [{"input_ids": torch.tensor([[9, 8, 0]]), "decoder_input_ids": torch.tensor([[7, 6]])}] * 2
    found = largest_activations(model, batches)
    with torch.inference_mode():
        output = model(**batches[0], output_hidden_states=True)
    assert found.keys() == {name for name, array in to_marian(model).weights.items() if array.shape[0] > 1}
    assert found["encoder_l1_self_Wq"] == pytest.approx(float(output.encoder_hidden_states[0].abs().max()))
    assert found["decoder_l1_context_Wk"] == pytest.approx(float(output.encoder_last_hidden_state.abs().max()))
    assert found[EMBEDDINGS] == pytest.approx(float(output.decoder_hidden_states[-1].abs().max()))
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_our_own_reader_reads_what_is_written_for_the_engine(checkpoint: Path, engine: Path, tmp_path: Path) -> None:
    tokens = {"input_ids": torch.tensor([[9, 8, 0]]), "decoder_input_ids": torch.tensor([[7, 6]])}
    with torch.inference_mode():
        expected = load_base(checkpoint).eval()(**tokens).logits
        for name, close in (("model.npz", 1e-5), ("model.intgemm.alphas.bin", 0.1)):
            convert(engine / name, vocabulary=engine / "vocab.spm", folder=tmp_path / name)
            found = load_base(tmp_path / name).eval()(**tokens).logits
            known = expected.shape[-1] - 1
            difference = (found[..., :known] - expected[..., :known]).abs().max()
            assert difference <= close * expected.abs().max()
